//! Who is connected to this server: by connection, by session, by address.
//!
//! Holds handles only; what is said on a connection is in its lane.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use parking_lot::Mutex;
use session::WatcherId;
use tree::SessionId;

use crate::link::Link;

/// The connections of this server.
#[derive(Debug, Default)]
pub(crate) struct Links {
    by_watcher: Mutex<HashMap<u64, Arc<Link>>>,
    by_session: Mutex<HashMap<SessionId, Arc<Link>>>,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// Why a connection is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `maxCnxns` connections are open.
    TooMany,
    /// `maxClientCnxns` connections are open from this address.
    TooManyFromAddress,
}

impl Links {
    /// Takes a place for a connection from `address`, or says why there is none.
    /// A limit of 0 means no limit.
    pub(crate) fn admit(
        &self,
        address: IpAddr,
        max: usize,
        max_per_address: usize,
    ) -> Result<(), Refusal> {
        let mut by_address = self.by_address.lock();
        if max > 0 && by_address.values().sum::<usize>() >= max {
            return Err(Refusal::TooMany);
        }
        let count = by_address.entry(address).or_insert(0);
        if max_per_address > 0 && *count >= max_per_address {
            return Err(Refusal::TooManyFromAddress);
        }
        *count += 1;
        Ok(())
    }

    /// Gives back a place taken with [`Self::admit`].
    pub(crate) fn leave(&self, address: IpAddr) {
        let mut by_address = self.by_address.lock();
        if let Some(count) = by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&address);
            }
        }
    }

    /// How many connections are open, those that never said anything included.
    pub(crate) fn count(&self) -> usize {
        self.by_address.lock().values().sum()
    }

    /// Adds a connection that starts the client protocol.
    pub(crate) fn add(&self, link: Arc<Link>) {
        self.by_watcher.lock().insert(link.watcher().0, link);
    }

    /// Forgets a connection. Its session stays, for the client to come back to.
    pub(crate) fn remove(&self, link: &Link) {
        self.by_watcher.lock().remove(&link.watcher().0);
    }

    /// The connection with this key.
    pub(crate) fn by_watcher(&self, watcher: WatcherId) -> Option<Arc<Link>> {
        self.by_watcher.lock().get(&watcher.0).cloned()
    }

    /// The connection that holds, or last held, a session here.
    pub(crate) fn by_session(&self, session: SessionId) -> Option<Arc<Link>> {
        self.by_session.lock().get(&session).cloned()
    }

    /// Makes `link` the holder of `session`; returns the one before, if it was another.
    pub(crate) fn hold_session(&self, session: SessionId, link: Arc<Link>) -> Option<Arc<Link>> {
        let owner = link.owner;
        self.by_session.lock().insert(session, link).filter(|former| former.owner != owner)
    }

    /// The session is no longer held here; returns who held it.
    pub(crate) fn release_session(&self, session: SessionId) -> Option<Arc<Link>> {
        self.by_session.lock().remove(&session)
    }

    /// The global sessions held here whose client was heard after `since_ms`, by the monotonic
    /// clock. Local ones are nobody else's affair.
    pub(crate) fn heard_since(&self, since_ms: u64) -> Vec<SessionId> {
        let by_session = self.by_session.lock();
        let heard = by_session.iter().filter(|(_, link)| {
            !link.is_local() && link.heard_ms.load(std::sync::atomic::Ordering::Relaxed) >= since_ms
        });
        heard.map(|(session, _)| *session).collect()
    }

    /// Drops every connection and forgets which sessions they held. When a local session was
    /// last heard nobody else knows; it is forgotten with the session.
    pub(crate) fn drop_all(&self) {
        self.by_session.lock().retain(|_, link| link.is_local());
        self.all().iter().for_each(|link| link.drop_silently());
    }

    /// All connections that speak the client protocol, in the order they came.
    pub(crate) fn all(&self) -> Vec<Arc<Link>> {
        let mut all: Vec<_> = self.by_watcher.lock().values().cloned().collect();
        all.sort_by_key(|link| link.owner);
        all
    }
}

#[cfg(test)]
mod tests {
    use tree::Owner;

    use super::*;
    use crate::admin::ConnectionStats;

    /// Else it would expire although its client was heard a moment ago.
    #[test]
    fn when_a_local_session_was_heard_is_known_after_its_connection_was_dropped() {
        let links = Links::default();
        let held = [(1, true), (2, false)].map(|(number, local)| {
            let remote = ([127, 0, 0, 1], 1).into();
            let link = Link::new(Owner(number), remote, 70, ConnectionStats::new(0));
            link.set_local(local);
            let (link, session) = (Arc::new(link), SessionId(number.cast_signed()));
            links.add(Arc::clone(&link));
            links.hold_session(session, Arc::clone(&link));
            (session, link)
        });
        links.drop_all();
        let [(local, local_link), (global, global_link)] = held;
        assert!(local_link.is_dropped() && global_link.is_dropped());
        assert!(links.by_session(local).is_some());
        assert!(links.by_session(global).is_none());
    }
}
