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
use server::logging::{self, LogFormat};
use tokio::signal::unix::{SignalKind, signal};

/// Something differed.
const EXIT_DIFFERENT: u8 = 1;
/// The comparison could not begin.
const EXIT_USAGE: u8 = 2;
/// Nothing differed, but not all was compared.
const EXIT_INCOMPLETE: u8 = 3;

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
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    summary_every: u64,
    /// Mebibytes that may wait to be compared; beyond, sessions are compared no more.
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    backlog: usize,
    /// Seconds that the counterpart of an event may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    settle: f64,
    /// Seconds that Rookery may take to answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    patience: f64,
    /// Seconds to compare what is left at the end.
    #[arg(long, value_name = "SECONDS", default_value_t = 15.0)]
    drain: f64,
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
        let seconds = |value: f64, name: &str| {
            Duration::try_from_secs_f64(value).map_err(|error| format!("--{name}: {error}"))
        };
        if !self.rookery.is_one() {
            return Err("--rookery: one server, for another one may be behind it".to_owned());
        }
        Ok(Settings {
            settle: seconds(self.settle, "settle")?,
            patience: seconds(self.patience, "patience")?,
            drain: seconds(self.drain, "drain")?,
            zookeeper: self.zookeeper,
            rookery: self.rookery,
            listen: self.listen,
            metrics: self.metrics,
            copy: self.copy.then_some(Copy { steps_max: self.copy_steps }),
            auth: self.auth,
            backlog_bytes: self.backlog.saturating_mul(1 << 20),
            summary_every: Duration::from_secs(self.summary_every.max(1)),
            show_data: self.show_data,
        })
    }
}

#[expect(clippy::print_stderr, reason = "the last words")]
fn fail(message: &str) -> ExitCode {
    eprintln!("rookery: {message}");
    ExitCode::from(EXIT_USAGE)
}
