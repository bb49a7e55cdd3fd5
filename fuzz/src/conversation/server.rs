//! A server without sockets, locks and a disk: the same order of steps as `server`'s
//! conversation and core take, on one thread.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use proto::ConnectRequest;
use session::{
    Action, After, Asker, Attaching, AuthConfig, Delivery, Local, Reader, Refusal, SessionIds,
    Settings, WatchTable, answer_local, former_owner, from_wire,
    handshake::{Decision, Known, Offer, TimeoutRange, Welcome, decide, put_rejection},
    lane::Phase,
    refuse, session_password, to_wire,
};
use tree::{
    Batch, Command, CommandFlags, Millis, Op, OriginId, Outcome, Reject, Reply, SessionId, State,
    Zxid,
};

use super::client::{Connection, OUT_HIGH_WATER};
use crate::states::{describe, same, write_cut};

const SETTINGS: Settings = Settings {
    extended_types: true,
    reconfig_enabled: true,
    command_flags: CommandFlags::SCHEME_DIGEST.with(CommandFlags::ENFORCE_QUOTA),
};
const ORIGIN: OriginId = OriginId { node: 1, incarnation: 1 };

/// A command in the log, and the connection that waits for it.
struct Pending {
    entry: Bytes,
    connection: Option<usize>,
}

pub(super) struct Server {
    state: State,
    /// Fed the same log, and nothing else.
    replica: State,
    watches: WatchTable,
    session_ids: SessionIds,
    auth: AuthConfig,
    /// Every connection that there was; the first ones are the first clients'.
    connections: Vec<Connection>,
    /// The present connection of each client.
    clients: Vec<usize>,
    pending: VecDeque<Pending>,
    attaching: Attaching,
    barriers: Vec<(usize, u64)>,
    reconfigs: Vec<(usize, i32)>,
    sequence: u64,
    time: i64,
    stored: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Server {
    /// With that many clients, each of which has asked for a session.
    pub(super) fn new(clients: usize) -> Self {
        let mut server = Self {
            state: State::new(),
            replica: State::new(),
            watches: WatchTable::default(),
            session_ids: SessionIds::new(1, 1_790_000_000_000),
            auth: AuthConfig::default(),
            connections: Vec::new(),
            clients: Vec::new(),
            pending: VecDeque::new(),
            attaching: Attaching::default(),
            barriers: Vec::new(),
            reconfigs: Vec::new(),
            sequence: 0,
            time: 1_790_000_000_000,
            stored: BTreeMap::new(),
        };
        for client in 0..clients {
            server.clients.push(client);
            server.connect(SessionId::NONE);
        }
        server
    }

    /// Greets on a new connection.
    fn connect(&mut self, session: SessionId) {
        let password = session_password(session);
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms: 10_000,
            session_id: session.0,
            password: Some(&password),
            read_only: Some(false),
        };
        let timeouts = TimeoutRange { min_ms: 4000, max_ms: 40_000 };
        let applied = self.state.last_zxid();
        let offer = Offer { read_only: false, local_sessions: false, applied, timeouts };
        let owner = self.state.session(session).map(|session| session.owner);
        let known = owner.map_or(Known::Unknown, |_| Known::Global);
        let at = self.connections.len();
        self.connections.push(Connection::new(1 + at as u64, session));
        match decide(&request, &offer, known) {
            Decision::Open(welcome) => {
                let welcome = Welcome { session: self.session_ids.next(), ..welcome };
                self.ask_for_session(at, welcome, Op::OpenSession { timeout_ms: 10_000 });
            }
            Decision::Attach(welcome) => {
                let former = former_owner(self.attaching.newest(session), owner);
                let op = Op::AttachSession { timeout_ms: 10_000, former };
                self.ask_for_session(at, welcome, op);
            }
            Decision::Reject(welcome) => {
                put_rejection(&mut self.connections[at].output, &welcome);
                self.connections[at].closing = true;
            }
            decision
            @ (Decision::Refuse(_) | Decision::OpenLocal(_) | Decision::AttachLocal(_)) => {
                panic!("{decision:?} of a server that serves all")
            }
        }
    }

    fn ask_for_session(&mut self, at: usize, welcome: Welcome, op: Op<'_>) {
        self.connections[at].session = welcome.session;
        self.connections[at].lane.expect_welcome(welcome);
        self.propose(Some(at), 0, op);
    }

    /// The client comes back on another connection, with the session of `whose` client.
    pub(super) fn reconnect(&mut self, client: usize, whose: usize) {
        let former = self.clients[client];
        let session = self.connections[self.clients[whose]].session;
        self.drop_connection(former);
        self.clients[client] = self.connections.len();
        self.connect(session);
    }

    fn drop_connection(&mut self, at: usize) {
        self.connections[at].drop_silently();
        self.watches.remove_watcher(self.connections[at].watcher);
    }

