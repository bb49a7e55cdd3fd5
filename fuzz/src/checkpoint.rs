//! The keys and values of a checkpoint, from a disk or another server: what loads is a whole
//! state, and comes back as it was when it is written again.
//!
//! The input is a list of keys and payloads; checksums are put to them here, and the sums in
//! the meta record are mended, so that the fuzzer gets past them.

use std::collections::BTreeMap;

use tree::{
    AclEntry, Command, CommandFlags, CreateMode, Identity, LoadError, Loader, Millis, Op, Owner,
    Permissions, SessionId, State,
};

use crate::{
    Seed,
    input::{Input, put_bytes},
    states::{same, written},
};

/// The highest place of a znode, or of an ACL, that the fuzzer may use.
const PLACE_MAX: u32 = 4095;

/// Keys and values, as a store has them.
type Stored = BTreeMap<Vec<u8>, Vec<u8>>;

/// The key of what there is one of, and where its sums are: behind the version, the zxid and
/// the term.
const META: &[u8] = b"m";
const NODES_AT: usize = 17;
const DIGEST_AT: usize = 25;

/// Loads, writes, and loads again.
///
/// # Panics
/// When a state that was loaded cannot be written, read or compared.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let mut payloads = Stored::new();
    while !input.is_empty() {
        let key = input.bytes().to_vec();
        // A state has room for every place up to the highest, and must: after much was deleted
        // few may be left at high ones. Who writes checkpoints is trusted with that.
        if matches!(key.first(), Some(b'n' | b'a')) && key[1..] > PLACE_MAX.to_be_bytes()[..] {
            return;
        }
        payloads.insert(key, input.bytes().to_vec());
    }
    let Some(mut state) = loaded(&mut payloads) else { return };
    let stored = written(&mut state);
    same(&state, &stored);
    // And it goes on: a client can do with it what clients do.
    for op in ops() {
        let command = command(op);
        let _ = state.apply(Millis(9), &command);
    }
    let stored = written(&mut state);
    same(&state, &stored);
}

/// The state, with its sums mended once each.
fn loaded(payloads: &mut Stored) -> Option<State> {
    for _ in 0..3 {
        match load(payloads) {
            Ok(state) => return Some(state),
            Err(LoadError::NodeCount { found, .. }) => mend(payloads, NODES_AT, found)?,
            Err(LoadError::Digest { found, .. }) => mend(payloads, DIGEST_AT, found)?,
            Err(
                LoadError::UnknownKey { .. }
                | LoadError::Value { .. }
                | LoadError::Duplicate { .. }
                | LoadError::NoMeta
                | LoadError::Node { .. },
            ) => return None,
        }
    }
    None
}

fn load(payloads: &Stored) -> Result<State, LoadError> {
    let mut loader = Loader::new();
    for (key, payload) in payloads {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(key);
        hasher.update(payload);
        let value = [payload, &hasher.finalize().to_be_bytes()[..]].concat();
        loader.load(key, &value)?;
    }
    loader.finish()
}

fn mend(payloads: &mut Stored, at: usize, sum: u64) -> Option<()> {
    let meta = payloads.get_mut(META)?;
    meta.get_mut(at..at + 8)?.copy_from_slice(&sum.to_be_bytes());
    Some(())
}

fn command(op: Op<'static>) -> Command<'static> {
    Command {
        session: SessionId(1),
        owner: Owner(1),
        xid: 0,
        flags: CommandFlags::SCHEME_DIGEST.with(CommandFlags::ENFORCE_QUOTA),
        identities: vec![Identity { scheme: "ip", id: "127.0.0.1" }],
        op,
    }
}

fn ops() -> Vec<Op<'static>> {
    let acl = || Some(vec![AclEntry { perms: Permissions::ALL, scheme: "world", id: "anyone" }]);
    let create = |path, mode| Op::Create { path, data: Some(b"d"), acl: acl(), mode };
    vec![
        Op::OpenSession { timeout_ms: 4000 },
        create("/a", CreateMode::Persistent),
        create("/a/e-", CreateMode::EphemeralSequential),
        create("/a/c", CreateMode::Container),
        create("/a/t", CreateMode::PersistentWithTtl { ttl_ms: 7 }),
        create("/zookeeper/quota/a", CreateMode::Persistent),
        Op::Create {
            path: "/zookeeper/quota/a/zookeeper_limits",
            data: Some(b"count=5,bytes=100"),
            acl: acl(),
            mode: CreateMode::Persistent,
        },
        Op::SetData { path: Some("/a"), data: None, version: -1 },
        Op::SetAcl {
            path: Some("/a/c"),
            acl: Some(vec![AclEntry { perms: Permissions(3), scheme: "ip", id: "10.0.0.0/8" }]),
            version: -1,
        },
        Op::Delete { path: "/a/t", version: -1 },
    ]
}

/// A fresh state, and one in which something happened.
pub fn seeds() -> Vec<Seed> {
    let mut state = State::new();
    let fresh = pieces(&written(&mut state));
    for op in ops() {
        let _ = state.apply(Millis(5), &command(op));
    }
    let used = pieces(&written(&mut state));
    vec![("fresh".to_owned(), fresh), ("used".to_owned(), used)]
}

/// Keys, and values without their checksums.
fn pieces(stored: &Stored) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in stored {
        put_bytes(&mut out, key);
        put_bytes(&mut out, &value[..value.len() - 4]);
    }
    out
}
