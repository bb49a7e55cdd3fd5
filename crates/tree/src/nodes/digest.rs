//! The digest of a znode, by ZooKeeper's formula: the CRC-32 of its path (the root's
//! being empty), its data, and 60 bytes of its fields. The digest of the tree is the
//! wrapping sum over all znodes but those below `/zookeeper/`.

use crc32fast::Hasher;

use super::slot::Slot;

/// The checksum of a child's path, from its parent's.
pub(crate) fn path_crc(parent_crc: u32, name: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(parent_crc);
    hasher.update(b"/");
    hasher.update(name);
    hasher.finalize()
}

/// The checksum of path and data.
pub(crate) fn body_crc(path_crc: u32, data: &[u8]) -> u32 {
    if data.is_empty() {
        return path_crc;
    }
    let mut hasher = Hasher::new_with_initial(path_crc);
    hasher.update(data);
    hasher.finalize()
}

/// What the znode adds to the tree's digest; its `body_crc` must be current.
pub(crate) fn slot_digest(slot: &Slot) -> u32 {
    if slot.hidden {
        return 0;
    }
    let mut hasher = Hasher::new_with_initial(slot.body_crc);
    hasher.update(&field_bytes(slot));
    hasher.finalize()
}

fn field_bytes(slot: &Slot) -> [u8; 60] {
    let fields = &slot.fields;
    let mut bytes = [0; 60];
    let longs = [fields.czxid.0, fields.mzxid.0, fields.pzxid.0, fields.ctime.0, fields.mtime.0];
    for (place, long) in bytes[..40].chunks_exact_mut(8).zip(longs) {
        place.copy_from_slice(&long.to_be_bytes());
    }
    let ints = [fields.version, fields.children_created, fields.aversion];
    for (place, int) in bytes[40..52].chunks_exact_mut(4).zip(ints) {
        place.copy_from_slice(&int.to_be_bytes());
    }
    bytes[52..].copy_from_slice(&slot.encoded_owner().to_be_bytes());
    bytes
}
