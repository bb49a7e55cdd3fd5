//! The state of one server, the connections of its clients, and what publishing an outcome
//! means to them: what `server`'s core is, without figures.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, MutexGuard};
use proto::EventType;
use raft_log::{
    CheckpointError, CheckpointSource, Committed, Machine, Payload, ReadCheckpoint, codec, mem,
};
use session::{
    Attaching, Connections, Delivery, ExpiryQueue, Lane, Published, WatchLimits, WatchTable,
    WatcherId,
};
use tokio::sync::Notify;
use tree::{
    Batch, Command, CommandFlags, Op, OriginId, Outcome, Owner, Reply, SessionId, State, Zxid,
};

use crate::{
    clock::Clock,
    history::{Applied, History},
    server::{OUT_HIGH_WATER, TICK_MS},
};

/// One connection of a client, as the rest of its server sees it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) owner: Owner,
    pub(crate) lane: Mutex<Lane>,
    pub(crate) bell: Notify,
    /// By this server's clock.
    pub(crate) heard_ms: AtomicU64,
    pub(crate) session: Mutex<SessionId>,
    pub(crate) is_dropped: AtomicBool,
}

impl Link {
    pub(crate) fn new(owner: Owner, now_ms: u64) -> Self {
        Self {
            owner,
            lane: Mutex::new(Lane::with_high_water(OUT_HIGH_WATER)),
            bell: Notify::new(),
            heard_ms: AtomicU64::new(now_ms),
            session: Mutex::new(SessionId::NONE),
            is_dropped: AtomicBool::new(false),
        }
    }

    pub(crate) fn watcher(&self) -> WatcherId {
        WatcherId(self.owner.0)
    }

    /// From here on nothing is answered and no event is told.
    pub(crate) fn drop_silently(&self) {
        self.lane.lock().close();
        self.is_dropped.store(true, Ordering::Relaxed);
        self.bell.notify_one();
    }
}

/// A command of this server that is not applied yet.
#[derive(Debug)]
pub(crate) struct Awaiting {
    pub(crate) sequence: u64,
    pub(crate) link: Option<Arc<Link>>,
}

/// The state, who watches it, and who is connected.
pub struct Core {
    server: i64,
    origin: OriginId,
    pub(crate) clock: Clock,
    state: Mutex<State>,
    watches: Mutex<WatchTable>,
    links: Mutex<BTreeMap<u64, Arc<Link>>>,
    held: Mutex<BTreeMap<SessionId, Arc<Link>>>,
    pub(crate) expiry: Mutex<ExpiryQueue>,
    awaiting: Mutex<VecDeque<Awaiting>>,
    attaching: Mutex<Attaching>,
    own: AtomicU64,
    history: Arc<History>,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Core {
    /// An empty one.
    pub fn new(server: i64, origin: OriginId, clock: Clock, history: Arc<History>) -> Self {
        Self {
            server,
            origin,
            clock,
            state: Mutex::new(State::new()),
            watches: Mutex::new(WatchTable::new(WatchLimits::default(), 0)),
            links: Mutex::default(),
            held: Mutex::default(),
            expiry: Mutex::new(ExpiryQueue::new(TICK_MS)),
            awaiting: Mutex::default(),
            attaching: Mutex::default(),
            own: AtomicU64::new(0),
            history,
        }
    }

    /// The last zxid and the digest of the state.
    pub fn digest(&self) -> (Zxid, u64) {
        let state = self.state.lock();
        (state.last_zxid(), state.digest())
    }

    /// Looks at the state.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock())
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(crate) fn watches(&self) -> MutexGuard<'_, WatchTable> {
        self.watches.lock()
    }

