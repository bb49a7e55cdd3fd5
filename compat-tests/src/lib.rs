//! Black-box tests against real clients and a real ZooKeeper.

pub mod at_work;
pub mod client_programs;
pub mod control;
pub mod digests;
pub mod ensemble;
pub mod faults;
pub mod hosts;
pub mod http;
pub mod load;
pub mod masked;
pub mod oracle;
pub mod prerequisites;
pub mod proxy;
pub mod random;
pub mod raw;
pub mod recorder;
pub mod script;
pub mod server;
pub mod small_disk;
pub mod systems;
pub mod writer;