    /// A request arrives.
    pub(super) fn frame(&mut self, client: usize, frame: &[u8]) {
        let at = self.clients[client];
        let parsed = from_wire::parse(frame, &SETTINGS);
        let op = frame.get(4..8).map_or(0, |op| i32::from_be_bytes([op[0], op[1], op[2], op[3]]));
        // A client that gives its requests the number of events confuses itself.
        if self.connections[at].is_ending() || parsed.xid == proto::xid::EVENT {
            return;
        }
        if self.connections[at].lane.out_bytes() >= OUT_HIGH_WATER {
            self.collect(client);
        }
        // Before its session is there, nothing is taken; writes wait for syncs, and for the
        // client to read, and reconfigs for all.
        let lane = &self.connections[at].lane;
        let writes = matches!(parsed.action, Action::Write { .. } | Action::Reconfig(_));
        let fresh = lane.phase() == Phase::Fresh;
        if fresh || (writes && !lane.takes_writes()) {
            self.settle();
            self.collect(client);
        }
        if self.connections[at].is_ending() {
            return;
        }
        match parsed.action {
            Action::Close => {
                self.connections[at].closing = true;
                return;
            }
            Action::Write { op: command, shape } => {
                self.connections[at].closing = matches!(command, Op::CloseSession);
                self.connections[at].lane.expect_write(parsed.xid, shape);
                self.propose(Some(at), parsed.xid, command);
            }
            Action::Local(local) => self.local(at, frame, parsed.xid, &local),
            Action::Auth { scheme, data } => self.auth(at, parsed.xid, scheme, data),
            Action::Reconfig(_) => {
                self.settle();
                self.connections[at].lane.expect_reconfig(parsed.xid);
                self.reconfigs.push((at, parsed.xid));
            }
        }
        self.connections[at].expect(parsed.xid, op);
    }

    fn local(&mut self, at: usize, frame: &[u8], xid: i32, local: &Local<'_>) {
        let connection = &mut self.connections[at];
        if let Local::Sync { .. } = local {
            let number = connection.lane.defer_behind_barrier(frame, &connection.identities);
            return self.barriers.push((at, number));
        }
        if connection.lane.defer(frame, &connection.identities) {
            return;
        }
        connection.lane.collect(&mut connection.output);
        let asker = Asker { session: connection.session, identities: &connection.identities };
        let watcher = connection.watcher;
        let mut reader = Reader {
            state: &self.state,
            watches: &mut self.watches,
            watcher,
            flags: SETTINGS.command_flags,
        };
        let after = answer_local(xid, local, &asker, &mut reader, &mut connection.output);
        connection.closing = after == After::Close;
    }

    fn auth(&mut self, at: usize, xid: i32, scheme: &str, data: Option<&[u8]>) {
        let connection = &mut self.connections[at];
        let mut reply = BytesMut::new();
        let then = match self.auth.authenticate(&connection.identities, scheme, data) {
            Ok(identities) => {
                connection.lane.set_identities(identities.clone());
                connection.identities = identities;
                to_wire::put_auth_done(&mut reply, xid);
                After::Continue
            }
            Err(_) => refuse(xid, &Refusal::AUTH_FAILED, self.state.last_zxid(), &mut reply),
        };
        if !connection.lane.append_ready(&reply, then) {
            connection.lane.collect(&mut connection.output);
            connection.output.extend_from_slice(&reply);
        }
        connection.closing = then == After::Close;
    }

    fn propose(&mut self, at: Option<usize>, xid: i32, op: Op<'_>) {
        self.sequence += 1;
        self.time += 1;
        let command = match at.map(|at| &self.connections[at]) {
            Some(connection) => Command {
                session: connection.session,
                owner: connection.owner,
                xid,
                flags: SETTINGS.command_flags,
                identities: connection.identities.to_vec(),
                op,
            },
            None => Command {
                session: SessionId::NONE,
                owner: tree::Owner(0),
                xid,
                flags: SETTINGS.command_flags,
                identities: Vec::new(),
                op,
            },
        };
        let batch = Batch {
            origin: ORIGIN,
            first_sequence: self.sequence,
            time: Millis(self.time),
            commands: vec![command],
        };
        for command in &batch.commands {
            if let Op::AttachSession { .. } = command.op {
                self.attaching.begin(command.session, command.owner, self.sequence);
            }
        }
        let entry = raft_log::fuzzing::encode(&batch);
        self.pending.push_back(Pending { entry, connection: at });
    }

    /// Applies the oldest `count` commands.
    pub(super) fn apply(&mut self, count: usize) {
        for _ in 0..count {
            let Some(Pending { entry, connection }) = self.pending.pop_front() else { return };
            let batches = raft_log::codec::decode(&entry).expect("it was just encoded");
            for batch in &batches {
                for (command, sequence) in batch.commands.iter().zip(batch.first_sequence..) {
                    assert!(self.state.admit(batch.origin, sequence), "none is left out");
                    assert!(!self.state.admit(batch.origin, sequence), "none counts twice");
                    assert!(self.replica.admit(batch.origin, sequence));
                    let outcome = self.state.apply(batch.time, command);
                    assert_eq!(self.replica.apply(batch.time, command), outcome);
                    if let Op::AttachSession { .. } = command.op {
                        self.attaching.end(command.session, command.owner);
                    }
                    self.publish(command, &outcome, connection);
                }
            }
        }
    }

