//! Servers that replicate to each other over real sockets, killed and started again, cut off
//! and wiped: nothing is lost, nothing applied twice, and all end up with the same state.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod catching_up;
mod chaos;
mod disk;
mod elections;
mod forwarding;
mod members;
mod network;
mod others;
mod partitions;
mod support;
