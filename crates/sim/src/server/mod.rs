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
use raft_log::{Busy, RaftLog, transport};
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
    /// Whether it starts things by itself.
    is_leading: AtomicBool,
    next_owner: AtomicU64,
    history: Arc<History>,
    tasks: Mutex<JoinSet<()>>,
}

impl Up {
    /// Lets a server work whose log runs. `life` is a number that no other start of any server
    /// has.
    pub fn start(
        server: i64,
        life: u64,
        log: RaftLog,
        core: Arc<Core>,
        history: Arc<History>,
        clients: mpsc::UnboundedReceiver<transport::Connection>,
    ) -> Arc<Self> {
        let up = Arc::new(Self {
            server,
            log,
            core,
            is_serving: AtomicBool::new(false),
            is_leading: AtomicBool::new(false),
            next_owner: AtomicU64::new((life << 32) | 1),
            history,
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
        self.tasks.lock().spawn(task);
    }

    /// Ends all tasks but the log's.
    pub fn end_tasks(&self) {
        self.tasks.lock().abort_all();
    }

    fn is_serving(&self) -> bool {
        self.is_serving.load(Ordering::Relaxed)
    }

    fn is_leading(&self) -> bool {
        self.is_leading.load(Ordering::Relaxed)
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
