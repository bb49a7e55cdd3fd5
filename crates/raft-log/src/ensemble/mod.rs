//! What makes several servers one: who belongs to it, who leads, and what they say to each
//! other besides the log.

mod asking;
mod calls;
mod change;
mod contact;
mod founding;
mod joining;
mod lost_leader;
mod members;
mod message;
mod others;
mod plan;
mod report;
mod shared;
mod status;

pub use change::{ChangeError, MemberChange};
pub use members::{MemberView, Members, ServerSpec};
pub use message::{FromPeer, PeerMessage};
pub use others::{NotServing, Others};
pub use report::{MemberReport, Report};
pub use status::{Lag, PeerRef, Role, Status};

pub(crate) use calls::answer;
pub(crate) use change::{ensure_joint_ends, hand_over_locally};
pub(crate) use contact::Contact;
pub(crate) use founding::{found_or_join, stand_in};
pub(crate) use lost_leader::suspect;
pub(crate) use plan::progress;
pub(crate) use shared::{Kept, MESSAGES_MAX, Own, Shared, ThisRaft};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use {change::read_change, joining::read_member};

use std::sync::Arc;

use crate::transport::Transport;

/// What a server of an ensemble is told about the others when it starts.
#[derive(Clone, Debug)]
pub struct EnsembleConfig {
    /// All servers of the configuration, this one too. Once there is a cluster its own
    /// members count; until then these are asked.
    pub servers: Vec<ServerSpec>,
    /// Where peers reach this server, `host:port`.
    pub listen: String,
    /// How often that port is tried at the start, a second apart; 0: until it can be had. A
    /// server's own name may not resolve yet.
    pub listen_attempts: u32,
    /// Whether this server may found a cluster with others that are empty as well.
    pub may_found: bool,
    /// The network.
    pub transport: Arc<dyn Transport>,
}