    /// Events first, then what it means for sessions, then the reply.
    fn publish(&mut self, command: &Command<'_>, outcome: &Outcome, at: Option<usize>) {
        self.fire(outcome);
        match &outcome.result {
            Ok(Reply::Attached { .. }) => self.session_moved(command.session, at),
            Ok(Reply::Closed(session)) if matches!(command.op, Op::ExpireSession { .. }) => {
                self.session_moved(*session, None);
            }
            Ok(_) | Err(_) => {}
        }
        let Some(at) = at else { return };
        let connection = &mut self.connections[at];
        let mut reader = Reader {
            state: &self.state,
            watches: &mut self.watches,
            watcher: connection.watcher,
            flags: SETTINGS.command_flags,
        };
        if connection.lane.deliver(outcome, &mut reader) == Delivery::Drop {
            self.drop_connection(at);
        }
    }

    fn fire(&mut self, outcome: &Outcome) {
        let mut drops = Vec::new();
        let connections = &mut self.connections;
        for change in &outcome.changes {
            self.watches.fire(change, &mut |watcher, event, path, acl| {
                let at = usize::try_from(watcher.0 - 1).expect("it is a connection");
                let delivery = connections[at].lane.event(outcome.zxid, event, path, acl);
                if delivery == Delivery::Drop {
                    drops.push(at);
                }
            });
        }
        for at in drops {
            self.drop_connection(at);
        }
    }

    /// Nobody but `keeper` holds the session any more.
    fn session_moved(&mut self, session: SessionId, keeper: Option<usize>) {
        for at in 0..self.connections.len() {
            let holds = self.connections[at].session == session && !self.connections[at].dropped;
            // One that has asked for it and was not answered is told when its turn comes.
            let asks = self.connections[at].lane.phase() == Phase::Fresh;
            if holds && !asks && Some(at) != keeper {
                self.drop_connection(at);
            }
        }
    }

    /// Everything that waits for the log or for the leader comes to an end.
    fn settle(&mut self) {
        while !self.pending.is_empty() || !self.barriers.is_empty() || !self.reconfigs.is_empty() {
            for (at, xid) in std::mem::take(&mut self.reconfigs) {
                // As a server does that changed the members, or one that may not.
                let before = self.state.last_zxid();
                let refused = (xid % 2 != 0).then_some(Reject::BadArguments);
                self.propose(Some(at), xid, Op::Reconfig { refused, before });
            }
            self.apply(usize::MAX);
            self.pass_barriers();
        }
    }

    pub(super) fn pass_barriers(&mut self) {
        for (at, number) in std::mem::take(&mut self.barriers) {
            let connection = &mut self.connections[at];
            let mut reader = Reader {
                state: &self.state,
                watches: &mut self.watches,
                watcher: connection.watcher,
                flags: SETTINGS.command_flags,
            };
            let _ = connection.lane.pass_barriers(number, &mut reader);
        }
    }

    /// The client reads what waits for it; there may be more behind it then.
    pub(super) fn collect(&mut self, client: usize) {
        self.collect_at(self.clients[client]);
    }

    fn collect_at(&mut self, at: usize) {
        loop {
            let connection = &mut self.connections[at];
            connection.collect(self.state.last_zxid());
            if !connection.lane.is_runnable() || connection.dropped {
                return;
            }
            let mut reader = Reader {
                state: &self.state,
                watches: &mut self.watches,
                watcher: connection.watcher,
                flags: SETTINGS.command_flags,
            };
            connection.lane.run(&mut reader);
            if connection.lane.out_bytes() == 0 {
                return;
            }
        }
    }

    pub(super) fn expire(&mut self, client: usize) {
        let session = self.connections[self.clients[client]].session;
        let Some(known) = self.state.session(session) else { return };
        let owner = known.owner;
        let term = Some(self.state.last_term());
        self.propose(None, 0, Op::ExpireSession { session, owner, term });
    }

    pub(super) fn reap(&mut self) {
        let now = Millis(self.time + 1000);
        let paths = [self.state.containers_and_ttls(now), self.state.containers_never_used(now)];
        for path in paths.iter().flatten() {
            self.propose(None, 0, Op::Reap { path });
        }
    }

    /// What changed since the last one.
    pub(super) fn checkpoint(&mut self) {
        write_cut(&mut self.state, &mut self.stored);
    }

    pub(super) fn next_term(&mut self) {
        let term = self.state.last_term() + 1;
        self.state.enter_term(term);
        self.replica.enter_term(term);
    }

    pub(super) fn members(&mut self, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        let outcome = self.state.set_config(&text);
        assert_eq!(self.replica.set_config(&text), outcome);
        self.fire(&outcome);
    }

    /// Everything that was asked is answered, and what was stored is the state.
    pub(super) fn end(&mut self) {
        self.settle();
        for at in 0..self.connections.len() {
            self.collect_at(at);
            self.connections[at].end();
        }
        assert_eq!(describe(&self.replica), describe(&self.state));
        self.checkpoint();
        same(&self.state, &self.stored);
        assert!(self.state.last_zxid() > Zxid::ZERO);
    }
}
