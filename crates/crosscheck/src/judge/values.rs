//! How values are shown to people.

use proto::{Acl, ErrorCode};
use sha2::{Digest, Sha256};

/// An error code by its name.
pub(crate) fn error(code: i32) -> String {
    ErrorCode::from_code(code).map_or_else(|| code.to_string(), |known| format!("{known:?}"))
}

/// Data as its length and the beginning of its hash, or as it is.
pub(crate) fn data(data: Option<&[u8]>, show: bool) -> String {
    match data {
        None => "null".to_owned(),
        Some(bytes) if show => format!("{:?}", String::from_utf8_lossy(bytes)),
        Some(bytes) => {
            let hash = Sha256::digest(bytes);
            let hash: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            format!("{}-bytes-sha256:{hash}", bytes.len())
        }
    }
}

/// An ACL on one line.
pub(crate) fn acl(entries: &[Acl<'_>]) -> String {
    let entry = |entry: &Acl<'_>| {
        let (scheme, id) = (entry.id.scheme.unwrap_or("null"), entry.id.id.unwrap_or("null"));
        format!("{scheme}:{id}:{}", entry.perms)
    };
    entries.iter().map(entry).collect::<Vec<_>>().join(",")
}
