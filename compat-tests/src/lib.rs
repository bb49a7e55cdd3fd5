//! Black-box tests against real clients and a real ZooKeeper.

pub mod oracle;
pub mod raw;
pub mod script;
