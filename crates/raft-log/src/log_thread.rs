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

use openraft::storage::IOFlushed;
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use crate::{
    disk::{LogDisk, LogOp, LogPosition},
    panic::abort_on_panic,
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
}

impl Done {
    fn tell(self, result: io::Result<()>) {
        match self {
            Self::Callback(callback) => callback.io_completed(result),
            // A caller that has gone away does not want to know.
            Self::Waiter(waiter) => drop(waiter.send(result)),
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

/// Starts the thread. It ends when the sender is dropped, or at the first error, which it
/// reports to `failed` and to everybody who waits or comes later.
///
/// `written` is kept at the number of the entry after the last one on disk.
pub(crate) fn start(
    disk: Arc<dyn LogDisk>,
    failed: watch::Sender<Option<String>>,
    written: Arc<AtomicU64>,
    hint: Arc<CommittedHint>,
) -> io::Result<(mpsc::Sender<Job>, thread::JoinHandle<()>)> {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::Builder::new().name("log".to_owned()).spawn(move || {
        // A log thread that panics leaves callers waiting for ever: better to end at once.
        abort_on_panic(|| run(&*disk, &receiver, &failed, &written, &hint));
    })?;
    Ok((sender, thread))
}

fn run(
    disk: &dyn LogDisk,
    jobs: &mpsc::Receiver<Job>,
    failed: &watch::Sender<Option<String>>,
    written: &AtomicU64,
    hint: &CommittedHint,
) {
    let mut error: Option<io::Error> = None;
    let mut resting = true;
    loop {
        let first = match wait(jobs, resting) {
            Next::Job(job) => job,
            Next::Quiet => {
                if error.is_none() {
                    error = note_error(write_hint(disk, hint).and_then(|()| disk.rest()), failed);
                }
                resting = true;
                continue;
            }
            Next::End => {
                if error.is_none() {
                    note_error(write_hint(disk, hint), failed);
                }
                return;
            }
        };
        resting = false;
        let (ops, waiting) = collect(first, jobs);
        if error.is_none() {
            error = note_error(disk.write(&ops, needs_sync(&ops)), failed);
            if error.is_none() {
                note_written(&ops, written);
            }
        }
        for done in waiting {
            done.tell(match &error {
                None => Ok(()),
                Some(error) => Err(io::Error::new(error.kind(), error.to_string())),
            });
        }
    }
}

fn write_hint(disk: &dyn LogDisk, hint: &CommittedHint) -> io::Result<()> {
    hint.take().map_or(Ok(()), |op| disk.write(&[op], false))
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
