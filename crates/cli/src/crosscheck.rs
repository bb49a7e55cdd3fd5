//! `rookery crosscheck`: a proxy before a running `ZooKeeper` that compares Rookery with it.
//!
//! Exit codes: 0 when all was compared and nothing differed, 1 when something did, 2 when the
//! comparison could not begin, 3 when nothing differed but not all was compared.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crosscheck::{Auth, Copy, Crosscheck, Outcome, Servers, Settings};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use server::logging::{self, LogFormat};
use tokio::signal::unix::{SignalKind, signal};

/// Something differed.
const EXIT_DIFFERENT: u8 = 1;
/// The comparison could not begin.
const EXIT_USAGE: u8 = 2;
/// Nothing differed, but not all was compared.
const EXIT_INCOMPLETE: u8 = 3;

/// The longest time that can be given.
const TIME_MAX: Duration = Duration::from_secs(365 * 86_400);
/// How often a summary may come.
const SUMMARY_EVERY_MIN: Duration = Duration::from_secs(1);

/// The arguments of `rookery crosscheck`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The `ZooKeeper` that serves the clients: HOST:PORT, several with commas.
    #[arg(long, value_name = "SERVERS")]
    zookeeper: Servers,
    /// The Rookery to compare it with: the HOST:PORT of one server.
    #[arg(long, value_name = "SERVER")]
    rookery: Servers,
    /// Where clients connect to this proxy.
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// First copy `ZooKeeper`'s tree to Rookery, which must be empty.
    #[arg(long)]
    copy: bool,
    /// The most steps to bring a znode's versions and sequence number up to `ZooKeeper`'s.
    #[arg(long, value_name = "STEPS", default_value_t = 100_000, requires = "copy")]
    copy_steps: u32,
    /// Who the proxy is on both sides when it copies and observes, such as
    /// digest:super:password. It must be allowed to read everything.
    #[arg(long, value_name = "SCHEME:SECRET")]
    auth: Option<Auth>,
    /// Also write the report to this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Show data in reports, and not only its length and hash.
    #[arg(long)]
    show_data: bool,
    /// Serve figures for Prometheus at this address.
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
    /// Seconds between summaries.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    summary_every: Duration,
    /// Mebibytes that may wait to be compared; beyond, sessions are compared no more.
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    backlog: usize,
    /// Seconds that the counterpart of an event may take.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    settle: Duration,
    /// Seconds that Rookery may take to answer.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    patience: Duration,
    /// Seconds to compare what is left at the end.
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = seconds)]
    drain: Duration,
    /// What to log to standard error, such as `info`.
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
}

/// Compares until it is told to stop.
pub(crate) fn run(args: Args) -> ExitCode {
    let filter = args.log.clone().or_else(|| std::env::var(logging::FILTER_VARIABLE).ok());
    if let Err(error) = logging::start(filter.as_deref(), LogFormat::Text) {
        return fail(&error.to_string());
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start threads: {error}")),
    };
    match runtime.block_on(try_run(args)) {
        Ok(outcome) if outcome.counts.is_different() => ExitCode::from(EXIT_DIFFERENT),
        Ok(outcome) if outcome.is_complete() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(EXIT_INCOMPLETE),
        Err(error) => fail(&error),
    }
}

async fn try_run(args: Args) -> Result<Outcome, String> {
    let cannot = |error: std::io::Error| format!("cannot listen for signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let json = match &args.report {
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
            Some(Box::new(file) as Box<dyn Write + Send>)
        }
        None => None,
    };
    let settings = args.settings()?;
    raise_descriptors();
    let text = Box::new(std::io::stdout());
    let running = tokio::select! {
        started = Crosscheck::start(settings, text, json) => {
            started.map_err(|error| error.to_string())?
        }
        _ = terminate.recv() => return Err("stopped before it began".to_owned()),
        _ = interrupt.recv() => return Err("stopped before it began".to_owned()),
    };
    tracing::info!("clients may connect to {}", running.address());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(running.stop().await)
}

impl Args {
    fn settings(self) -> Result<Settings, String> {
        if !self.rookery.is_one() {
            return Err("--rookery: one server, for another one may be behind it".to_owned());
        }
        Ok(Settings {
            settle: self.settle,
            patience: self.patience,
            drain: self.drain,
            zookeeper: self.zookeeper,
            rookery: self.rookery,
            listen: self.listen,
            metrics: self.metrics,
            copy: self.copy.then_some(Copy { steps_max: self.copy_steps }),
            auth: self.auth,
            backlog_bytes: self.backlog.saturating_mul(1 << 20),
            summary_every: self.summary_every.max(SUMMARY_EVERY_MIN),
            show_data: self.show_data,
        })
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    let time = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if time > TIME_MAX {
        return Err(format!("expected at most {} seconds", TIME_MAX.as_secs()));
    }
    Ok(time)
}

/// Takes all descriptors that the system lets this process have: a client needs three, for its
/// own connection and those to both servers.
fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!("cannot raise the limit of open files: {error}");
    }
}

#[expect(clippy::print_stderr, reason = "the last words")]
fn fail(message: &str) -> ExitCode {
    eprintln!("rookery: {message}");
    ExitCode::from(EXIT_USAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_that_a_clock_can_count() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["", "x", "-1", "NaN", "inf", "1e30", "31536001"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
