//! Sockets, tasks and wiring: everything that touches the world.
//!
//! [`start`] brings a server up from its [`config::Config`] and gives back a [`Running`]
//! one. What requests mean is in `session`, what they do is in `tree`, what makes them
//! durable is in `raft-log` and `store`; here is who runs when, and on which socket.

pub mod admin;
mod clock;
pub mod config;
mod connection_task;
mod conversation;
mod core;
mod damaged;
mod disk_watch;
mod ensemble;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod leader_duties;
mod link;
mod links;
mod listener;
mod liveness;
mod local_sessions;
pub mod logging;
mod machine;
mod measured;
mod observe;
pub mod recovery;
mod running;
mod service;
#[cfg(test)]
mod testing;

pub use ensemble::StateDiffers;
pub use running::{Ended, Running, ServerError, start};
