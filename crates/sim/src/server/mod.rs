//! A simulated server: the real log, state, sessions and watches, with tasks around them that do
//! what those of `server` do.

mod connection;
mod core;
mod duties;

use std::{
    future::Future,
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use parking_lot::Mutex;
use raft_log::{Busy, RaftLog, Standstill, transport};
use tokio::{sync::mpsc, task::JoinSet};
use tree::{Command, Owner};

pub use core::Core;

use core::{Awaiting, Link};

use crate::history::History;

/// The length of a tick.
pub const TICK_MS: u64 = 1000;
/// The shortest session timeout; also how long a server serves that is out of touch.
pub const TIMEOUT_MIN_MS: i32 = 2000;
/// The longest.
pub const TIMEOUT_MAX_MS: i32 = 20_000;

/// With so many bytes waiting to be sent requests are put off: little, as the answers are.
const OUT_HIGH_WATER: usize = 256;

/// A server that is up.
#[derive(Debug)]
pub struct Up {
    /// Its number.
    pub server: i64,
    /// Its log.
    pub log: RaftLog,
    /// Its state, and who is connected.
    pub core: Arc<Core>,
    /// Whether clients are served.
    is_serving: AtomicBool,
    /// The term in which it starts things by itself, or 0.
    leading: AtomicU64,
    next_owner: AtomicU64,
    history: Arc<History>,
    standstill: Standstill,
    tasks: Mutex<JoinSet<()>>,
}

impl Up {
    /// Lets a server work whose log runs, and stands still when `standstill` says so. `life` is
    /// a number that no other start of any server has.
    pub fn start(
        server: i64,
        life: u64,
        log: RaftLog,
        core: Arc<Core>,
        history: Arc<History>,
        standstill: Standstill,
        clients: mpsc::UnboundedReceiver<transport::Connection>,
    ) -> Arc<Self> {
        let up = Arc::new(Self {
            server,
            log,
            core,
            is_serving: AtomicBool::new(false),
            leading: AtomicU64::new(0),
            next_owner: AtomicU64::new((life << 32) | 1),
            history,
            standstill,
            tasks: Mutex::default(),
        });
        up.spawn(duties::follow(Arc::clone(&up)));
        up.spawn(duties::expire_sessions(Arc::clone(&up)));
        up.spawn(duties::report_heard(Arc::clone(&up)));
        up.spawn(duties::hear_others(Arc::clone(&up)));
        up.spawn(connection::accept(Arc::clone(&up), clients));
        up
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let standstill = self.standstill.clone();
        self.tasks.lock().spawn(async move { standstill.with(task).await });
    }

    /// Stops its process where it is.
    pub fn stand_still(&self) {
        self.history.stands_still(self.server);
        self.standstill.begin();
    }

    /// Lets its process go on; nothing happens if it does not stand still.
    pub fn go_on(&self) {
        self.history.goes_on(self.server);
        self.standstill.end();
    }

    /// Ends all tasks but the log's.
    pub fn end_tasks(&self) {
        self.tasks.lock().abort_all();
    }

    fn is_serving(&self) -> bool {
        self.is_serving.load(Ordering::Relaxed)
    }

    fn draw_owner(&self) -> Owner {
        Owner(self.next_owner.fetch_add(1, Ordering::Relaxed))
    }

    fn propose(&self, command: &Command<'_>, link: Option<&Arc<Link>>) -> Result<(), Busy> {
        self.log.proposer().propose(self.core.clock.wall(), command, |sequence| {
            self.core.await_outcome(command, Awaiting { sequence, link: link.cloned() });
        })
    }
}
