//! One client's conversation and who watches what, without IO.
//!
//! What is here is local to the server that holds the client's socket: what a request
//! means ([`from_wire`]), how it is answered ([`answer`], [`to_wire`]), who the client is
//! ([`auth`]), what it watches ([`watch`]), whether it is still alive ([`ExpiryQueue`]),
//! and in which order its replies leave ([`Lane`]). The replicated facts about sessions
//! (that one exists, its timeout, its owner, its ephemerals) are in `tree`.
//!
//! Nothing here touches a socket, a clock, a lock or a task: bytes, times and the state
//! come in as arguments, bytes and decisions go out as values.

pub mod auth;
mod expiry;
pub mod watch;

pub use auth::{AuthConfig, AuthFailed, Identities, SessionIds, session_password};
pub use expiry::ExpiryQueue;
pub use watch::{
    AddWatchMode, WatchLimitReached, WatchLimits, WatchSummary, WatchTable, WatcherId, WatcherType,
};
