//! Asking the leader: how far one must have applied, and how far the members are.

use std::time::Duration;

use openraft::{Instant as _, async_runtime::WatchReceiver};
use tokio::time::{Instant, sleep};

use super::{Lag, PeerRef, Role, Shared, calls::leader_read_index};
use crate::{generated::peer as wire, peer::Kind, types::Member};

/// How long the leader may take to learn that it still leads.
const READ_INDEX_MAX: Duration = Duration::from_secs(3);
/// How long to wait before a leader is asked again.
const READ_INDEX_PAUSE: Duration = Duration::from_millis(20);

impl Shared {
    /// Up to where must be applied to be up to date; none if there is no leader that knows
    /// for some seconds.
    pub(crate) async fn read_index(&self) -> Option<u64> {
        let since = Instant::now();
        while since.elapsed() < READ_INDEX_MAX {
            let role = self.status.borrow().role;
            let index = match role {
                Role::Leading => leader_read_index(self).await,
                Role::Joining | Role::Looking => None,
                Role::Following | Role::Observing => self.leaders_read_index().await,
            };
            if index.is_some() {
                return index;
            }
            sleep(READ_INDEX_PAUSE).await;
        }
        None
    }

    /// What the leader, another server, says one must have applied to be up to date.
    async fn leaders_read_index(&self) -> Option<u64> {
        let link = self.link_to_leader()?;
        let answer = link.call(Kind::ReadIndex, &wire::Ask { reserved: 0 }, READ_INDEX_MAX).await;
        let answer = answer.ok()?;
        let reply: wire::ReadIndexReply = answer.record().ok()?;
        reply.known.then_some(reply.index.cast_unsigned())
    }

    pub(crate) fn lags(&self) -> Vec<Lag> {
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched();
        let (Some(replication), Some(heard)) = (&metrics.replication, &metrics.heartbeat) else {
            return Vec::new();
        };
        let lag = |(node, member): (&u64, &Member)| Lag {
            peer: PeerRef { node: *node, server_id: member.server_id },
            matched: replication.get(node).and_then(|at| at.as_ref().map(|at| at.index)),
            heard: heard.get(node).and_then(|at| at.map(|at| at.elapsed())),
        };
        metrics.membership_config.membership().nodes().map(lag).collect()
    }
}
