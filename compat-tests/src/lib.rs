//! Black-box tests against real clients and a real ZooKeeper.

pub mod ensemble;
pub mod load;
pub mod oracle;
pub mod prerequisites;
pub mod proxy;
pub mod raw;
pub mod script;
pub mod server;
pub mod writer;
