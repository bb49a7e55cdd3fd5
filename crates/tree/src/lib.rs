//! The replicated state machine: znodes, sessions, and every rule about them.
//!
//! What is here is the same on every server of an ensemble: [`State::apply`] takes
//! one [`Command`] from the log and changes the state; [`State::query`] reads it.
//! Both are pure: no clock, no randomness, no configuration, no iteration in hash
//! order. Whatever differs between servers was decided by the proposer and written
//! into the command.
//!
//! What is not here: the wire (`proto`, `session`), the log (`raft-log`), who is
//! connected and who watches (`session`), and any IO.

mod command;
mod ids;
mod outcome;
mod query;
mod stat;

pub use command::{
    AclEntry, Batch, Command, CommandFlags, CreateMode, Identity, Op, OriginId, Permissions,
};
pub use ids::{Millis, Owner, SessionId, Zxid};
pub use outcome::{AclView, Change, ChangeKind, MultiOutcome, Outcome, Reject, Reply};
pub use query::{Answer, Query};
pub use stat::Stat;
