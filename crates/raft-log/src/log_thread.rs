//! The one thread that writes the log.
//!
//! It takes all that is queued, writes and syncs it as one group, and then says so to
//! everybody who waits for a part of it. While it syncs, the next group collects.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use fault_points::{Point, pass};
use openraft::storage::IOFlushed;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, oneshot, watch},
    time::{sleep, timeout},
};

use crate::{
    disk::{LogDisk, LogOp, LogPosition},
    execution::{Worker, is_simulated},
    panic::abort_on_panic,
    standstill,
    types::Types,
};

/// Most changes in one group.
const GROUP_OPS_MAX: usize = 4096;
/// Most bytes of entries in one group, give or take the last change.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// How long nothing is written before the disk is told that it may rest.
const REST_AFTER: Duration = Duration::from_millis(100);

/// Changes that belong together and who waits for them.
pub(crate) struct Job {
    pub(crate) ops: Vec<LogOp>,
    pub(crate) done: Done,
}

/// Who waits for a change to be written.
pub(crate) enum Done {
    /// openraft, by its callback.
    Callback(IOFlushed<Types>),
    /// A caller that waits.
    Waiter(oneshot::Sender<io::Result<()>>),
    /// Nobody: it may be lost.
    Nobody,
}

impl Done {
    fn tell(self, result: io::Result<()>) {
        match self {
            Self::Callback(callback) => callback.io_completed(result),
            // A caller that has gone away does not want to know.
            Self::Waiter(waiter) => drop(waiter.send(result)),
            // An error was told to whoever must stop the server.
            Self::Nobody => {}
        }
    }
}

/// How far is committed, as far as the disk does not know it yet. It goes to disk with the
/// next entries, or when nothing is written for a while: a server that starts without the
/// others can show no more than it knows to be committed.
#[derive(Debug, Default)]
pub(crate) struct CommittedHint(Mutex<Option<LogPosition>>);

impl CommittedHint {
    pub(crate) fn set(&self, committed: LogPosition) {
        *self.0.lock() = Some(committed);
    }

    /// What must be written; the caller writes it.
    pub(crate) fn take(&self) -> Option<LogOp> {
        self.0.lock().take().map(LogOp::Committed)
    }
}

/// Where changes go to be written. The thread ends when this is dropped.
pub(crate) struct Jobs {
    queue: mpsc::Sender<Job>,
    /// Wakes the task that stands for the thread in a simulation.
    bell: Option<Arc<Notify>>,
}

impl Jobs {
    /// Queues a job; false when the thread has ended.
    pub(crate) fn send(&self, job: Job) -> bool {
        let sent = self.queue.send(job).is_ok();
        self.ring();
        sent
    }

    fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell.notify_one();
        }
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        // The task must look again to see that nothing comes any more.
        let (nobody, _) = mpsc::channel();
        drop(std::mem::replace(&mut self.queue, nobody));
        self.ring();
    }
}

/// Starts the thread. It ends when the sender is dropped, or at the first error, which it
/// reports to `failed` and to everybody who waits or comes later.
///
/// `written` is kept at the number of the entry after the last one on disk.
pub(crate) fn start(
    disk: Arc<dyn LogDisk>,
    failed: watch::Sender<Option<String>>,
    written: Arc<AtomicU64>,
    hint: Arc<CommittedHint>,
) -> io::Result<(Jobs, Worker)> {
    let (queue, receiver) = mpsc::channel();
    let writer = Writer { disk, failed, written, hint, error: None, resting: true };
    if is_simulated() {
        let bell = Arc::new(Notify::new());
        let task = standstill::spawn(writer.run_as_task(receiver, Arc::clone(&bell)));
        return Ok((Jobs { queue, bell: Some(bell) }, Worker::Task(task)));
    }
    let thread = thread::Builder::new().name("log".to_owned()).spawn(move || {
        // A log thread that panics leaves callers waiting for ever: better to end at once.
        abort_on_panic(|| writer.run(&receiver));
    })?;
    Ok((Jobs { queue, bell: None }, Worker::Thread(thread)))
}

/// What the thread works with.
struct Writer {
    disk: Arc<dyn LogDisk>,
    failed: watch::Sender<Option<String>>,
    written: Arc<AtomicU64>,
    hint: Arc<CommittedHint>,
    /// The first error: nothing is written after it.
    error: Option<io::Error>,
    /// Whether the disk was told that it may rest.
    resting: bool,
}

