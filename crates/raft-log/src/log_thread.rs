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
};

use openraft::storage::IOFlushed;
use tokio::sync::{oneshot, watch};

use crate::{
    disk::{LogDisk, LogOp},
    types::Types,
};

/// Most changes in one group.
const GROUP_OPS_MAX: usize = 4096;
/// Most bytes of entries in one group, give or take the last change.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// One change and who waits for it.
pub(crate) struct Job {
    pub(crate) op: LogOp,
    pub(crate) done: Done,
}

/// Who waits for a change to be written.
pub(crate) enum Done {
    /// openraft, by its callback.
    Callback(IOFlushed<Types>),
    /// A caller that waits.
    Waiter(oneshot::Sender<io::Result<()>>),
    /// Nobody.
    Nobody,
}

impl Done {
    fn tell(self, result: io::Result<()>) {
        match self {
            Self::Callback(callback) => callback.io_completed(result),
            // A caller that has gone away does not want to know.
            Self::Waiter(waiter) => drop(waiter.send(result)),
            Self::Nobody => {}
        }
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
) -> io::Result<(mpsc::Sender<Job>, thread::JoinHandle<()>)> {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::Builder::new().name("log".to_owned()).spawn(move || {
        let guard = AbortOnPanic;
        run(&*disk, &receiver, &failed, &written);
        std::mem::forget(guard);
    })?;
    Ok((sender, thread))
}

/// A log thread that panics leaves callers waiting for ever: better to end at once.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        std::process::abort();
    }
}

fn run(
    disk: &dyn LogDisk,
    jobs: &mpsc::Receiver<Job>,
    failed: &watch::Sender<Option<String>>,
    written: &AtomicU64,
) {
    let mut error: Option<io::Error> = None;
    while let Ok(first) = jobs.recv() {
        let (ops, waiting) = collect(first, jobs);
        if error.is_none() {
            error = disk.write(&ops, needs_sync(&ops)).err();
            if let Some(error) = &error {
                tracing::error!(%error, "the log cannot be written; nothing more is acknowledged");
                failed.send_replace(Some(format!("the log cannot be written: {error}")));
            } else {
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
            LogOp::Vote(_) | LogOp::Purge(_) | LogOp::Committed(_) => {}
        }
    }
}

fn collect(first: Job, jobs: &mpsc::Receiver<Job>) -> (Vec<LogOp>, Vec<Done>) {
    let mut bytes = op_bytes(&first.op);
    let (mut ops, mut waiting) = (vec![first.op], vec![first.done]);
    while ops.len() < GROUP_OPS_MAX && bytes < GROUP_BYTES_MAX {
        let Ok(job) = jobs.try_recv() else { break };
        bytes += op_bytes(&job.op);
        ops.push(job.op);
        waiting.push(job.done);
    }
    (ops, waiting)
}

fn op_bytes(op: &LogOp) -> usize {
    match op {
        LogOp::Append(entries) => entries.iter().map(|entry| entry.payload.len()).sum(),
        LogOp::Vote(_) | LogOp::TruncateAfter(_) | LogOp::Purge(_) | LogOp::Committed(_) => 0,
    }
}

/// Purging and the committed hint may be lost: they are made again.
fn needs_sync(ops: &[LogOp]) -> bool {
    ops.iter().any(|op| match op {
        LogOp::Append(_) | LogOp::Vote(_) | LogOp::TruncateAfter(_) => true,
        LogOp::Purge(_) | LogOp::Committed(_) => false,
    })
}
