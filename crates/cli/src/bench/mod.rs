//! `rookery bench`: a load generator that speaks plain `ZooKeeper` protocol.
//!
//! It exists to compare servers, so it drives a real `ZooKeeper` as well as Rookery, and keeps its
//! own CPU far below the server's: a thread owns its connections and an epoll, encodes every
//! request that is due into one buffer per connection, and parses replies in bulk.
//!
//! It talks only to the addresses it is given, always stops by itself, and leaves the znodes that it
//! created (below `--root`) in place, so that a later run finds its keys again. It does not
//! reconnect: a lost connection is reported, and makes the run fail.
//!
//! Latency is counted from the moment a request was *due*. In a closed loop that is when its slot
//! became free; in an open loop (`--rate`) it is the scheduled instant, so a stalled server is
//! charged for all requests that should have been sent meanwhile.

mod args;
mod churn;
mod connection;
mod fanout;
mod pace;
mod phases;
mod poller;
mod process;
mod report;
mod tally;
mod wire;
mod worker;
mod workload;

use std::io::Write;
use std::process::ExitCode;

pub(crate) use args::Args;

/// Why a run could not be carried out.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    /// The options contradict each other.
    #[error("{0}")]
    Options(&'static str),
    /// The server could not be reached, or a socket failed outside the measured load.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server refused a session.
    #[error("the server refused a session")]
    Refused,
    /// The server answered the preparations with an error code.
    #[error("preparing {path}: the server answered {code}")]
    Setup {
        /// The znode being created.
        path: String,
        /// The error code of the reply.
        code: i32,
    },
    /// The preparations ended with errors, so a measurement would mean nothing.
    #[error("preparing the keys: {0} of the creates failed")]
    Populate(u64),
    /// The figures of a process could not be read.
    #[error("no figures of process {0} in /proc")]
    Process(u32),
}

/// Names the action in which an I/O error happened.
fn io_error(what: &'static str) -> impl FnOnce(std::io::Error) -> BenchError {
    move |source| BenchError::Io { what, source }
}

/// Runs the load that `args` describe and prints the report on standard output.
///
/// Exit code 0 when every operation was answered without error, 1 when some were not, 2 when the
/// run could not be carried out.
pub(crate) fn run(args: &Args) -> ExitCode {
    let outcome = args.plan().and_then(|plan| phases::run(&plan));
    match outcome {
        Ok(report) => {
            let text = if args.json { report.to_json() } else { report.to_text() };
            // A closed pipe is the reader's choice, not our failure.
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr().lock(), "rookery bench: {error}");
            ExitCode::from(2)
        }
    }
}
