//! Paths as ZooKeeper checks them: late, and differently for each operation, which is
//! why they stay text here and are judged where the order of checks says so.

use crate::outcome::Reject;

/// ZooKeeper's own subtree.
pub(crate) const SYSTEM: &str = "/zookeeper";
/// The root of the quotas.
pub(crate) const QUOTA: &str = "/zookeeper/quota";
/// Where the membership is shown.
pub(crate) const CONFIG: &str = "/zookeeper/config";

/// The full check of create (after the sequence number), setData, setACL and check.
pub(crate) fn validate(path: &str) -> Result<(), Reject> {
    if path == "/" {
        return Ok(());
    }
    let names = path.strip_prefix('/').ok_or(Reject::BadArguments)?;
    let printable_ascii = names.bytes().all(|byte| (0x20..0x7F).contains(&byte));
    let legal = printable_ascii || names.chars().all(is_legal);
    let proper = |name: &[u8]| !matches!(name, b"" | b"." | b"..");
    let valid = legal && names.as_bytes().split(|byte| *byte == b'/').all(proper);
    if valid { Ok(()) } else { Err(Reject::BadArguments) }
}

/// Compat(utf16): ZooKeeper judges UTF-16 units, so that everything beyond the basic plane
/// falls with the surrogates.
fn is_legal(char: char) -> bool {
    !matches!(char,
        '\0'..='\u{1F}' | '\u{7F}'..='\u{9F}' | '\u{E000}'..='\u{F8FF}' | '\u{FFF0}'..)
}

/// The parent's path of a create: only the last slash and NUL are looked at.
pub(crate) fn parent_for_create(path: &str) -> Result<&str, Reject> {
    let slash = path.rfind('/').ok_or(Reject::BadArguments)?;
    if path.contains('\0') {
        return Err(Reject::BadArguments);
    }
    Ok(&path[..slash])
}

/// The parent's path of a delete: as for create, and the system's znodes stay.
pub(crate) fn parent_for_delete(path: &str) -> Result<&str, Reject> {
    if matches!(path, "/" | SYSTEM | QUOTA | CONFIG) {
        return Err(Reject::BadArguments);
    }
    parent_for_create(path)
}

/// The last component.
pub(crate) fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The path before the last component; empty for a child of the root.
pub(crate) fn parent_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Compat(utf16): ZooKeeper counts a path's size in UTF-16 units.
pub(crate) fn utf16_len(path: &str) -> i64 {
    let units = if path.is_ascii() { path.len() } else { path.encode_utf16().count() };
    i64::try_from(units).unwrap_or(i64::MAX)
}
