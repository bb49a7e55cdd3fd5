//! One client's conversation and who watches what, without IO.
//!
//! What is here is local to the server that holds the client's socket: what a request
//! means ([`from_wire`]), how it is answered ([`answer_local`], [`to_wire`]), who the
//! client is ([`auth`]), what it watches ([`watch`]) and whether it is still alive
//! ([`ExpiryQueue`], [`Vigil`]). The replicated facts about sessions (that one exists, its
//! timeout, its owner, its ephemerals) are in `tree`.
//!
//! Nothing here touches a socket, a clock, a lock or a task: bytes, times and the state
//! come in as arguments, bytes and decisions go out as values.

mod action;
mod answer;
mod attaching;
pub mod auth;
mod expiry;
pub mod from_wire;
pub mod handshake;
pub mod lane;
mod local;
mod publish;
mod read_only;
mod reply_sizes;
#[cfg(test)]
mod testing;
pub mod to_wire;
mod vigil;
pub mod watch;
mod wire_error;

pub use action::{
    Action, After, ElementShape, HeaderZxid, Local, MultiRead, Read, ReadWatch, Reconfig, Refusal,
    ReplyShape, SetWatches, Settings, StatPart,
};
pub use answer::{Asker, Reader, WatchAccess, answer_frame, answer_local, refuse};
pub use attaching::{Attaching, former_owner};
pub use auth::{AuthConfig, AuthFailed, Identities, SessionIds, session_password};
pub use expiry::ExpiryQueue;
pub use from_wire::Parsed;
pub use lane::{Delivery, Lane};
pub use local::{LocalSession, LocalSessions};
pub use publish::{Connections, Published};
pub use read_only::needs_quorum;
pub use reply_sizes::ReplySizes;
pub use vigil::{Sight, Vigil};
pub use watch::{
    AddWatchMode, WatchLimitReached, WatchLimits, WatchSummary, WatchTable, WatcherId, WatcherType,
};
pub use wire_error::{WireError, wire_error};
