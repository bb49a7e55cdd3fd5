//! What the server says it is.

/// The release of ZooKeeper that this server behaves as; clients and operators switch
/// features on by it.
pub const ZOOKEEPER_VERSION: &str = "3.9.5";

/// As `srvr`, `mntr` and `envi` print it.
///
/// Compat(version-text): the parts are where ZooKeeper has its own: a number that tools compare, a
/// word that tells builds apart, and a date that some insist on.
pub const VERSION: &str =
    concat!("3.9.5-rookery-", env!("CARGO_PKG_VERSION"), ", built on 2026-11-21 00:00 UTC");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_find_their_number_first() {
        assert!(VERSION.starts_with(ZOOKEEPER_VERSION));
        assert_eq!(VERSION, "3.9.5-rookery-0.1.0, built on 2026-11-21 00:00 UTC");
    }
}
