//! One znode as it lies in memory: fixed fields, and one heap block for name and data.
//!
//! No path is stored: a znode knows its parent and its own name. The checksums of its
//! path and of its path and data are kept, because the digest of a znode (see
//! `digest.rs`) starts with them and would otherwise cost a walk to the root and a pass
//! over the data whenever a child comes or goes.

use crate::{Millis, Zxid, ids::SessionId, stat::Stat};

/// Where a znode lies in the slab. Valid until the znode is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeRef(pub(crate) u32);

impl NodeRef {
    /// The root; its slot is never freed.
    pub(crate) const ROOT: Self = Self(0);
    /// No znode: the parent of the root.
    pub(crate) const NONE: Self = Self(u32::MAX);

    /// As an index.
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What decides how long a znode lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Until it is deleted.
    #[default]
    Persistent,
    /// As long as the session in [`Fields::owner`].
    Ephemeral,
    /// Reaped when its last child has gone.
    Container,
    /// Reaped when childless and unmodified for the milliseconds in [`Fields::owner`].
    Ttl,
}

/// The part of a znode that is copied when it changes within a multi.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    /// Zxid of the creation.
    pub(crate) czxid: Zxid,
    /// Zxid of the creation or the last setData.
    pub(crate) mzxid: Zxid,
    /// Zxid of the last change of the set of children.
    pub(crate) pzxid: Zxid,
    /// When it was created.
    pub(crate) ctime: Millis,
    /// When its data was last set.
    pub(crate) mtime: Millis,
    /// A session id or a TTL in milliseconds, by [`Kind`]; else 0.
    pub(crate) owner: i64,
    /// Data version.
    pub(crate) version: i32,
    /// Children ever created; the next sequence number. Saturates at `i32::MAX`.
    pub(crate) children_created: i32,
    /// ACL version.
    pub(crate) aversion: i32,
    /// Id of its ACL list in the table.
    pub(crate) acl: u32,
}

/// Name and data in one exact heap block, so that a znode costs one allocation and a slot
/// only the reference to it.
///
/// The block begins with a byte: whether the data are null, and the name's length, or that
/// the length follows in four more bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Body(Box<[u8]>);

/// In a body's first byte: the data are null, which is kept apart from empty.
const NULL_DATA: u8 = 0x80;
/// In a body's first byte: the name is as long as this or longer, and its length follows.
const LONG_NAME: u8 = 0x7f;

impl Body {
    /// Null data is kept apart from empty.
    pub(crate) fn new(name: &str, data: Option<&[u8]>) -> Self {
        let value = data.unwrap_or_default();
        let null = if data.is_none() { NULL_DATA } else { 0 };
        let short = u8::try_from(name.len()).ok().filter(|length| *length < LONG_NAME);
        let prefix = if short.is_some() { 1 } else { 5 };
        let mut bytes = Vec::with_capacity(prefix + name.len() + value.len());
        bytes.push(null | short.unwrap_or(LONG_NAME));
        if short.is_none() {
            let length = u32::try_from(name.len()).expect("a name fits a frame");
            bytes.extend_from_slice(&length.to_ne_bytes());
        }
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(value);
        Self(bytes.into_boxed_slice())
    }

    /// The last component of the path; empty for the root.
    pub(crate) fn name(&self) -> &str {
        std::str::from_utf8(self.name_bytes()).expect("a name was made from a str")
    }

    pub(crate) fn name_bytes(&self) -> &[u8] {
        self.parts().0
    }

    pub(crate) fn data(&self) -> Option<&[u8]> {
        let null = self.0.first().is_some_and(|first| first & NULL_DATA != 0);
        (!null).then(|| self.data_or_empty())
    }

    pub(crate) fn data_or_empty(&self) -> &[u8] {
        self.parts().1
    }

