//! Changes one bit of one znode in the checkpoint of a server that does not run, and makes every
//! checksum fit, as if memory had been damaged before the checkpoint was written. For tests.
//!
//! `alter_checkpoint <dataDir> <path> agreeing|contradicting`
//!
//! With `agreeing` the stored digest is that of the changed state: only a comparison with other
//! servers finds it. With `contradicting` it stays as it was: the server finds it when it starts.
//!
//! What is written where stands in `docs/formats.md` and `crates/tree/src/checkpoint/format.rs`.

#![expect(clippy::unwrap_used, reason = "what is not as expected should say where")]

use std::{collections::BTreeMap, env, path::Path};

use rocksdb::{DB, IteratorMode, Options, WriteOptions};

/// Of the fields of a znode, behind version byte, parent and kind.
const FIELDS: usize = 6;
/// Of its name's length.
const NAME: usize = 70;
/// Of the digest in what there is one of.
const DIGEST: usize = 25;

/// A znode as it is stored.
struct Stored {
    parent: u32,
    name: String,
    key: Box<[u8]>,
    /// Without the checksums before and behind it.
    value: Vec<u8>,
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let [_, data_dir, path, how] = &arguments[..] else { panic!("three arguments") };
    assert!(["agreeing", "contradicting"].contains(&how.as_str()), "{how}");
    let folder = Path::new(data_dir).join("rookery/checkpoint");
    let db = DB::open(&Options::default(), folder).unwrap();
    let mut nodes = BTreeMap::new();
    for item in db.iterator(IteratorMode::Start) {
        let (key, sealed) = item.unwrap();
        if let Some(slot) = key.strip_prefix(b"sn") {
            let value = sealed[4..sealed.len() - 4].to_vec();
            let name = text_at(&value, NAME);
            let parent = number_at(&value, 1);
            let slot = u32::from_be_bytes(slot.try_into().unwrap());
            nodes.insert(slot, Stored { parent, name, key, value });
        }
    }
    let slots: Vec<u32> = nodes.keys().copied().collect();
    let slot = slots.into_iter().find(|slot| path_of(&nodes, *slot) == *path);
    let slot = slot.unwrap_or_else(|| panic!("no {path} in the checkpoint"));
    let before = digest(&nodes, slot);
    let node = nodes.get_mut(&slot).unwrap();
    *node.value.last_mut().unwrap() ^= 1;
    let after = digest(&nodes, slot);
    put(&db, &nodes[&slot].key, &nodes[&slot].value);
    if how == "agreeing" {
        let sealed = db.get(b"sm").unwrap().unwrap();
        let mut meta = sealed[4..sealed.len() - 4].to_vec();
        let stored = u64::from_be_bytes(meta[DIGEST..DIGEST + 8].try_into().unwrap());
        let changed = stored.wrapping_sub(u64::from(before)).wrapping_add(u64::from(after));
        meta[DIGEST..DIGEST + 8].copy_from_slice(&changed.to_be_bytes());
        put(&db, b"sm", &meta);
    }
    db.flush().unwrap();
}

fn number_at(value: &[u8], place: usize) -> u32 {
    u32::from_be_bytes(value[place..place + 4].try_into().unwrap())
}

fn text_at(value: &[u8], place: usize) -> String {
    let length = usize::try_from(number_at(value, place)).unwrap();
    String::from_utf8(value[place + 4..place + 4 + length].to_vec()).unwrap()
}

/// Empty for the root.
fn path_of(nodes: &BTreeMap<u32, Stored>, slot: u32) -> String {
    let node = &nodes[&slot];
    if node.name.is_empty() {
        return String::new();
    }
    format!("{}/{}", path_of(nodes, node.parent), node.name)
}

/// As `crates/tree/src/nodes/digest.rs` has it, for a persistent znode with data.
fn digest(nodes: &BTreeMap<u32, Stored>, slot: u32) -> u32 {
    let value = &nodes[&slot].value;
    assert_eq!(value[5], 0, "a persistent znode");
    let data = NAME + 4 + nodes[&slot].name.len();
    assert_eq!(value[data], 1, "with data");
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(path_of(nodes, slot).as_bytes());
    hasher.update(text_bytes(value, data + 1));
    // Five times and zxids, three versions, and an owner, which lies between them when stored.
    hasher.update(&value[FIELDS..FIELDS + 40]);
    hasher.update(&value[FIELDS + 48..FIELDS + 60]);
    hasher.update(&[0; 8]);
    hasher.finalize()
}

fn text_bytes(value: &[u8], place: usize) -> &[u8] {
    let length = usize::try_from(number_at(value, place)).unwrap();
    let bytes = &value[place + 4..place + 4 + length];
    assert!(!bytes.is_empty() && place + 4 + length == value.len(), "data at the end");
    bytes
}

/// Stores a value with both of its checksums.
fn put(db: &DB, key: &[u8], value: &[u8]) {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&key[1..]);
    hasher.update(value);
    let inner = [value, &hasher.finalize().to_be_bytes()].concat();
    let outer = crc32c::crc32c_append(crc32c::crc32c(key), &inner);
    let mut options = WriteOptions::default();
    options.disable_wal(true);
    db.put_opt(key, [&outer.to_be_bytes(), &inner[..]].concat(), &options).unwrap();
}
