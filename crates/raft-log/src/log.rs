//! The log as openraft sees it: a tail in memory, the disk behind it.
//!
//! Everything here runs inside openraft's core task or its readers, so it only copies
//! references; encoding and writing are the log thread's.

use std::{
    collections::VecDeque,
    fmt::Debug,
    io,
    ops::{Bound, RangeBounds},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use openraft::{
    LogState, OptionalSend, RaftLogReader,
    storage::{IOFlushed, RaftLogStorage},
};
use parking_lot::{Mutex, RwLock};
use tokio::sync::oneshot;

use crate::{
    disk::{DiskState, LogDisk, LogOp},
    log_thread::{CommittedHint, Done, Job, Jobs},
    types::{
        Entry, LogId, Payload, Types, Vote, from_stored, log_id, position, stored_vote, to_stored,
        vote,
    },
};

/// Most bytes read at once for replication and for apply.
const READ_BYTES_MAX: usize = 2 << 20;

/// The log: cheap to clone, all clones are the same log.
#[derive(Clone)]
pub(crate) struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    disk: Arc<dyn LogDisk>,
    /// None when the log has ended.
    thread: Mutex<Option<Jobs>>,
    state: RwLock<State>,
    tail_bytes_max: usize,
    /// The number of the entry after the last one on disk; kept by the log thread.
    written: Arc<AtomicU64>,
    hint: Arc<CommittedHint>,
}

struct State {
    vote: Option<Vote>,
    founding: Option<Bytes>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    /// Where the log begins: behind what was purged.
    first: u64,
    last: Option<LogId>,
    /// The newest entries, without holes up to `last`.
    tail: VecDeque<Entry>,
    tail_bytes: usize,
}

impl Log {
    /// A log over what the disk holds.
    pub(crate) fn new(
        disk: Arc<dyn LogDisk>,
        found: &DiskState,
        thread: Jobs,
        tail_bytes_max: usize,
        written: Arc<AtomicU64>,
        hint: Arc<CommittedHint>,
    ) -> Self {
        let state = State {
            vote: found.vote.map(vote),
            founding: found.founding.clone(),
            committed: found.committed.map(log_id),
            purged: found.purged.map(log_id),
            first: found.purged.map_or(0, |purged| purged.index + 1),
            last: found.last.map(log_id),
            tail: VecDeque::new(),
            tail_bytes: 0,
        };
        let (thread, state) = (Mutex::new(Some(thread)), RwLock::new(state));
        let shared = Shared { disk, thread, state, tail_bytes_max, written, hint };
        Self { shared: Arc::new(shared) }
    }

    fn send(&self, ops: Vec<LogOp>, done: Done) -> io::Result<()> {
        let thread = self.shared.thread.lock();
        match &*thread {
            Some(jobs) if jobs.send(Job { ops, done }) => Ok(()),
            Some(_) | None => Err(io::Error::other("the log thread has ended")),
        }
    }

    /// Lets the log thread end when it has written what is queued. Nothing can be written
    /// from here on.
    pub(crate) fn end(&self) {
        *self.shared.thread.lock() = None;
    }

    /// The last entry.
    pub(crate) fn last(&self) -> Option<LogId> {
        self.shared.state.read().last
    }

    /// What was promised for the founding of a cluster.
    pub(crate) fn founding(&self) -> Option<Bytes> {
        self.shared.state.read().founding.clone()
    }

    /// Remembers what is promised for the founding of a cluster; on disk on return.
    pub(crate) async fn save_founding(&self, promised: Bytes) -> io::Result<()> {
        self.write(LogOp::Founding(promised.clone())).await?;
        self.shared.state.write().founding = Some(promised);
        Ok(())
    }

    async fn write(&self, op: LogOp) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.send(vec![op], Done::Waiter(sender))?;
        receiver.await.map_err(|_| io::Error::other("the log thread has ended"))?
    }

    /// The entries from `start` up to but not including `end`, at least one if there is
    /// one, and more of them only up to `bytes_max`: they go into one message to a follower.
    fn read(&self, start: u64, end: u64, bytes_max: usize) -> io::Result<Vec<Entry>> {
        let in_memory_from = {
            let state = self.shared.state.read();
            match state.tail.front() {
                Some(front) if front.log_id.index <= start => {
                    return Ok(state.copy_tail(start, end, bytes_max));
                }
                Some(front) => front.log_id.index,
                None => end,
            }
        };
        let stored = self.shared.disk.read(start, end.min(in_memory_from), bytes_max)?;
        stored.into_iter().map(from_stored).collect()
    }
}