    pub(crate) fn attaching(&self) -> MutexGuard<'_, Attaching> {
        self.attaching.lock()
    }

    pub(crate) fn await_outcome(&self, command: &Command<'_>, awaiting: Awaiting) {
        if let Op::AttachSession { .. } = command.op {
            self.attaching().begin(command.session, command.owner, awaiting.sequence);
        }
        self.awaiting.lock().push_back(awaiting);
    }

    pub(crate) fn add(&self, link: &Arc<Link>) {
        self.links.lock().insert(link.owner.0, Arc::clone(link));
    }

    /// A connection is gone: its watches go with it, its session stays.
    pub(crate) fn remove(&self, link: &Link) {
        link.lane.lock().close();
        self.watches.lock().remove_watcher(link.watcher());
        self.links.lock().remove(&link.owner.0);
    }

    /// Drops every client; they come back, here or elsewhere.
    pub(crate) fn drop_all(&self) {
        self.held.lock().clear();
        self.links.lock().values().for_each(|link| link.drop_silently());
    }

    /// When the client of a session was last heard here.
    pub(crate) fn heard_ms(&self, session: SessionId) -> Option<u64> {
        self.held.lock().get(&session).map(|link| link.heard_ms.load(Ordering::Relaxed))
    }

    /// The sessions held here whose client was heard after `since_ms`.
    pub(crate) fn heard_since(&self, since_ms: u64) -> Vec<SessionId> {
        let held = self.held.lock();
        let heard =
            held.iter().filter(|(_, link)| link.heard_ms.load(Ordering::Relaxed) >= since_ms);
        heard.map(|(session, _)| *session).collect()
    }

    fn apply_batch(&self, state: &mut State, batch: &Batch<'_>) {
        for (command, sequence) in batch.commands.iter().zip(batch.first_sequence..) {
            if !state.admit(batch.origin, sequence) {
                continue;
            }
            let outcome = state.apply(batch.time, command);
            let applied = Applied {
                zxid: outcome.zxid,
                origin: batch.origin,
                sequence,
                digest: state.digest(),
            };
            self.history.applied(self.server, &applied, command, &outcome, state);
            let link = if batch.origin == self.origin {
                self.own.store(sequence, Ordering::Relaxed);
                if let Op::AttachSession { .. } = command.op {
                    self.attaching().end(command.session, command.owner);
                }
                self.next_awaiting(sequence)
            } else {
                None
            };
            self.follow_session(command, &outcome, link.as_ref());
            let asker = link.flatten().map(|link| (link.watcher(), link));
            let watches = &mut *self.watches.lock();
            let flags = CommandFlags::default();
            Published { outcome: &outcome, state, watches, flags }
                .publish(&mut Audience(&self.links), asker);
        }
    }

    /// Who waits for the outcome of this server's command of that number, if anybody does.
    fn next_awaiting(&self, sequence: u64) -> Option<Option<Arc<Link>>> {
        let mut awaiting = self.awaiting.lock();
        // In an earlier life nobody waits any more.
        let first = awaiting.pop_front_if(|first| first.sequence == sequence)?;
        Some(first.link)
    }

    fn follow_session(
        &self,
        command: &Command<'_>,
        outcome: &Outcome,
        own: Option<&Option<Arc<Link>>>,
    ) {
        match &outcome.result {
            Ok(Reply::Attached { timeout_ms }) => {
                let session = command.session;
                self.expiry.lock().set_timeout(session, *timeout_ms, self.clock.monotonic_ms());
                let mut held = self.held.lock();
                let former = match own {
                    Some(Some(link)) => held
                        .insert(session, Arc::clone(link))
                        .filter(|former| former.owner != link.owner),
                    Some(None) => None,
                    None => held.remove(&session),
                };
                former.into_iter().for_each(|former| former.drop_silently());
            }
            Ok(Reply::Closed(session)) => {
                self.expiry.lock().remove(*session);
                let link = self.held.lock().remove(session);
                if let (Some(link), Op::ExpireSession { .. }) = (link, &command.op) {
                    link.drop_silently();
                }
            }
            _ => {}
        }
    }
}

/// The connections of a server while an outcome is published.
struct Audience<'c>(&'c Mutex<BTreeMap<u64, Arc<Link>>>);

impl Connections for Audience<'_> {
    type Link = Arc<Link>;

    fn by_watcher(&self, watcher: WatcherId) -> Option<Arc<Link>> {
        self.0.lock().get(&watcher.0).cloned()
    }

    fn deliver(&mut self, link: Arc<Link>, put: impl FnOnce(&mut Lane) -> Delivery) {
        let delivery = put(&mut link.lane.lock());
        match delivery {
            Delivery::Ring => link.bell.notify_one(),
            Delivery::Quiet => {}
            Delivery::Drop => link.drop_silently(),
        }
    }

    fn fired(&mut self, _: EventType, _: &str) {}

    fn change_told(&mut self) {}
}

impl Machine for Core {
    fn apply(&self, entries: &[Committed]) -> u64 {
        for entry in entries {
            let mut state = self.state.lock();
            state.enter_term(entry.position.term);
            match &entry.payload {
                Payload::Blank => {}
                Payload::Membership(members) => self.history.members(self.server, members),
                Payload::Commands(bytes) => {
                    let batches = codec::decode(bytes).expect("what was proposed can be read");
                    for batch in &batches {
                        self.apply_batch(&mut state, batch);
                    }
                }
            }
        }
        self.own.load(Ordering::Relaxed)
    }

    fn begin_checkpoint(&self) -> Box<dyn CheckpointSource> {
        mem::begin_checkpoint(&mut self.state.lock())
    }

    fn restore(&self, read: &mut ReadCheckpoint<'_>) -> Result<u64, CheckpointError> {
        if let Some(loaded) = mem::restore(read)? {
            self.history.restored(self.server, loaded.last_zxid(), loaded.digest());
            let own = loaded.last_sequence(self.origin.node);
            let own = own.filter(|(origin, _)| *origin == self.origin);
            let own = own.map_or(0, |(_, sequence)| sequence);
            let mut present = self.state.lock();
            self.drop_all();
            *present = loaded;
            self.own.store(own, Ordering::Relaxed);
            // What became of those up to there is not known here.
            self.awaiting.lock().retain(|one| one.sequence > own);
            self.attaching().applied_upto(own);
        }
        Ok(self.own.load(Ordering::Relaxed))
    }
}
