//! How values are shown to people.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::LazyLock;

use proto::{Acl, ErrorCode};
use sha2::{Digest, Sha256};

/// Schemes whose identities are names and addresses only.
const PUBLIC_SCHEMES: &[&str] = &["world", "ip", "sasl", "x509"];

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

/// An ACL on one line. What proves an identity, as the hash of a password does, is replaced by
/// a number that differs from run to run, unless all is shown.
pub(crate) fn acl(entries: &[Acl<'_>], show: bool) -> String {
    let entry = |entry: &Acl<'_>| {
        let (scheme, id) = (entry.id.scheme.unwrap_or("null"), entry.id.id.unwrap_or("null"));
        let id = if show || PUBLIC_SCHEMES.contains(&scheme) { id.to_owned() } else { masked(id) };
        format!("{scheme}:{id}:{}", entry.perms)
    };
    entries.iter().map(entry).collect::<Vec<_>>().join(",")
}

/// The name before the first colon, and a stand-in for what is behind it.
fn masked(id: &str) -> String {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let (name, secret) = id.split_once(':').unwrap_or(("", id));
    format!("{name}:masked-{:016x}", KEY.hash_one(secret))
}

#[cfg(test)]
mod tests {
    use proto::Id;

    use super::*;

    #[test]
    fn acls_do_not_show_what_passwords_could_be_guessed_by() {
        let shown = |scheme, id, show| {
            acl(&[Acl { perms: 31, id: Id { scheme: Some(scheme), id: Some(id) } }], show)
        };
        assert_eq!(shown("world", "anyone", false), "world:anyone:31");
        assert_eq!(shown("digest", "amy:c2VjcmV0", true), "digest:amy:c2VjcmV0:31");
        let one = shown("digest", "amy:c2VjcmV0", false);
        assert!(one.starts_with("digest:amy:masked-") && !one.contains("c2VjcmV0"), "{one}");
        assert_eq!(one, shown("digest", "amy:c2VjcmV0", false));
        assert_ne!(one, shown("digest", "amy:c2VjcmV1", false));
        assert!(!shown("custom", "token", false).contains("token"));
    }
}
