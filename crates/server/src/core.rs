//! The one place where the state, the watches and the connections meet.
//!
//! Writes come out of the log through [`Core::apply`], which holds the state's lock once
//! per entry: the tree changes, the watch table is asked, events and replies are put on
//! the lanes, in zxid order. Reads take the same lock shared ([`Core::read`]).
//!
//! Lock order: local sessions, then state, then watch table, then one lane or one map of
//! [`Links`] at a time. [`Core::attaching`] is held for nothing but itself.

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use fault_points::{Point, pass};
use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use proto::EventType;
use raft_log::{Committed, Members, Payload, codec};
use session::{
    Attaching, Connections, Delivery, Lane, Published, WatchLimits, WatchTable, WatcherId,
};
use tree::{Batch, Command, CommandFlags, Op, OriginId, Outcome, Reply, SessionId, State};

use crate::{
    admin::{
        Metrics,
        audit::{AuditLog, AuditResult, Operation},
        metrics::{Duty, Fired},
    },
    clock::Clock,
    ensemble,
    link::Link,
    links::Links,
    liveness::Liveness,
    measured::proposal,
};

/// The state of this server and everybody who is attached to it.
#[derive(Debug)]
pub(crate) struct Core {
    state: RwLock<State>,
    watches: Mutex<WatchTable>,
    /// Who is connected, and who holds which session here.
    pub(crate) links: Links,
    /// When sessions were last heard, as far as this server has to know.
    pub(crate) liveness: Liveness,
    /// Own commands on their way through the log, oldest first.
    awaiting: Mutex<VecDeque<Awaiting>>,
    /// Own attachments among them, and the openings of sessions.
    attaching: Mutex<Attaching>,
    /// How many requests are in [`Self::awaiting`]; read by every connection.
    outstanding: AtomicUsize,
    origin: OnceLock<OriginId>,
    /// The number of the last own command that is in the state.
    applied_sequence: AtomicU64,
    /// The version of the members that are in the state, changes of them that are half done
    /// included.
    members_version: AtomicU64,
    /// `skipACL` and such, for reads that are answered at apply.
    flags: CommandFlags,
    /// The server's figures.
    pub(crate) metrics: Arc<Metrics>,
    /// The server's clocks.
    pub(crate) clock: Clock,
    /// Where changes are written down, if they are.
    pub(crate) audit: Option<AuditLog>,
}

/// A command of this server that was proposed and is not applied yet.
#[derive(Debug)]
pub(crate) struct Awaiting {
    /// Its number at this origin.
    pub(crate) sequence: u64,
    /// Who waits for the outcome; nobody for the leader's own commands.
    pub(crate) link: Option<Arc<Link>>,
    /// When it was proposed, in monotonic microseconds.
    pub(crate) since_us: u64,
}

impl Core {
    /// An empty core: the state is that of a fresh server until a checkpoint is loaded.
    ///
    /// `seed` should differ from run to run: it keys the watch table's hashes.
    pub(crate) fn new(
        clock: Clock,
        metrics: Arc<Metrics>,
        tick_ms: u32,
        flags: CommandFlags,
        seed: u64,
    ) -> Self {
        Self {
            state: RwLock::new(State::new()),
            watches: Mutex::new(WatchTable::new(WatchLimits::default(), seed)),
            links: Links::default(),
            liveness: Liveness::new(tick_ms),
            awaiting: Mutex::new(VecDeque::new()),
            attaching: Mutex::default(),
            outstanding: AtomicUsize::new(0),
            origin: OnceLock::new(),
            applied_sequence: AtomicU64::new(0),
            members_version: AtomicU64::new(0),
            flags,
            metrics,
            clock,
            audit: None,
        }
    }

    /// Says which commands in the log are this server's own. Called once, before any
    /// command is proposed.
    pub(crate) fn set_origin(&self, origin: OriginId) {
        assert!(self.origin.set(origin).is_ok(), "the origin is set once, at start");
    }

    /// Settings that decide what reads may see.
    pub(crate) fn flags(&self) -> CommandFlags {
        self.flags
    }

