//! Whether the other servers of an ensemble serve without this one, which does not run.
//!
//! For a server that is about to give up its data: nothing is lost by that only while a majority
//! has everything, and nobody can take it in again without one. It asks as a stranger would, in
//! no cluster and under a node id that nobody has, for what changes nothing where it is
//! answered. Since it is no member under that id, whoever counts a quorum counts one without it.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use thiserror::Error;

use super::{
    ServerSpec,
    founding::{Seen, probe_one},
};
use crate::{
    generated::peer as wire,
    peer::{Identity, Kind, PeerError, Wanted, link::Links},
    transport::Transport,
};

/// How long the leader may take to hear from a quorum; it gives up sooner than this.
const QUORUM_PATIENCE: Duration = Duration::from_secs(2);

/// The other servers of a configuration, as a server sees them that does not run.
pub struct Others {
    server_id: i64,
    servers: Vec<ServerSpec>,
    links: Links,
}

impl fmt::Debug for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Others").field("server_id", &self.server_id).finish_non_exhaustive()
    }
}

/// Why the others do not serve without this server, as far as it can tell.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotServing {
    /// Too few of them answer, or they do not agree.
    #[error("{needed} voters are needed that follow the same leader: {}", answers.join("; "))]
    NoMajority {
        /// More than half of all voters of the configuration, this server among them.
        needed: usize,
        /// What each of the others says, by its number.
        answers: Vec<String>,
    },
    /// The leader that they name does not say that a quorum answers it.
    #[error("server.{leader} led them, and does not know of a quorum now: {why}")]
    NoQuorum {
        /// The number of its server.
        leader: i64,
        /// What it says, or why it says nothing.
        why: String,
    },
}

impl Others {
    /// Those that the server of this number shares a configuration with; it may be among
    /// `servers`, as in [`super::EnsembleConfig`]. Nobody is asked yet.
    pub fn new(server_id: i64, servers: Vec<ServerSpec>, transport: Arc<dyn Transport>) -> Self {
        // Nodes that are drawn have this bit as well; no node is drawn twice.
        let node = rand::random::<u64>() | 1 << 63;
        let own = Identity { cluster: 0, node, incarnation: 0, server: server_id };
        let links = Links::new(transport, Arc::new(move || own));
        Self { server_id, servers, links }
    }

    /// Asks them. It is well if more than half of all voters of the configuration, without this
    /// server, answer now, belong to one cluster and name the same leader; and if that leader
    /// hears from a quorum now. (One that the configuration does not name cannot be asked; the
    /// word of the majority has to do.) Takes some seconds when they do not answer.
    ///
    /// # Errors
    /// [`NotServing`], for people to read.
    pub async fn serve(&self) -> Result<(), NotServing> {
        let leader = self.majoritys_leader().await?;
        match self.servers.iter().find(|server| server.server_id == leader) {
            Some(server) => {
                let no = |why: String| NotServing::NoQuorum { leader, why };
                let quorum = self.has_quorum(server).await;
                let quorum = quorum.map_err(|error| no(error.to_string()))?;
                if quorum { Ok(()) } else { Err(no("no quorum answers it".to_owned())) }
            }
            None => Ok(()),
        }
    }

    /// The number of the server that leads, as more than half of all voters say.
    async fn majoritys_leader(&self) -> Result<i64, NotServing> {
        let voters = self.servers.iter().filter(|server| server.votes);
        let needed = voters.clone().count() / 2 + 1;
        let asked: FuturesUnordered<_> = voters
            .filter(|server| server.server_id != self.server_id)
            .map(|server| async { (server.server_id, probe_one(&self.links, server).await) })
            .collect();
        let mut answers: Vec<(i64, Result<Seen, PeerError>)> = asked.collect().await;
        answers.sort_by_key(|(server_id, _)| *server_id);
        let mut following = BTreeMap::<(u64, i64), usize>::new();
        for (_, answer) in &answers {
            if let Ok(seen) = answer
                && self.follows_another(seen)
            {
                *following.entry((seen.cluster, seen.leader)).or_default() += 1;
            }
        }
        let agreed = following.into_iter().find(|(_, count)| *count >= needed);
        agreed.map(|((_, leader), _)| leader).ok_or_else(|| {
            let answers = answers.iter().map(|(server, answer)| self.describe(*server, answer));
            NotServing::NoMajority { needed, answers: answers.collect() }
        })
    }

    /// Whether it belongs to a cluster that has a leader. This server is none any more; who
    /// takes it for one has not noticed yet.
    fn follows_another(&self, seen: &Seen) -> bool {
        seen.cluster != 0 && seen.leader >= 0 && seen.leader != self.server_id
    }

    fn describe(&self, server: i64, answer: &Result<Seen, PeerError>) -> String {
        match answer {
            Err(error) => format!("server.{server}: {error}"),
            Ok(seen) if seen.cluster == 0 => format!("server.{server} belongs to no cluster"),
            Ok(seen) if seen.leader < 0 => format!("server.{server} has no leader"),
            Ok(seen) if seen.leader == self.server_id => {
                format!("server.{server} takes this server for the leader")
            }
            Ok(Seen { cluster, leader, .. }) => {
                format!("server.{server} follows server.{leader} in cluster {cluster:016x}")
            }
        }
    }

    /// Whether that server leads and a quorum answers it, asked after this question came.
    async fn has_quorum(&self, server: &ServerSpec) -> Result<bool, PeerError> {
        let link = self.links.to(Wanted::Server(server.server_id), &server.addresses);
        let answer = link.call(Kind::ReadIndex, &wire::Ask { reserved: 0 }, QUORUM_PATIENCE);
        let answer = answer.await?;
        let reply: wire::ReadIndexReply = answer.record()?;
        Ok(reply.known)
    }
}
