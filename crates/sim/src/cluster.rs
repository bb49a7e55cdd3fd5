//! The servers of a run: those that are up, and what outlives those that are not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use raft_log::{EnsembleConfig, RaftLog, RaftLogConfig, Role, ServerSpec, Standstill, Status};
use tokio::time::{Instant, sleep, timeout};
use tree::OriginId;

use crate::{
    chance::Chance,
    checks::Check,
    clock::Clock,
    disk::Disk,
    history::History,
    net::Net,
    operator::{Wanted, spec},
    server::{Core, Up},
};

/// Commands between two checkpoints: few, so that there are many.
const CHECKPOINT_COMMANDS: u64 = 40;
/// Entries kept behind a checkpoint: few, so that checkpoints are sent.
const KEEP_ENTRIES: u64 = 10;

/// How long a server may take to end in order.
const STOP_MAX: Duration = Duration::from_secs(10);
/// How often one looks, at the most, whether all have everything before one is wiped.
const WIPE_LOOKS: u64 = 100;
/// Between two looks.
const WIPE_LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Debug)]
struct Server {
    node: u64,
    /// With other servers it may found a cluster: not once it has lost its data.
    may_found: bool,
    incarnation: u64,
    disk: Disk,
    clock: Clock,
    up: Option<Arc<Up>>,
    /// It is not up yet; its power may fail meanwhile.
    is_starting: bool,
}

impl Server {
    /// A new one, which belongs to no cluster.
    fn empty(began: Instant, chance: &Chance) -> Self {
        let node = (1 << 63) | chance.below(1 << 62);
        let disk = Disk::new(chance.clone());
        let clock = Clock::new(began, chance);
        Self { node, may_found: false, incarnation: 0, disk, clock, up: None, is_starting: false }
    }
}

/// All servers.
#[derive(Debug)]
pub struct Cluster {
    servers: Mutex<BTreeMap<i64, Server>>,
    /// Who is to be a member.
    pub(crate) wanted: Mutex<Wanted>,
    /// Held while somebody sees to that.
    pub(crate) operating: tokio::sync::Mutex<()>,
    last_number: AtomicI64,
    /// The first so many servers found the ensemble.
    founders: i64,
    /// Between them.
    pub net: Net,
    /// What happened.
    pub history: Arc<History>,
    began: Instant,
}

impl Cluster {
    /// Servers 1 to `count`, none of them up.
    pub fn new(count: i64, chance: &Chance) -> Self {
        let began = Instant::now();
        let servers = (1..=count).map(|number| (number, Server::empty(began, chance)));
        let founding = |server| Server { may_found: true, ..server };
        Self {
            servers: Mutex::new(
                servers.map(|(number, server)| (number, founding(server))).collect(),
            ),
            wanted: Mutex::new((1..=count).map(|number| (number, true)).collect()),
            operating: tokio::sync::Mutex::default(),
            last_number: AtomicI64::new(count),
            founders: count,
            net: Net::new(chance.clone()),
            history: Arc::default(),
            began,
        }
    }

    /// Simulated time since the beginning.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// The numbers of all servers.
    pub fn all(&self) -> Vec<i64> {
        self.servers.lock().keys().copied().collect()
    }

    /// The members that are wanted, and whether they are to vote.
    pub(crate) fn wanted(&self) -> Wanted {
        self.wanted.lock().clone()
    }

    /// Servers that are to be no members.
    pub(crate) fn absent(&self) -> Vec<i64> {
        let wanted = self.wanted();
        self.all().into_iter().filter(|number| !wanted.contains_key(number)).collect()
    }

    /// Adds an empty server that is not up, and gives its number.
    pub(crate) fn add_server(&self, chance: &Chance) -> i64 {
        let number = self.last_number.fetch_add(1, Ordering::Relaxed) + 1;
        self.servers.lock().insert(number, Server::empty(self.began, chance));
        number
    }

    /// A server goes for good.
    pub(crate) fn retire(&self, server: i64) {
        self.crash(server);
        self.servers.lock().remove(&server);
    }

