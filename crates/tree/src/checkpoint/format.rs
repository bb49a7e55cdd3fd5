//! Keys and values of the checkpoint, byte by byte.
//!
//! A key is one byte for the kind and the id, big-endian. A value is a version byte, the
//! fields in the order written here (big-endian, texts and lists with a 32-bit length),
//! and the CRC-32 of key and value, so that neither bit rot nor a value under a wrong
//! key is taken for state. `docs/formats.md` gives the rules for changing this.

use std::sync::Arc;

use crate::{
    acl::{AclList, OwnedAclEntry},
    command::{OriginId, Permissions},
    ids::{Millis, Owner, SessionId, Zxid},
    nodes::{Body, Fields, Kind, NodeRef, Slot},
    sessions::Session,
};

use super::bytes::{Reader, Writer};

/// The first byte of every value.
const VERSION: u8 = 1;

/// The highest zxid of a state that is loaded: a negative one, or one so near the end that
/// nothing could follow, was never any server's.
const ZXID_STORED_MAX: i64 = i64::MAX - (1 << 31);

/// What a key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// The place of a znode.
    Node(u32),
    /// A session.
    Session(i64),
    /// An interned ACL list.
    Acl(u32),
    /// Everything there is one of.
    Meta,
}

impl Key {
    /// Its bytes, and how many of them count.
    pub(super) fn encode(self) -> KeyBytes {
        let mut out = KeyBytes { bytes: [0; 9], len: 1 };
        match self {
            Self::Node(slot) => out.put(b'n', &slot.to_be_bytes()),
            Self::Session(id) => out.put(b's', &id.to_be_bytes()),
            Self::Acl(id) => out.put(b'a', &id.to_be_bytes()),
            Self::Meta => out.put(b'm', &[]),
        }
        out
    }

    /// None for anything that [`Self::encode`] does not make.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, id) = bytes.split_first()?;
        match kind {
            b'n' => Some(Self::Node(u32::from_be_bytes(id.try_into().ok()?))),
            b's' => Some(Self::Session(i64::from_be_bytes(id.try_into().ok()?))),
            b'a' => Some(Self::Acl(u32::from_be_bytes(id.try_into().ok()?))),
            b'm' => id.is_empty().then_some(Self::Meta),
            _ => None,
        }
    }
}

/// An encoded key.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyBytes {
    bytes: [u8; 9],
    len: usize,
}

