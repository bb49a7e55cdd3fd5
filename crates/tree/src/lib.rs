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

mod acl;
mod apply;
mod checkpoint;
mod command;
mod ids;
mod nodes;
mod outcome;
mod path;
mod query;
mod sessions;
mod stat;
mod state;

pub use acl::AclList;
pub use checkpoint::{Cut, CutSink, LoadError, Loader};
pub use command::{
    AclEntry, Batch, Command, CommandFlags, CreateMode, Former, Identity, Op, OriginId, Permissions,
};
pub use ids::{Millis, Owner, SessionId, Zxid};
pub use outcome::{AclView, Change, ChangeKind, MultiOutcome, Outcome, Reject, Reply};
pub use query::{Answer, Query};
pub use sessions::Session;
pub use stat::Stat;
pub use state::{State, Znode};
