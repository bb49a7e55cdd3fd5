//! What a client may ask about a znode besides its data, as the wire shows it.

use crate::ids::{Millis, SessionId, Zxid};

/// A znode's statistics in the form that clients see.
///
/// Not the stored form: `cversion` and `ephemeral_owner` are derived (see the fields).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Zxid of the transaction that created the znode.
    pub czxid: Zxid,
    /// Zxid of the creation or the last `setData`.
    pub mzxid: Zxid,
    /// When it was created.
    pub ctime: Millis,
    /// When its data was last set.
    pub mtime: Millis,
    /// Data version: 0 at creation, one more per `setData`, wrapping.
    pub version: i32,
    /// Compat(cversion): 2 × (children ever created) − (children now), as ZooKeeper computes it.
    pub cversion: i32,
    /// ACL version: 0 at creation, one more per `setACL`, wrapping.
    pub aversion: i32,
    /// The owning session of an ephemeral; 0 for every other kind, containers and TTL included.
    pub ephemeral_owner: SessionId,
    /// Length of the data in bytes; 0 for null data.
    pub data_length: i32,
    /// Number of direct children.
    pub num_children: i32,
    /// Zxid of the last creation or deletion of a direct child; `czxid` before any.
    pub pzxid: Zxid,
}
