//! ZooKeeper's client protocol as types.
