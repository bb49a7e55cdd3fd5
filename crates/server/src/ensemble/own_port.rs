//! Where this server's clients are served, when a reconfig changes that.

use raft_log::Status;
use tokio::sync::watch;

use super::{Ensemble, new_members::client_address};
use crate::config::ClientAddress;

/// Watches this server's own line in the configuration.
#[derive(Debug)]
pub(crate) struct OwnPort {
    status: watch::Receiver<Status>,
    node: u64,
    known: Option<ClientAddress>,
}

impl Ensemble {
    /// A watch on the own line, of which `known` is what the configuration file says.
    pub(crate) fn own_port(&self, known: Option<ClientAddress>) -> OwnPort {
        OwnPort { status: self.log.status(), node: self.log.origin().node, known }
    }
}

impl OwnPort {
    /// Returns the address when the line names another one.
    pub(crate) async fn moved(&mut self) -> ClientAddress {
        loop {
            if let Some(now) = self.now().filter(|now| self.known.as_ref() != Some(now)) {
                self.known = Some(now.clone());
                return now;
            }
            if self.status.changed().await.is_err() {
                // The log has ended, and so will everything else.
                std::future::pending::<()>().await;
            }
        }
    }

    fn now(&mut self) -> Option<ClientAddress> {
        let status = self.status.borrow_and_update();
        let mut members = status.members.members.iter();
        let own = members.find(|member| member.node == self.node && member.shown)?;
        if status.members.changing { None } else { client_address(&own.server) }
    }
}