    /// The state, for reading. Hold it for a bounded number of queries.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read()
    }

    /// The state, for the checkpoint, which moves its own bookkeeping in small steps.
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write()
    }

    /// The watch table. Take it only with the state's lock held, or with none.
    pub(crate) fn watches(&self) -> MutexGuard<'_, WatchTable> {
        self.watches.lock()
    }

    /// Writes into the audit log, if there is one, that the server starts or stops.
    pub(crate) fn audit_server(&self, operation: Operation, result: AuditResult) {
        if let Some(audit) = &self.audit {
            audit.server(self.clock.wall().0, operation, result);
        }
    }

    /// How many requests of clients wait for the log.
    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Relaxed)
    }

    /// The attachments and openings of sessions that are not applied yet.
    pub(crate) fn attaching(&self) -> MutexGuard<'_, Attaching> {
        self.attaching.lock()
    }

    /// Notes a proposed command. Called in the order of the sequence numbers.
    pub(crate) fn await_outcome(&self, command: &Command<'_>, awaiting: Awaiting) {
        if gives_an_owner(&command.op) {
            self.attaching().begin(command.session, command.owner, awaiting.sequence);
        }
        self.awaiting.lock().push_back(awaiting);
        self.outstanding.fetch_add(1, Ordering::Relaxed);
    }

    /// Applies committed entries in order; everything they cause is on the lanes on return.
    /// Returns the number of the last own command in the state.
    pub(crate) fn apply(&self, entries: &[Committed]) -> u64 {
        let mut rung = Vec::new();
        for entry in entries {
            let mut state = self.state.write();
            state.enter_term(entry.position.term);
            match &entry.payload {
                Payload::Blank => {}
                Payload::Commands(bytes) => {
                    self.note_committed(entry.position.index, bytes);
                    // What is in the log was encoded by a server of a known format and its
                    // checksum held; if it cannot be read, going on would diverge silently.
                    let batches = codec::decode(bytes).expect("a committed entry is readable");
                    for batch in &batches {
                        self.apply_batch(&mut state, batch, &mut rung);
                    }
                }
                Payload::Membership(members) => {
                    self.apply_membership(&mut state, members, &mut rung);
                }
            }
            drop(state);
            for link in rung.drain(..) {
                let link: Arc<Link> = link;
                link.bell.notify_one();
            }
        }
        self.applied_sequence.load(Ordering::Relaxed)
    }

    fn note_committed(&self, index: u64, payload: &[u8]) {
        if self.metrics.duty() == Duty::Alone {
            return;
        }
        if let Some(proposal) = proposal(index, payload) {
            self.metrics.committed(&proposal, self.clock.wall());
        }
    }

    /// The number of the last own command that is in the state.
    pub(crate) fn applied_sequence(&self) -> u64 {
        self.applied_sequence.load(Ordering::Relaxed)
    }

    /// Puts a state that another server sent, or that was on disk, in place of the present
    /// one. What happened in between cannot be told any more: everybody is dropped, and comes
    /// back. That is done before anybody can look at the new state, and before the outcome of a
    /// command can meet the place of one whose outcome is not known. Returns the number of the
    /// last own command in the state.
    pub(crate) fn replace_state(&self, state: State) -> u64 {
        let mut present = self.state.write();
        let own = self.origin.get().and_then(|own| {
            let (run, last) = state.last_sequence(own.node)?;
            (run == *own).then_some(last)
        });
        let last = own.unwrap_or(0);
        self.links.drop_all();
        *present = state;
        self.applied_sequence.store(last, Ordering::Relaxed);
        let mut awaiting = self.awaiting.lock();
        while awaiting.front().is_some_and(|first| first.sequence <= last) {
            awaiting.pop_front();
            self.outstanding.fetch_sub(1, Ordering::Relaxed);
        }
        drop(awaiting);
        self.attaching().applied_upto(last);
        last
    }

    /// The version of the members that are in the state.
    pub(crate) fn members_version(&self) -> u64 {
        self.members_version.load(Ordering::Relaxed)
    }

    /// Shows the members in `/zookeeper/config`. A server that stands alone shows none.
    fn apply_membership(&self, state: &mut State, members: &Members, rung: &mut Vec<Arc<Link>>) {
        self.members_version.store(members.version(), Ordering::Relaxed);
        if members.changing || members.members.iter().all(|one| one.server.spec.is_empty()) {
            return;
        }
        let text = ensemble::config_text(members);
        let outcome = state.set_config(&text);
        self.tell(state, &mut self.watches.lock(), &outcome, None, rung);
    }

    fn apply_batch(&self, state: &mut State, batch: &Batch<'_>, rung: &mut Vec<Arc<Link>>) {
        let mut watches = self.watches.lock();
        let own = self.origin.get() == Some(&batch.origin);
        for (command, sequence) in batch.commands.iter().zip(batch.first_sequence..) {
            if !state.admit(batch.origin, sequence) {
                continue;
            }
            let outcome = state.apply(batch.time, command);
            pass(Point::ApplyCommand);
            if own {
                self.applied_sequence.store(sequence, Ordering::Relaxed);
            }
            let waiting = if own { self.next_awaiting(sequence, command) } else { None };
            self.publish(state, &mut watches, command, &outcome, waiting, rung);
        }
    }

    fn next_awaiting(&self, sequence: u64, command: &Command<'_>) -> Option<Awaiting> {
        if gives_an_owner(&command.op) {
            self.attaching().end(command.session, command.owner);
        }
        let mut awaiting = self.awaiting.lock();
        let first = awaiting.pop_front()?;
        assert_eq!(first.sequence, sequence, "own commands are applied in order, none left out");
        self.outstanding.fetch_sub(1, Ordering::Relaxed);
        Some(first)
    }

    fn publish(
        &self,
        state: &State,
        watches: &mut WatchTable,
        command: &Command<'_>,
        outcome: &Outcome,
        waiting: Option<Awaiting>,
        rung: &mut Vec<Arc<Link>>,
    ) {
        self.follow_session(command, outcome, waiting.as_ref());
        if let (Some(audit), Some(waiting)) = (&self.audit, &waiting) {
            let ip = waiting.link.as_ref().map(|link| link.remote.ip());
            audit.command(self.clock.wall().0, ip, command, outcome);
        }
        let asker = waiting.and_then(|Awaiting { link, since_us, .. }| {
            let link = link?;
            let now_us = self.clock.monotonic_us();
            self.metrics.update_done(now_us.saturating_sub(since_us));
            Some((link.watcher(), link))
        });
        self.tell(state, watches, outcome, asker, rung);
    }

    fn tell(
        &self,
        state: &State,
        watches: &mut WatchTable,
        outcome: &Outcome,
        asker: Option<(WatcherId, Arc<Link>)>,
        rung: &mut Vec<Arc<Link>>,
    ) {
        let mut audience = Audience { core: self, rung, fired: Fired::default() };
        Published { outcome, state, watches, flags: self.flags }.publish(&mut audience, asker);
    }

    /// Keeps the maps of sessions in step with what was decided about sessions.
    fn follow_session(&self, command: &Command<'_>, outcome: &Outcome, waiting: Option<&Awaiting>) {
        match &outcome.result {
            // Its own server has seen to it already.
            Ok(Reply::Attached { .. }) if command.flags.contains(CommandFlags::LOCAL_SESSION) => {}
            Ok(Reply::Attached { timeout_ms }) => {
                let session = command.session;
                self.liveness.opened(session, *timeout_ms, self.clock.monotonic_ms());
                let former = match waiting {
                    Some(Awaiting { link: Some(link), .. }) => {
                        self.links.hold_session(session, Arc::clone(link))
                    }
                    // A local session of this server became a global one; who holds it goes on.
                    Some(Awaiting { link: None, .. }) => None,
                    None => self.links.release_session(session),
                };
                if let Some(former) = former {
                    former.drop_silently();
                }
            }
            Ok(Reply::Closed(session)) => self.session_closed(*session, command),
            _ => {}
        }
    }

    fn session_closed(&self, session: SessionId, command: &Command<'_>) {
        self.liveness.closed(session);
        let link = self.links.release_session(session);
        // A client that closes gets its reply before its socket is closed; one whose
        // session expired gets nothing.
        if let (Some(link), Op::ExpireSession { .. }) = (link, &command.op) {
            link.drop_silently();
        }
    }
}

/// Whether a command makes its connection the owner of its session: a client that comes again
/// meanwhile follows that one.
const fn gives_an_owner(op: &Op<'_>) -> bool {
    matches!(op, Op::OpenSession { .. } | Op::AttachSession { .. })
}

/// The connections of this server while an outcome is published.
struct Audience<'c> {
    core: &'c Core,
    /// Those whose tasks must be woken.
    rung: &'c mut Vec<Arc<Link>>,
    /// The events of the present change.
    fired: Fired,
}

impl Connections for Audience<'_> {
    type Link = Arc<Link>;

    fn by_watcher(&self, watcher: WatcherId) -> Option<Arc<Link>> {
        self.core.links.by_watcher(watcher)
    }

    fn deliver(&mut self, link: Arc<Link>, put: impl FnOnce(&mut Lane) -> Delivery) {
        let delivery = put(&mut link.lane.lock());
        match delivery {
            Delivery::Ring => self.rung.push(link),
            Delivery::Quiet => {}
            Delivery::Drop => link.drop_silently(),
        }
    }

    fn fired(&mut self, event: EventType, path: &str) {
        self.fired.note(event, path);
    }

    fn change_told(&mut self) {
        self.core.metrics.watches_fired(&mem::take(&mut self.fired));
    }
}
