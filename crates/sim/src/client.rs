//! Clients: each has a session, which it takes to another server when it hears nothing.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use tree::{
    AclEntry, Command, CommandFlags, CreateMode, Op, Outcome, Owner, Permissions, Reject, SessionId,
};

use crate::{chance::Chance, checks::Check, cluster::Cluster};

/// How long a client waits for an answer before it tries another server.
const PATIENCE: Duration = Duration::from_secs(4);
/// What sessions are opened with; nothing expires them here.
const TIMEOUT_MS: i32 = 30_000;

/// One client.
#[derive(Debug)]
pub struct Client {
    cluster: Arc<Cluster>,
    chance: Chance,
    number: u64,
    session: SessionId,
    connections: u64,
    created: u64,
}

impl Client {
    /// A client with no session yet.
    pub fn new(cluster: Arc<Cluster>, chance: Chance, number: u64) -> Self {
        let session = SessionId(0x100 + number.cast_signed());
        Self { cluster, chance, number, session, connections: 0, created: 0 }
    }

    /// Works until it is aborted.
    pub async fn run(mut self) {
        let mut is_open = false;
        loop {
            let servers = self.cluster.all();
            let server = servers[self.chance.index(servers.len())];
            self.connections += 1;
            is_open = self.stay_with(server, is_open).await;
            sleep(self.chance.millis(1..50)).await;
        }
    }

    /// Works on one server until that does not answer. Whether the session is open then.
    async fn stay_with(&mut self, server: i64, mut is_open: bool) -> bool {
        let op = if is_open {
            Op::AttachSession { timeout_ms: TIMEOUT_MS }
        } else {
            Op::OpenSession { timeout_ms: TIMEOUT_MS }
        };
        // Opening a session is sent again if nobody knows what became of it; the second one
        // finds it open.
        let Some(outcome) = self.do_at(server, op).await else { return is_open };
        is_open = is_open || outcome.result.is_ok();
        if let Err(reject) = outcome.result
            && is_open
        {
            let what = format!("{:?} is refused: {reject}", self.session);
            self.cluster.history.broken(Check::Owners, &what);
        }
        while let Some(outcome) = self.do_something(server).await {
            let is_gone = matches!(outcome.result, Err(Reject::SessionExpired));
            if is_gone {
                let what = format!("{:?} is lost", self.session);
                self.cluster.history.broken(Check::Owners, &what);
            }
            // An attempt to move to another server, long given up, may still come true and take
            // the session away; a client comes back then, as it does on a lost connection.
            let is_moved = matches!(outcome.result, Err(Reject::SessionMoved));
            if is_gone || is_moved || self.chance.percent(2) {
                break;
            }
            sleep(self.chance.millis(0..30)).await;
        }
        is_open
    }

    async fn do_something(&mut self, server: i64) -> Option<Outcome> {
        let path = format!("/client-{}", self.number);
        let anyone = AclEntry { perms: Permissions::ALL, scheme: "world", id: "anyone" };
        let acl = Some(vec![anyone]);
        let data = Some(&b"data"[..]);
        match self.chance.below(10) {
            0..3 => {
                self.created += 1;
                let path = format!("/node-{}-{}", self.number, self.created);
                let op = Op::Create { path: &path, data, acl, mode: CreateMode::Persistent };
                self.do_at(server, op).await
            }
            3 => {
                let path = format!("/shared-{}", self.chance.below(4));
                let op = Op::Create { path: &path, data, acl, mode: CreateMode::Ephemeral };
                self.do_at(server, op).await
            }
            4 => {
                let path = format!("/shared-{}", self.chance.below(4));
                self.do_at(server, Op::Delete { path: &path, version: -1 }).await
            }
            5 => {
                let op = Op::Create { path: &path, data, acl, mode: CreateMode::Persistent };
                self.do_at(server, op).await
            }
            6 => self.sync(server).await,
            _ => {
                let op = Op::SetData { path: Some(&path), data, version: -1 };
                self.do_at(server, op).await
            }
        }
    }

    /// Carries out one command, and notes when it was acknowledged.
    async fn do_at(&self, server: i64, op: Op<'_>) -> Option<Outcome> {
        let up = self.cluster.up(server)?;
        let command = Command {
            session: self.session,
            owner: Owner((self.number << 32) | self.connections),
            xid: 0,
            flags: CommandFlags::default(),
            identities: Vec::new(),
            op,
        };
        let began = self.cluster.now();
        let outcome = timeout(PATIENCE, up.carry_out(began, &command)).await.ok()??;
        self.cluster.history.acknowledged(began, self.cluster.now(), outcome.zxid);
        Some(outcome)
    }

    /// What was acknowledged to anybody before a sync is there after it.
    async fn sync(&self, server: i64) -> Option<Outcome> {
        let up = self.cluster.up(server)?;
        let known = self.cluster.history.highest_acknowledged();
        timeout(PATIENCE, up.log.read_barrier()).await.ok()?.ok()?;
        let (seen, _) = up.tree.digest();
        if seen < known {
            let what = format!("a sync at server {server} gives {seen}, {known} was acknowledged");
            self.cluster.history.broken(Check::Sync, &what);
        }
        self.do_at(server, Op::Delete { path: "/not-there", version: -1 }).await
    }
}
