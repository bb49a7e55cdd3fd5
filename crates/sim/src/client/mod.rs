//! Clients: each has a session with watches and ephemerals, which it takes to another server
//! when it hears nothing, and checks all that it is told.

mod answers;
mod asked;
mod own;
mod wire;

use std::{collections::VecDeque, io, sync::Arc, time::Duration};

use proto::{ConnectRequest, ConnectResponse};
use session::session_password;
use tokio::time::{Instant, sleep, timeout};
use tree::{SessionId, Zxid};

use crate::{
    chance::Chance,
    checks::{Check, watches::Watches},
    cluster::Cluster,
};

use asked::{Asked, SHARED};
use own::Own;
use wire::Wire;

/// The timeout that clients ask for.
const TIMEOUT_MS: i32 = 4000;
/// How long a client waits for anything at all before it tries another server.
const PATIENCE: Duration = Duration::from_millis(2600);
/// How long it says nothing before it pings.
const PING_AFTER: Duration = Duration::from_millis(1300);
/// The most that is asked at once, usually.
const AT_ONCE: u64 = 5;
/// The most that is asked at once, now and then: the answers are more than a link holds.
const AT_ONCE_MAX: u64 = 30;
/// How many znodes all clients share.
const SHARED_MAX: u64 = 4;
/// How many ephemerals of its own a client has.
const EPHEMERALS_MAX: usize = 4;

/// A request that is not answered yet.
#[derive(Debug)]
struct Pending {
    xid: i32,
    asked: Asked,
    began: Duration,
    /// What anybody was told is done before it was asked.
    acknowledged: Zxid,
}

/// One client.
#[derive(Debug)]
pub struct Client {
    cluster: Arc<Cluster>,
    chance: Chance,
    number: i64,
    next_xid: i32,
    created: u64,
    /// Sessions that it has left behind.
    left_behind: u64,
    own: Option<Own>,
    session: SessionId,
    /// The highest zxid of a reply of this session.
    seen: Zxid,
    watches: Watches,
    /// Its ephemerals that are there.
    ephemerals: Vec<String>,
    /// Those that may be there.
    uncertain: Vec<String>,
    /// Those of sessions that have ended.
    gone: Vec<String>,
    pending: VecDeque<Pending>,
}

impl Client {
    /// A client with no session yet. Its number is 1 or more.
    pub fn new(cluster: Arc<Cluster>, chance: Chance, number: i64) -> Self {
        Self {
            cluster,
            chance,
            number,
            next_xid: 1,
            created: 0,
            left_behind: 0,
            own: None,
            session: SessionId::NONE,
            seen: Zxid::ZERO,
            watches: Watches::default(),
            ephemerals: Vec::new(),
            uncertain: Vec::new(),
            gone: Vec::new(),
            pending: VecDeque::new(),
        }
    }

    /// Works until it is aborted.
    pub async fn run(mut self) {
        loop {
            let servers = self.cluster.all();
            let server = servers[self.chance.index(servers.len())];
            let connecting = self.cluster.net.connect(-self.number, server);
            if let Ok(Ok(connection)) = timeout(PATIENCE, connecting).await {
                // How it ended does not matter: the next one comes.
                let _ = self.stay(Wire::new(connection)).await;
            }
            self.disconnected();
            match self.chance.below(100) {
                // It falls silent, longer than its session lives.
                0 => sleep(self.chance.millis(5000..9000)).await,
                1 if self.session != SessionId::NONE => {
                    self.cluster.history.abandoned(self.session);
                    self.left_behind += 1;
                    self.own = None;
                    // Its ephemerals will go, some time.
                    self.ephemerals.clear();
                    self.uncertain.clear();
                    self.session_ended();
                }
                _ => sleep(self.chance.millis(1..100)).await,
            }
        }
    }

    fn broken(&self, check: Check, what: &str) {
        let Self { number, session, .. } = self;
        self.cluster.history.broken(check, &format!("client {number}, session {session}: {what}"));
    }

    /// Its own znode. What a session that it has left behind still has under way may come later
    /// than what the next one reads, so each of its lives has another.
    fn own_path(&self) -> String {
        match self.left_behind {
            0 => format!("/own-{}", self.number),
            left_behind => format!("/own-{}-{left_behind}", self.number),
        }
    }

    /// The connection is gone: what was not answered may have happened.
    fn disconnected(&mut self) {
        self.own.iter_mut().for_each(Own::disconnected);
        for Pending { asked, .. } in self.pending.drain(..) {
            if let Asked::CreateEphemeral(path) = asked {
                self.uncertain.push(path);
            }
        }
    }

    fn session_ended(&mut self) {
        self.gone.append(&mut self.ephemerals);
        self.gone.append(&mut self.uncertain);
        self.session = SessionId::NONE;
        self.seen = Zxid::ZERO;
        self.watches.lost();
    }