    fn parts(&self) -> (&[u8], &[u8]) {
        let Some((first, rest)) = self.0.split_first() else { return (&[], &[]) };
        match first & !NULL_DATA {
            LONG_NAME => {
                let (length, rest) = rest.split_first_chunk().expect("a length follows");
                rest.split_at(u32::from_ne_bytes(*length) as usize)
            }
            length => rest.split_at(usize::from(length)),
        }
    }
}

/// A place of the slab: a znode, or free.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) fields: Fields,
    pub(crate) body: Body,
    pub(crate) parent: NodeRef,
    /// Where it stands in its parent's list of children.
    pub(crate) position: u32,
    /// Its own list of children; `u32::MAX` for none.
    pub(crate) children: u32,
    /// CRC-32 of its full path, the root's being empty.
    pub(crate) path_crc: u32,
    /// CRC-32 of its full path and data.
    pub(crate) body_crc: u32,
    /// What it adds to the digest of the tree.
    pub(crate) digest: u32,
    pub(crate) kind: Kind,
    /// No znode is here.
    pub(crate) free: bool,
    /// Below `/zookeeper`: takes no part in the digest.
    pub(crate) hidden: bool,
    /// Bits of the checkpoint's bookkeeping; they belong to the place, not to the znode.
    pub(crate) marks: u8,
}

impl Slot {
    /// A place without a znode.
    pub(crate) fn vacant(marks: u8) -> Self {
        Self {
            fields: Fields::default(),
            body: Body::default(),
            parent: NodeRef::NONE,
            position: 0,
            children: u32::MAX,
            path_crc: 0,
            body_crc: 0,
            digest: 0,
            kind: Kind::Persistent,
            free: true,
            hidden: false,
            marks,
        }
    }

    /// The owner of an ephemeral.
    pub(crate) fn ephemeral_owner(&self) -> Option<SessionId> {
        (self.kind == Kind::Ephemeral).then_some(SessionId(self.fields.owner))
    }

    /// When a TTL znode may be reaped at the earliest.
    pub(crate) fn ttl_deadline(&self) -> Option<i64> {
        (self.kind == Kind::Ttl).then(|| self.fields.mtime.0.saturating_add(self.fields.owner))
    }

    /// The owner field as ZooKeeper stores it, which enters the digest.
    pub(crate) fn encoded_owner(&self) -> i64 {
        const TTL_TAG: i64 = 0xFF << 56;
        match self.kind {
            Kind::Persistent => 0,
            Kind::Ephemeral => self.fields.owner,
            Kind::Container => i64::MIN,
            Kind::Ttl => TTL_TAG | self.fields.owner,
        }
    }

    /// The Stat that clients see, given the number of children.
    pub(crate) fn stat(&self, children: usize) -> Stat {
        let num_children = i32::try_from(children).unwrap_or(i32::MAX);
        let fields = &self.fields;
        Stat {
            czxid: fields.czxid,
            mzxid: fields.mzxid,
            ctime: fields.ctime,
            mtime: fields.mtime,
            version: fields.version,
            // Compat(cversion): each create and each delete of a child raises it by one.
            cversion: fields.children_created.wrapping_mul(2).wrapping_sub(num_children),
            aversion: fields.aversion,
            ephemeral_owner: self.ephemeral_owner().unwrap_or_default(),
            data_length: i32::try_from(self.body.data_or_empty().len()).unwrap_or(i32::MAX),
            num_children,
            pzxid: fields.pzxid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_length_and_null_data_are_kept() {
        for length in [0, 1, 126, 127, 128, 255, 256, 70_000] {
            let name = "n".repeat(length);
            for data in [None, Some(&b""[..]), Some(b"data")] {
                let body = Body::new(&name, data);
                assert_eq!(body.name(), name);
                assert_eq!(body.data(), data);
            }
        }
    }

    #[test]
    fn a_slot_takes_no_more_memory_than_it_must() {
        assert_eq!(size_of::<Slot>(), 112);
    }
}