impl KeyBytes {
    fn put(&mut self, kind: u8, id: &[u8]) {
        self.bytes[0] = kind;
        self.bytes[1..=id.len()].copy_from_slice(id);
        self.len = 1 + id.len();
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// A znode out of its value.
#[derive(Debug)]
pub(super) struct StoredNode {
    pub(super) parent: NodeRef,
    pub(super) kind: Kind,
    pub(super) fields: Fields,
    pub(super) body: Body,
}

/// What there is one of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) zxid: Zxid,
    pub(crate) term: u64,
    pub(crate) nodes: u64,
    pub(crate) digest: u64,
    /// Each origin with its last sequence number.
    pub(crate) origins: Vec<(OriginId, u64)>,
}

/// The value of a place; none if it is free.
pub(crate) fn encode_node(node: NodeRef, slot: &Slot) -> Option<Box<[u8]>> {
    if slot.free {
        return None;
    }
    let fields = &slot.fields;
    let mut out = begin(100 + slot.body.name_bytes().len() + slot.body.data_or_empty().len());
    out.u32(slot.parent.0);
    out.u8(match slot.kind {
        Kind::Persistent => 0,
        Kind::Ephemeral => 1,
        Kind::Container => 2,
        Kind::Ttl => 3,
    });
    for long in [fields.czxid.0, fields.mzxid.0, fields.pzxid.0, fields.ctime.0, fields.mtime.0] {
        out.i64(long);
    }
    out.i64(fields.owner);
    for int in [fields.version, fields.children_created, fields.aversion] {
        out.i32(int);
    }
    out.u32(fields.acl);
    out.bytes(slot.body.name_bytes());
    match slot.body.data() {
        None => out.u8(0),
        Some(data) => {
            out.u8(1);
            out.bytes(data);
        }
    }
    Some(finish(out, Key::Node(node.0)))
}

pub(super) fn decode_node(input: &mut Reader<'_>) -> Option<StoredNode> {
    let parent = NodeRef(input.u32()?);
    let kind = match input.u8()? {
        0 => Kind::Persistent,
        1 => Kind::Ephemeral,
        2 => Kind::Container,
        3 => Kind::Ttl,
        _ => return None,
    };
    let fields = Fields {
        czxid: Zxid(input.i64()?),
        mzxid: Zxid(input.i64()?),
        pzxid: Zxid(input.i64()?),
        ctime: Millis(input.i64()?),
        mtime: Millis(input.i64()?),
        owner: input.i64()?,
        version: input.i32()?,
        children_created: input.i32()?,
        aversion: input.i32()?,
        acl: input.u32()?,
    };
    let name = input.text()?;
    let data = match input.u8()? {
        0 => None,
        1 => Some(input.bytes()?),
        _ => return None,
    };
    Some(StoredNode { parent, kind, fields, body: Body::new(name, data) })
}

/// The value of a session.
pub(crate) fn encode_session(id: SessionId, session: &Session) -> Box<[u8]> {
    let mut out = begin(20);
    out.i32(session.timeout_ms);
    out.u64(session.owner.0);
    finish(out, Key::Session(id.0))
}

pub(super) fn decode_session(input: &mut Reader<'_>) -> Option<Session> {
    Some(Session { timeout_ms: input.i32()?, owner: Owner(input.u64()?) })
}

/// The value of an interned list.
pub(crate) fn encode_acl(id: u32, list: &AclList) -> Box<[u8]> {
    let mut out = begin(64);
    out.len(list.entries().len());
    for entry in list.entries() {
        out.i32(entry.perms.0);
        out.bytes(entry.scheme.as_bytes());
        out.bytes(entry.id.as_bytes());
    }
    finish(out, Key::Acl(id))
}

pub(super) fn decode_acl(input: &mut Reader<'_>) -> Option<Arc<AclList>> {
    let count = input.u32()?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let perms = Permissions(input.i32()?);
        let scheme = input.text()?.into();
        let id = input.text()?.into();
        entries.push(OwnedAclEntry { perms, scheme, id });
    }
    Some(Arc::new(AclList::new(entries)))
}

pub(super) fn encode_meta(meta: &Meta) -> Box<[u8]> {
    let mut out = begin(64 + meta.origins.len() * 24);
    out.i64(meta.zxid.0);
    for long in [meta.term, meta.nodes, meta.digest] {
        out.u64(long);
    }
    out.len(meta.origins.len());
    for (origin, sequence) in &meta.origins {
        for long in [origin.node, origin.incarnation, *sequence] {
            out.u64(long);
        }
    }
    finish(out, Key::Meta)
}

pub(super) fn decode_meta(input: &mut Reader<'_>) -> Option<Meta> {
    let zxid = Some(input.i64()?).filter(|zxid| (0..=ZXID_STORED_MAX).contains(zxid))?;
    let mut meta = Meta {
        zxid: Zxid(zxid),
        term: input.u64()?,
        nodes: input.u64()?,
        digest: input.u64()?,
        origins: Vec::new(),
    };
    let count = input.u32()?;
    for _ in 0..count {
        let origin = OriginId { node: input.u64()?, incarnation: input.u64()? };
        meta.origins.push((origin, input.u64()?));
    }
    Some(meta)
}

/// Checks checksum and version; gives a reader of the fields.
pub(super) fn open<'v>(key: &[u8], value: &'v [u8]) -> Result<Reader<'v>, &'static str> {
    let (payload, stored) = value.split_last_chunk::<4>().ok_or("the value is too short")?;
    if checksum(key, payload) != u32::from_be_bytes(*stored) {
        return Err("the checksum does not match");
    }
    match payload.split_first() {
        Some((&VERSION, fields)) => Ok(Reader::new(fields)),
        Some(_) => Err("the version of the format is unknown"),
        None => Err("the value is empty"),
    }
}

fn begin(capacity: usize) -> Writer {
    let mut out = Writer::with_capacity(capacity);
    out.u8(VERSION);
    out
}

fn finish(mut out: Writer, key: Key) -> Box<[u8]> {
    let checksum = checksum(key.encode().as_slice(), out.as_slice());
    out.u32(checksum);
    out.into_boxed_slice()
}

fn checksum(key: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(payload);
    hasher.finalize()
}
