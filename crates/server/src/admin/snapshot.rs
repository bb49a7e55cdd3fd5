//! The state as a snapshot file of ZooKeeper, so that one can go back to it.
//!
//! A copy of one moment, not a fuzzy one: ZooKeeper starts from the file alone. The whole file
//! is made in memory, and no write is applied meanwhile: about a second for a million
//! znodes.

use std::collections::BTreeMap;

use tree::{AclEntry, AclView, Permissions, State, Znode};

const MAGIC: i32 = i32::from_be_bytes(*b"ZKSN");
const FORMAT: i32 = 2;
/// Of ZooKeeper's digest of the tree, which [`State::digest`] is.
const DIGEST_VERSION: i32 = 2;
/// What a znode takes beside its path and its data.
const ZNODE_BYTES: usize = 4 + 4 + 8 + 60;
/// What a session takes.
const SESSION_BYTES: usize = 8 + 4;
/// What the rest takes, but for long lists of ACLs.
const REST_BYTES: usize = 64 * 1024;
/// Stands for `world:anyone` with all permissions.
const OPEN_ACL: i64 = -1;
/// Ends the list of znodes, and each seal.
const END: &str = "/";

/// The file's bytes.
pub(crate) fn of_state(state: &State) -> Vec<u8> {
    let mut nodes = Writer::default();
    let data_bytes = usize::try_from(state.approximate_data_size()).unwrap_or_default();
    let znodes = usize::try_from(state.node_count()).unwrap_or_default();
    // In one piece from the first, or it would be there twice when it grows.
    let sessions_bytes = state.session_count() * SESSION_BYTES;
    nodes.bytes.reserve(data_bytes + znodes * ZNODE_BYTES + sessions_bytes + REST_BYTES);
    let mut lists: BTreeMap<i64, AclView> = BTreeMap::new();
    state.visit_znodes(&mut |znode| {
        let key = acl_key(znode);
        put_znode(&mut nodes, znode, key);
        if key != OPEN_ACL {
            lists.entry(key).or_insert_with(|| znode.acl.clone());
        }
    });
    let mut head = Writer::default();
    head.int(MAGIC).int(FORMAT).long(-1);
    put_sessions(&mut head, state);
    head.count(lists.len());
    for (key, list) in &lists {
        head.long(*key);
        put_acl(&mut head, list);
    }
    let mut file = nodes;
    file.bytes.splice(0..0, head.bytes);
    file.text(END);
    file.seal();
    let zxid = state.last_zxid().0;
    file.long(zxid).int(DIGEST_VERSION).long(state.digest().cast_signed());
    file.seal();
    file.long(zxid);
    file.seal();
    file.bytes
}

fn acl_key(znode: &Znode<'_>) -> i64 {
    match znode.acl {
        AclView::Open => OPEN_ACL,
        AclView::List(_) => i64::from(znode.acl_id),
    }
}

fn put_sessions(file: &mut Writer, state: &State) {
    file.count(state.session_count());
    for (id, session) in state.sessions() {
        file.long(id.0).int(session.timeout_ms);
    }
}

fn put_acl(file: &mut Writer, list: &AclView) {
    let open = [AclEntry { perms: Permissions::ALL, scheme: "world", id: "anyone" }];
    let entries: Vec<AclEntry<'_>> = match list {
        AclView::Open => open.to_vec(),
        AclView::List(list) => list.iter().collect(),
    };
    file.count(entries.len());
    for AclEntry { perms, scheme, id } in entries {
        file.int(perms.0).text(scheme).text(id);
    }
}

fn put_znode(file: &mut Writer, znode: &Znode<'_>, acl: i64) {
    file.text(znode.path);
    match znode.data {
        Some(data) => file.buffer(data),
        None => file.int(-1),
    };
    file.long(acl);
    file.long(znode.czxid.0).long(znode.mzxid.0).long(znode.ctime.0).long(znode.mtime.0);
    file.int(znode.version).int(znode.children_created).int(znode.aversion);
    file.long(znode.owner).long(znode.pzxid.0);
}

/// Bytes, and the Adler-32 of those that were sealed.
struct Writer {
    bytes: Vec<u8>,
    summed: usize,
    sum: (u32, u32),
}

impl Default for Writer {
    fn default() -> Self {
        Self { bytes: Vec::new(), summed: 0, sum: (1, 0) }
    }
}

impl Writer {
    fn int(&mut self, value: i32) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn long(&mut self, value: i64) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn count(&mut self, count: usize) -> &mut Self {
        self.int(i32::try_from(count).expect("nothing in the state has 2^31 parts"))
    }

    fn buffer(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len());
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.buffer(text.as_bytes())
    }

    /// Appends the checksum of everything so far.
    fn seal(&mut self) {
        self.sum = adler32(self.sum, &self.bytes[self.summed..]);
        self.summed = self.bytes.len();
        let (low, high) = self.sum;
        self.long(i64::from(high << 16 | low)).text(END);
    }
}

/// Goes on with a checksum whose halves are `low` and `high`.
fn adler32((mut low, mut high): (u32, u32), bytes: &[u8]) -> (u32, u32) {
    const MODULUS: u32 = 65_521;
    // As many as can be added before a sum overflows.
    const CHUNK: usize = 5552;
    for chunk in bytes.chunks(CHUNK) {
        for byte in chunk {
            low += u32::from(*byte);
            high += low;
        }
        (low, high) = (low % MODULUS, high % MODULUS);
    }
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_adler_32() {
        let (low, high) = adler32((1, 0), b"Wikipedia");
        assert_eq!(high << 16 | low, 0x11E6_0398);
        let long = vec![0xff; 100_000];
        let at_once = adler32((1, 0), &long);
        let in_parts = long.chunks(777).fold((1, 0), adler32);
        assert_eq!(at_once, in_parts);
    }

    /// Byte for byte what a fresh ZooKeeper has, up to the digest.
    #[test]
    fn an_empty_tree() {
        let file = of_state(&State::new());
        assert!(file.starts_with(b"ZKSN\0\0\0\x02\xff\xff\xff\xff\xff\xff\xff\xff"));
        assert!(file.ends_with(b"\0\0\0\x01/"));
        let parts = [&b"\0\0\0\x0a/zookeeper"[..], b"\0\0\0\x11/zookeeper/config"];
        for part in parts {
            assert!(file.windows(part.len()).any(|window| window == part));
        }
    }
}