impl State {
    fn copy_tail(&self, start: u64, end: u64, bytes_max: usize) -> Vec<Entry> {
        let Some(front) = self.tail.front() else { return Vec::new() };
        let skip = usize::try_from(start.saturating_sub(front.log_id.index)).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let mut copied = Vec::new();
        for entry in self.tail.iter().skip(skip).take_while(|entry| entry.log_id.index < end) {
            bytes += entry_bytes(entry);
            if bytes > bytes_max && !copied.is_empty() {
                break;
            }
            copied.push(entry.clone());
        }
        copied
    }

    fn push(&mut self, entry: Entry) {
        if self.last.is_none() {
            self.first = entry.log_id.index;
        }
        self.last = Some(entry.log_id);
        self.tail_bytes += entry_bytes(&entry);
        self.tail.push_back(entry);
    }

    /// Forgets old entries that are on disk and committed, beyond the budget.
    fn trim(&mut self, bytes_max: usize, written: u64) {
        let committed = self.committed.map_or(0, |committed| committed.index);
        let needless = committed.min(written);
        while self.tail_bytes > bytes_max
            && self.tail.front().is_some_and(|front| front.log_id.index < needless)
            && let Some(front) = self.tail.pop_front()
        {
            self.tail_bytes -= entry_bytes(&front);
        }
    }
}

/// What an entry costs in memory, roughly.
fn entry_bytes(entry: &Entry) -> usize {
    128 + match &entry.payload {
        Payload::Blank | Payload::Membership(_) => 0,
        Payload::Normal(batches) => batches.0.len(),
    }
}

/// The half-open range of indexes that a range stands for.
fn half_open(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    (start, end)
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        let (start, end) = half_open(&range);
        // What was purged and what is not there yet is left out; a hole between is an error.
        let (mut start, end) = {
            let state = self.shared.state.read();
            (start.max(state.first), end.min(state.last.map_or(0, |last| last.index + 1)))
        };
        let mut entries = Vec::new();
        while start < end {
            let some = self.read(start, end, READ_BYTES_MAX)?;
            let Some(last) = some.last() else {
                return Err(io::Error::other(format!("log entry {start} is missing")));
            };
            start = last.log_id.index + 1;
            entries.extend(some);
        }
        Ok(entries)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        self.read(start, end, READ_BYTES_MAX)
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.shared.state.read().vote)
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types>> {
        let state = self.shared.state.read();
        Ok(LogState { last_purged_log_id: state.purged, last_log_id: state.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        self.write(LogOp::Vote(stored_vote(vote))).await?;
        self.shared.state.write().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        let Some(committed) = committed else { return Ok(()) };
        let mut state = self.shared.state.write();
        state.committed = Some(committed);
        state.trim(self.shared.tail_bytes_max, self.shared.written.load(Ordering::Acquire));
        // It goes to disk with the next entries: waking the log thread for a hint would
        // cost a lone client a sixth of its processor time.
        self.shared.hint.set(position(&committed));
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.shared.state.read().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut stored = Vec::new();
        let mut state = self.shared.state.write();
        for entry in entries {
            stored.push(to_stored(&entry));
            state.push(entry);
        }
        let mut ops = vec![LogOp::Append(stored)];
        ops.extend(self.shared.hint.take());
        drop(state);
        self.send(ops, Done::Callback(callback))
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        {
            let mut state = self.shared.state.write();
            if state.last <= last {
                return Ok(());
            }
            let keep = |entry: &Entry| last.is_some_and(|last| entry.log_id.index <= last.index);
            while let Some(back) = state.tail.pop_back_if(|entry| !keep(entry)) {
                state.tail_bytes -= entry_bytes(&back);
            }
            state.last = last.or(state.purged);
        }
        self.write(LogOp::TruncateAfter(last.map(|last| last.index))).await
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        {
            let mut state = self.shared.state.write();
            while let Some(front) =
                state.tail.pop_front_if(|entry| entry.log_id.index <= upto.index)
            {
                state.tail_bytes -= entry_bytes(&front);
            }
            state.purged = Some(upto);
            state.first = upto.index + 1;
            if state.last.is_none_or(|last| last.index < upto.index) {
                state.last = Some(upto);
            }
        }
        // Nobody waits for it: openraft would do nothing else meanwhile, and a leader whose disk
        // was slow just then would send no sign of life. What is lost of it is purged again.
        self.send(vec![LogOp::Purge(position(&upto))], Done::Nobody)
    }
}