    /// What the configuration of a server that starts now says of all. Once there is an ensemble
    /// it has everybody who may belong to it, those that are to go included: one of them may
    /// lead.
    fn specs(&self, own: i64) -> Vec<ServerSpec> {
        let servers = if self.history.is_founded() {
            let wanted = self.wanted();
            let votes = |number| wanted.get(number).copied().unwrap_or(true);
            self.all().iter().map(|number| (*number, votes(number))).collect()
        } else {
            let founders = (1..=self.founders).chain([own]);
            founders.map(|number| (number, true)).collect::<Wanted>()
        };
        servers.into_iter().map(|(number, votes)| spec(number, votes)).collect()
    }

    /// A server, if it is up.
    pub fn up(&self, server: i64) -> Option<Arc<Up>> {
        self.servers.lock().get(&server)?.up.clone()
    }

    /// Starts a server that is not up.
    pub async fn start(self: &Arc<Self>, server: i64) {
        let (disk, clock, node, may_found, incarnation) = {
            let mut servers = self.servers.lock();
            let is_down = |server: &&mut Server| server.up.is_none() && !server.is_starting;
            let Some(server) = servers.get_mut(&server).filter(is_down) else { return };
            server.is_starting = true;
            server.incarnation += 1;
            (server.disk.clone(), server.clock, server.node, server.may_found, server.incarnation)
        };
        let origin = OriginId { node, incarnation };
        let core = Arc::new(Core::new(server, origin, clock, Arc::clone(&self.history)));
        let mut config = RaftLogConfig::new(node, incarnation);
        config.server_id = server;
        config.checkpoint_commands = CHECKPOINT_COMMANDS;
        let mut config = config.with_ensemble(EnsembleConfig {
            servers: self.specs(server),
            listen: Net::address(server),
            listen_attempts: 1,
            may_found,
            transport: self.net.plug_in(server),
        });
        config.keep_entries = KEEP_ENTRIES;
        let (log, checkpoints) = disk.hold();
        let life = disk.life();
        let standstill = Standstill::default();
        let started = RaftLog::start(config, log, checkpoints, Arc::<Core>::clone(&core));
        let started = standstill.with(started).await;
        if let Some(server) = self.servers.lock().get_mut(&server) {
            server.is_starting = false;
        }
        match started {
            Ok(log) => {
                let clients = self.net.serve_clients(server);
                let history = Arc::clone(&self.history);
                let number = (server.unsigned_abs() << 16) | incarnation;
                let up = Up::start(server, number, log, core, history, standstill, clients);
                tokio::spawn(Arc::clone(self).stop_when_failed(server, Arc::clone(&up)));
                if let Some(server) = self.servers.lock().get_mut(&server) {
                    server.up = Some(up);
                }
            }
            Err(_) if disk.life() != life => {}
            Err(error) => {
                let what = format!("server {server} does not start: {error}");
                self.history.broken(Check::Starting, &what);
            }
        }
    }

    /// A server whose log has failed ends at once, as `server` does.
    async fn stop_when_failed(self: Arc<Self>, server: i64, up: Arc<Up>) {
        let mut failed = up.log.failed();
        if failed.wait_for(Option::is_some).await.is_err() {
            return;
        }
        if self.up(server).is_some_and(|present| Arc::ptr_eq(&present, &up)) {
            self.crash(server);
        }
    }

    /// The power of a server fails: nothing that it still does has any effect.
    pub fn crash(&self, server: i64) {
        self.net.crash(server);
        let mut servers = self.servers.lock();
        let Some(server) = servers.get_mut(&server) else { return };
        server.disk.crash();
        let Some(up) = server.up.take() else { return };
        up.end_tasks();
        up.go_on();
        // What is left of it ends by itself; nobody waits for it.
        tokio::spawn(async move { up.log.kill().await });
    }

    /// Replaces a server by an empty one of its number, if all its data is elsewhere as well.
    pub async fn wipe(self: &Arc<Self>, server: i64, chance: &Chance) -> bool {
        let mut looks = 0;
        while !self.is_settled() {
            looks += 1;
            if looks > WIPE_LOOKS {
                return false;
            }
            sleep(WIPE_LOOK_EVERY).await;
        }
        self.crash(server);
        if let Some(server) = self.servers.lock().get_mut(&server) {
            server.node = (1 << 63) | chance.below(1 << 62);
            server.may_found = false;
            server.disk = Disk::new(chance.clone());
        }
        self.start(server).await;
        true
    }