impl Writer {
    fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        loop {
            match wait(jobs, self.resting) {
                Next::Job(first) => {
                    let waiting = self.write(first, jobs);
                    self.tell(waiting);
                }
                Next::Quiet => self.rest(),
                Next::End => return self.write_hint(),
            }
        }
    }

    /// The same in a simulation, where writing takes as long as the disk says.
    async fn run_as_task(mut self, jobs: mpsc::Receiver<Job>, bell: Arc<Notify>) {
        loop {
            match jobs.try_recv() {
                Ok(first) => {
                    sleep(self.disk.latency()).await;
                    let waiting = self.write(first, &jobs);
                    sleep(self.disk.latency()).await;
                    self.tell(waiting);
                }
                Err(mpsc::TryRecvError::Empty) if self.resting => bell.notified().await,
                Err(mpsc::TryRecvError::Empty) => {
                    if timeout(REST_AFTER, bell.notified()).await.is_err() {
                        self.rest();
                    }
                }
                Err(mpsc::TryRecvError::Disconnected) => return self.write_hint(),
            }
        }
    }

    fn rest(&mut self) {
        self.write_hint();
        if self.error.is_none() {
            self.error = note_error(self.disk.rest(), &self.failed);
        }
        self.resting = true;
    }

    fn write_hint(&mut self) {
        if self.error.is_some() {
            return;
        }
        if let Some(op) = self.hint.take() {
            self.error = note_error(self.disk.write(&[op], false), &self.failed);
        }
    }

    /// Writes a group, and gives who waits for it.
    fn write(&mut self, first: Job, jobs: &mpsc::Receiver<Job>) -> Vec<Done> {
        self.resting = false;
        let (ops, waiting) = collect(first, jobs);
        if self.error.is_none() {
            self.error = note_error(self.disk.write(&ops, needs_sync(&ops)), &self.failed);
            if self.error.is_none() {
                note_written(&ops, &self.written);
            }
        }
        waiting
    }

    fn tell(&self, waiting: Vec<Done>) {
        pass(Point::LogTell);
        for done in waiting {
            done.tell(match &self.error {
                None => Ok(()),
                Some(error) => Err(io::Error::new(error.kind(), error.to_string())),
            });
        }
    }
}

/// The error, if there is one, after saying so to whoever must stop the server.
fn note_error(result: io::Result<()>, failed: &watch::Sender<Option<String>>) -> Option<io::Error> {
    let error = result.err()?;
    tracing::error!(%error, "the log cannot be written; nothing more is acknowledged");
    failed.send_replace(Some(format!("the log cannot be written: {error}")));
    Some(error)
}

enum Next {
    Job(Job),
    Quiet,
    End,
}

/// The next job; or that none came for a while, which is said once.
fn wait(jobs: &mpsc::Receiver<Job>, resting: bool) -> Next {
    if resting {
        return jobs.recv().map_or(Next::End, Next::Job);
    }
    match jobs.recv_timeout(REST_AFTER) {
        Ok(job) => Next::Job(job),
        Err(mpsc::RecvTimeoutError::Timeout) => Next::Quiet,
        Err(mpsc::RecvTimeoutError::Disconnected) => Next::End,
    }
}

fn note_written(ops: &[LogOp], written: &AtomicU64) {
    for op in ops {
        match op {
            LogOp::Append(entries) => {
                if let Some(last) = entries.last() {
                    written.store(last.position.index + 1, Ordering::Release);
                }
            }
            LogOp::TruncateAfter(last) => {
                written.store(last.map_or(0, |last| last + 1), Ordering::Release);
            }
            LogOp::Vote(_) | LogOp::Purge(_) | LogOp::Committed(_) | LogOp::Founding(_) => {}
        }
    }
}

fn collect(first: Job, jobs: &mpsc::Receiver<Job>) -> (Vec<LogOp>, Vec<Done>) {
    let mut bytes: usize = first.ops.iter().map(op_bytes).sum();
    let (mut ops, mut waiting) = (first.ops, vec![first.done]);
    while ops.len() < GROUP_OPS_MAX && bytes < GROUP_BYTES_MAX {
        let Ok(job) = jobs.try_recv() else { break };
        bytes += job.ops.iter().map(op_bytes).sum::<usize>();
        ops.extend(job.ops);
        waiting.push(job.done);
    }
    (ops, waiting)
}

fn op_bytes(op: &LogOp) -> usize {
    match op {
        LogOp::Append(entries) => entries.iter().map(|entry| entry.payload.len()).sum(),
        LogOp::Vote(_)
        | LogOp::TruncateAfter(_)
        | LogOp::Purge(_)
        | LogOp::Committed(_)
        | LogOp::Founding(_) => 0,
    }
}

/// Purging and the committed hint may be lost: they are made again.
fn needs_sync(ops: &[LogOp]) -> bool {
    ops.iter().any(|op| match op {
        LogOp::Append(_) | LogOp::Vote(_) | LogOp::TruncateAfter(_) | LogOp::Founding(_) => true,
        LogOp::Purge(_) | LogOp::Committed(_) => false,
    })
}
