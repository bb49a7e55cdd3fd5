//! A cluster of the real replication and the real tree in one process, in simulated time, from
//! one seed: every run of a seed is the same, bit by bit.
//!
//! Simulated are what lies behind the traits of `raft-log`: [`disk`]s that lose what was not
//! synced, and a [`net`]work that delays, cuts and breaks; and the tasks around the real sessions,
//! lanes and watches ([`server`]). [`run`] lets [`client`]s work while servers crash, links are
//! cut and disks are slow, then ends all faults and demands that the cluster serves again. What
//! must hold all the while is in [`checks`] and [`history`].
//!
//! The bugs in `bugs` are put back by `cargo xtask sim --bug all`, to see them caught.

pub mod chance;
pub mod checks;
pub mod client;
pub mod clock;
pub mod cluster;
pub mod disk;
pub mod history;
pub mod net;
mod operator;
mod run;
pub mod server;

pub use run::{IS_REPEATABLE, Outcome, Plan, run};
