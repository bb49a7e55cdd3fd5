//! The log and the checkpoint on RocksDB.
//!
//! Implements the disk traits of `raft-log`: [`RocksLog`] and [`RocksCheckpoints`], both
//! in a [`DataDir`] that one server at a time may use. RocksDB does not show outside.
//!
//! Two databases: the log's is written and synced for every group of entries; the
//! checkpoint's has no write-ahead log and takes in finished files, all in one step. Every value carries a
//! checksum of its own, verified when it is read. A small file beside them, the
//! [`mark`], remembers what RocksDB's recovery might silently drop.

mod checkpoint;
mod checkpoint_files;
mod data_dir;
mod error;
mod log;
mod mark;
mod options;
mod parts;
mod place;
mod set_aside;
mod value;

pub use checkpoint::RocksCheckpoints;
pub use data_dir::{DataDir, Identity};
pub use error::StoreError;
pub use log::RocksLog;
pub use place::Place;
pub use set_aside::set_aside;
