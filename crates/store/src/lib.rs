//! The log and the checkpoint on RocksDB.
