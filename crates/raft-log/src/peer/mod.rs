//! The protocol between servers: frames, the handshake, and lanes that do not wait for
//! each other. `jute-schemas/peer.jute` has the messages.

pub(crate) mod accept;
pub(crate) mod appends;
pub(crate) mod convert;
pub(crate) mod frame;
mod handshake;
mod kind;
mod lane;
pub(crate) mod link;

pub use handshake::PeerError;
pub(crate) use handshake::{Identity, Session, VERSIONS, Wanted, dial, welcome};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use handshake::{MAGIC, greet};
pub(crate) use kind::Kind;
pub(crate) use lane::Lane;