    /// Whether the members are those that are wanted, and no others, and vote as is wanted.
    pub(crate) fn is_whole(&self) -> bool {
        let Some(leader) = self.leaders().first().and_then(|leader| self.up(*leader)) else {
            return false;
        };
        let status = leader.log.status();
        let status = status.borrow();
        let servers = self.servers.lock();
        let members = &status.members.members;
        let wanted = self.wanted();
        let is_member = |(number, votes): (&i64, &bool)| {
            let node = servers.get(number).map(|server| server.node);
            let own = members.iter().find(|one| Some(one.node) == node);
            own.is_some_and(|own| own.voting == *votes && own.server.server_id == *number)
        };
        !status.members.changing && members.len() == wanted.len() && wanted.iter().all(is_member)
    }

    /// Ends a server in order, or by force if that takes too long; whether it ended in time.
    pub async fn stop(&self, server: i64) -> bool {
        let up = self.servers.lock().get_mut(&server).and_then(|server| server.up.take());
        let Some(up) = up else { return true };
        up.go_on();
        let has_ended = timeout(STOP_MAX, up.log.shutdown()).await.is_ok();
        up.end_tasks();
        self.net.crash(server);
        if let Some(server) = self.servers.lock().get(&server) {
            server.disk.end_process();
        }
        if !has_ended {
            tokio::spawn(async move { up.log.kill().await });
        }
        has_ended
    }

    /// The process of a server is stopped, for so long if nothing happens to it before.
    pub fn stand_still(&self, server: i64, lasts: Duration) -> bool {
        let Some(up) = self.up(server) else { return false };
        up.stand_still();
        tokio::spawn(async move {
            sleep(lasts).await;
            up.go_on();
        });
        true
    }

    /// All servers go on.
    pub fn all_go_on(&self) {
        for up in self.servers.lock().values().filter_map(|server| server.up.as_ref()) {
            up.go_on();
        }
    }

    /// Whether a server's disk is slow from now on.
    pub fn set_slow(&self, server: i64, is_slow: bool) {
        if let Some(server) = self.servers.lock().get(&server) {
            server.disk.set_slow(is_slow);
        }
    }

    /// A server's disk fails: the server stops when it notices.
    pub fn fail_disk(&self, server: i64) {
        if let Some(server) = self.servers.lock().get(&server) {
            server.disk.fail();
        }
    }

    /// A server's disk is as it should be.
    pub fn mend_disk(&self, server: i64) {
        if let Some(server) = self.servers.lock().get(&server) {
            server.disk.mend();
        }
    }

    /// Cuts links: nothing from the first to the second of each pair.
    pub fn cut(&self, cut: BTreeSet<(i64, i64)>) {
        self.net.set_cut(cut);
    }

    /// Who says that it leads.
    pub fn leaders(&self) -> Vec<i64> {
        let servers = self.servers.lock();
        let leads = |server: &Server| {
            let up = server.up.as_ref();
            up.is_some_and(|up| up.log.status().borrow().role == Role::Leading)
        };
        servers.iter().filter(|(_, server)| leads(server)).map(|(number, _)| *number).collect()
    }

    /// How each server sees the ensemble, and the members that are wanted, for people to read.
    pub(crate) fn describe(&self) -> String {
        let servers = self.servers.lock();
        let each = servers.iter().map(|(number, server)| {
            let Some(up) = &server.up else { return format!("{number} is down") };
            let Status { role, term, members, .. } = up.log.status().borrow().clone();
            let (zxid, digest) = up.core.digest();
            let changing = if members.changing { ", which change" } else { "" };
            let members: Wanted =
                members.members.iter().map(|one| (one.server.server_id, one.voting)).collect();
            format!(
                "{number} is {role:?} in term {term} with state {digest:x} of {zxid:?} and members \
                 {members:?}{changing}"
            )
        });
        let each: Vec<_> = each.collect();
        format!("wanted are {:?}; {}", self.wanted(), each.join("; "))
    }

    /// Whether all members are up, as they are wanted, and have the same state, and one leads.
    pub fn is_settled(&self) -> bool {
        let wanted = self.wanted();
        let servers = self.servers.lock();
        let mut digests =
            wanted.keys().map(|number| Some(servers.get(number)?.up.as_ref()?.core.digest()));
        let first = digests.next().flatten();
        let equal = first.is_some() && digests.all(|digest| digest == first);
        drop(digests);
        drop(servers);
        equal && self.leaders().len() == 1 && self.is_whole()
    }
}