    /// Works on one connection until it breaks, or for as long as it likes.
    async fn stay(&mut self, mut wire: Wire) -> io::Result<()> {
        if !self.greet(&mut wire).await? {
            return Ok(());
        }
        self.watches.connected();
        if !self.watches.is_empty() {
            let again = Asked::set_watches(&self.watches, self.seen);
            self.ask(&mut wire, vec![again]).await?;
        }
        let mut first = vec![Asked::CreateShared, Asked::Sync];
        first.extend(std::mem::take(&mut self.gone).into_iter().map(Asked::ReadGone));
        self.ask(&mut wire, first).await?;
        loop {
            let asked = self.choose();
            let closes = asked.contains(&Asked::Close);
            self.ask(&mut wire, asked).await?;
            if closes || self.chance.percent(2) {
                return Ok(());
            }
            let rest = self.chance.millis(0..90);
            self.listen(&mut wire, rest).await?;
            if self.chance.percent(1) {
                let rest = self.chance.millis(1000..4000);
                self.listen(&mut wire, rest).await?;
            }
        }
    }

    /// Asks for a session, or for its own; whether it has it.
    async fn greet(&mut self, wire: &mut Wire) -> io::Result<bool> {
        let password = session_password(self.session);
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.seen.0,
            timeout_ms: TIMEOUT_MS,
            session_id: self.session.0,
            password: Some(&password),
            read_only: Some(false),
        };
        wire.put(|out| request.encode(out));
        wire.flush().await?;
        let Some(answer) = wire.next(PATIENCE).await? else { return Ok(false) };
        let answer = ConnectResponse::decode(&answer).map_err(io::Error::other)?;
        let session = SessionId(answer.session_id);
        if session == SessionId::NONE {
            if !self.cluster.history.has_ended(self.session) {
                self.broken(Check::Sessions, "it is refused, and has not ended");
            }
            self.session_ended();
            return Ok(false);
        }
        self.session = session;
        Ok(true)
    }

    /// Asks all at once, and waits for the answers.
    async fn ask(&mut self, wire: &mut Wire, asked: Vec<Asked>) -> io::Result<()> {
        let own = self.own_path();
        for asked in asked {
            let xid = asked.xid(self.next_xid);
            self.next_xid += 1;
            if asked == Asked::SetOwn {
                self.own.iter_mut().for_each(Own::writes);
            }
            wire.put(|out| asked.request(&own).encode(xid, out));
            let (began, acknowledged) =
                (self.cluster.now(), self.cluster.history.highest_acknowledged());
            self.pending.push_back(Pending { xid, asked, began, acknowledged });
        }
        wire.flush().await?;
        if self.chance.percent(3) {
            // It is busy with something else, and does not read.
            sleep(self.chance.millis(1..500)).await;
        }
        while !self.pending.is_empty() {
            let Some(frame) = wire.next(PATIENCE).await? else {
                return Err(io::ErrorKind::TimedOut.into());
            };
            self.take(&frame)?;
        }
        Ok(())
    }

    /// Waits for events, and lets the server hear it.
    async fn listen(&mut self, wire: &mut Wire, rest: Duration) -> io::Result<()> {
        let until = Instant::now() + rest;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            match wire.next(left.min(PING_AFTER)).await? {
                Some(frame) => self.take(&frame)?,
                None if left > PING_AFTER => self.ask(wire, vec![Asked::Ping]).await?,
                None => {}
            }
        }
    }

    /// What to ask next, all at once.
    fn choose(&mut self) -> Vec<Asked> {
        let mut asked = Vec::new();
        if self.own.is_none() {
            return vec![Asked::CreateOwn];
        }
        let most = if self.chance.percent(5) { AT_ONCE_MAX } else { AT_ONCE };
        for _ in 0..=self.chance.below(most - 1) {
            asked.push(self.choose_one());
        }
        if self.chance.below(200) == 0 {
            asked.push(Asked::Close);
        }
        asked
    }

    fn choose_one(&mut self) -> Asked {
        let shared = format!("{SHARED}/{}", self.chance.below(SHARED_MAX));
        let watch = self.chance.percent(50);
        match self.chance.below(22) {
            0..3 => Asked::SetOwn,
            3..6 => Asked::ReadOwn,
            6 if self.ephemerals.len() < EPHEMERALS_MAX => {
                self.created += 1;
                Asked::CreateEphemeral(format!("/ephemeral-{}-{}", self.number, self.created))
            }
            7 if !self.ephemerals.is_empty() => {
                let path = self.ephemerals.remove(self.chance.index(self.ephemerals.len()));
                self.uncertain.push(path.clone());
                Asked::DeleteEphemeral(path)
            }
            8 if !self.ephemerals.is_empty() => {
                let path = &self.ephemerals[self.chance.index(self.ephemerals.len())];
                Asked::ReadEphemeral(path.clone())
            }
            9..11 => Asked::Create(shared, watch),
            11 => Asked::Delete(shared),
            12..14 => Asked::Set(shared),
            14..16 => Asked::GetData(shared, watch),
            16 => Asked::GetData(format!("/own-{}", 1 + self.chance.below(4)), watch),
            17..19 => Asked::Exists(shared, watch),
            19 => Asked::GetChildren(watch),
            20 if self.chance.percent(30) => {
                let path = if watch { SHARED.to_owned() } else { shared };
                Asked::AddWatch(path, watch)
            }
            _ => Asked::Sync,
        }
    }
}
