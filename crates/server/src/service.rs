//! What every task of a running server shares.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use raft_log::{Busy, Proposer};
use session::{AuthConfig, LocalSessions, SessionIds, Settings};
use tree::{Command, Owner};

use crate::{
    config::{Config, LocalSessionsMode},
    core::{Awaiting, Core},
    ensemble::{Ensemble, OwnPort, Serving},
    link::Link,
};

/// Why a server may start things by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mandate {
    /// There is no other.
    StandsAlone,
    /// It leads the others.
    Leads {
        /// In which term.
        term: u64,
    },
}

impl Mandate {
    /// The term in which what it judges holds; none if that is any.
    pub(crate) const fn term(self) -> Option<u64> {
        match self {
            Self::StandsAlone => None,
            Self::Leads { term } => Some(term),
        }
    }
}

/// The running server, as its tasks see it.
#[derive(Debug)]
pub(crate) struct Service {
    /// What was configured.
    pub(crate) config: Config,
    /// The part of it that decides how requests are understood.
    pub(crate) settings: Settings,
    /// Who may be who.
    pub(crate) auth: AuthConfig,
    /// Where clients are served.
    pub(crate) client_address: SocketAddr,
    /// State, watches, connections.
    pub(crate) core: Arc<Core>,
    /// Where commands go.
    pub(crate) proposer: Proposer,
    /// Where new session ids come from.
    pub(crate) session_ids: Mutex<SessionIds>,
    /// The sessions that only this server knows. Locked behind the state, never before it.
    pub(crate) local_sessions: Mutex<LocalSessions>,
    /// The next connection's owner number.
    pub(crate) next_owner: AtomicU64,
    /// This server's place among others; none if it stands alone.
    pub(crate) ensemble: Option<Ensemble>,
}

impl Service {
    /// A number for a new connection that no other connection ever has.
    pub(crate) fn draw_owner(&self) -> Owner {
        Owner(self.next_owner.fetch_add(1, Ordering::Relaxed))
    }

    /// Which clients are served: all of them by a server that stands alone.
    pub(crate) fn serving(&self) -> Serving {
        self.ensemble.as_ref().map_or(Serving::All, Ensemble::serving)
    }

    /// What becomes of sessions in this ensemble; a server that stands alone knows no local ones.
    pub(crate) fn local_sessions_mode(&self) -> LocalSessionsMode {
        let ensemble = self.config.ensemble.as_ref();
        ensemble.map_or(LocalSessionsMode::Off, |ensemble| ensemble.local_sessions)
    }

    /// Whether this server may start things by itself.
    pub(crate) fn is_leading(&self) -> bool {
        self.mandate().is_some()
    }

    /// Why this server may start things by itself, if it may.
    pub(crate) fn mandate(&self) -> Option<Mandate> {
        let Some(ensemble) = &self.ensemble else { return Some(Mandate::StandsAlone) };
        ensemble.leads_in().map(|term| Mandate::Leads { term })
    }

    /// Whether what other servers hear comes to this one, which leads them.
    pub(crate) fn hears_others(&self) -> bool {
        let tick = Duration::from_millis(u64::from(self.config.tick_ms));
        self.ensemble.as_ref().is_none_or(|ensemble| ensemble.hears_others(tick))
    }

    /// Where a reconfig may send this server's clients; none where there is no reconfig.
    pub(crate) fn own_port(&self) -> Option<OwnPort> {
        let known = self.config.ensemble.as_ref().and_then(|own| own.me.client.clone());
        let ensemble = self.ensemble.as_ref().filter(|_| self.settings.reconfig_enabled);
        ensemble.map(|ensemble| ensemble.own_port(known))
    }

    /// Sends a command to the log; its outcome will be delivered to `link`. Returns its number
    /// among this server's own.
    ///
    /// # Errors
    /// [`Busy`] when the queue is full: nothing was taken, try again when it is ready.
    pub(crate) fn propose(
        &self,
        command: &Command<'_>,
        link: Option<&Arc<Link>>,
    ) -> Result<u64, Busy> {
        let since_us = self.core.clock.monotonic_us();
        let mut number = 0;
        self.proposer.propose(self.core.clock.wall(), command, |sequence| {
            number = sequence;
            let awaiting = Awaiting { sequence, link: link.cloned(), since_us };
            self.core.await_outcome(command, awaiting);
        })?;
        Ok(number)
    }
}
