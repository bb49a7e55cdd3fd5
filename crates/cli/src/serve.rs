//! `rookery serve`: run a server until it is told to stop.

use std::{env, io, path::PathBuf, process::ExitCode, thread};

use server::{
    Ended, ServerError,
    config::{self, Overrides},
    logging::{self, LogFormat},
};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};
use tokio::sync::oneshot;

/// What ZooKeeper exits with when its configuration is not valid.
const EXIT_INVALID_CONFIG: u8 = 2;
/// What ZooKeeper exits with when its data directory cannot be used.
const EXIT_DATA_DIR: u8 = 3;
/// What ZooKeeper exits with when it cannot listen for the other servers.
const EXIT_PEER_PORT: u8 = 14;

/// The arguments of `rookery serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A `ZooKeeper` configuration file. Without one, a server on port 2181 with its data in
    /// ./rookery-data.
    config: Option<PathBuf>,
    /// The client port; 0 takes a free one.
    #[arg(long, value_name = "PORT")]
    client_port: Option<u16>,
    /// The address to serve clients on.
    #[arg(long, value_name = "ADDRESS")]
    client_address: Option<String>,
    /// Where data is kept.
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
    /// Any other key of zoo.cfg, stronger than the file; can be given more than once.
    #[arg(short = 'o', long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
    /// What to log, such as `info` or `info,server=debug`; else what `ROOKERY_LOG` says.
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// How to log: text or json.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    pair.ok_or_else(|| "expected KEY=VALUE".to_owned())
}

/// Runs the server; returns when it was stopped.
pub(crate) fn run(args: &Args) -> ExitCode {
    use_small_pages();
    #[cfg(feature = "fault-points")]
    if let Err(error) = fault_points::follow_file() {
        return fail(&format!("fault points: {error}"), EXIT_INVALID_CONFIG);
    }
    let filter = args.log.clone().or_else(|| env::var(logging::FILTER_VARIABLE).ok());
    if let Err(error) = logging::start(filter.as_deref(), args.log_format) {
        return fail(&error.to_string(), EXIT_INVALID_CONFIG);
    }
    let loaded = match config::load(args.config.as_deref(), &args.overrides()) {
        Ok(loaded) => loaded,
        Err(error) => {
            return fail(
                &format!("{error}\nInvalid config, exiting abnormally"),
                EXIT_INVALID_CONFIG,
            );
        }
    };
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(client_threads())
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start threads: {error}"), 1),
    };
    runtime.block_on(serve(loaded.config))
}

/// Keeps the system from backing memory with huge pages by itself: it rounds what is used up
/// to two megabytes in every place. With a million znodes that was an eighth of the memory,
/// and half of that of an empty server; reads of random znodes were a quarter faster with it.
fn use_small_pages() {
    // A kernel that does not know of them has none.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// How many threads serve connections: all processors but one, which is left to the log.
///
/// A client thread more and they take turns with the log on the same processor: on two of them,
/// that costs a fifth of the writes (`benches/compare --only set`).
fn client_threads() -> usize {
    thread::available_parallelism().map_or(1, |processors| (processors.get() - 1).max(1))
}

async fn serve(config: config::Config) -> ExitCode {
    let mut stop = match stop_signal() {
        Ok(stop) => stop,
        Err(error) => return fail(&format!("cannot listen for signals: {error}"), 1),
    };
    let mut started = tokio::select! {
        biased;
        started = server::start(config.clone()) => started,
        _ = &mut stop => end_before_the_start(),
    };
    loop {
        let mut running = match started {
            Ok(running) => running,
            Err(error) => end_with_failure(&error.to_string(), exit_code(&error)),
        };
        tracing::info!(
            "rookery {} serves clients on {} with its data in {}",
            env!("CARGO_PKG_VERSION"),
            running.client_address(),
            config.data_dir.display()
        );
        let ended = tokio::select! {
            _ = &mut stop => None,
            ended = running.ended() => Some(ended),
        };
        started = match ended {
            None => {
                running.stop().await;
                return ExitCode::SUCCESS;
            }
            Some(Ended::Failed(reason)) => end_with_failure(&reason, 1),
            Some(Ended::Differs(why)) => running.begin_anew(config.clone(), why).await,
        };
    }
}

/// Ends the process at once. Nothing may wait for a disk that has failed, not even an orderly end.
/// `RocksDB`'s threads may be at work, also when the start has failed: what runs at a process's
/// exit would take away from below them what they use.
fn end_with_failure(message: &str, code: u8) -> ! {
    fail(message, code);
    signal_hook::low_level::exit(code.into())
}

/// Ends the process at once, as it was asked to: it may wait for the other servers, and what it
/// was about to read may take long. To the disk that is a crash, which it stands at every step.
fn end_before_the_start() -> ! {
    tracing::info!("stopped before it had started");
    signal_hook::low_level::exit(0)
}

/// Resolves when the process is asked to end. When it is asked again it ends at once, wherever
/// it is: a thread of its own waits for that, since the others may all be stuck.
fn stop_signal() -> io::Result<oneshot::Receiver<()>> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let (ask, asked) = oneshot::channel();
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut told = signals.forever();
        if told.next().is_some() {
            // Nobody listens any more when it is ending by itself.
            let _ = ask.send(());
        }
        if told.next().is_some() {
            end_with_failure("told to stop for the second time: ending at once", 1);
        }
    })?;
    Ok(asked)
}

fn exit_code(error: &ServerError) -> u8 {
    match error {
        error if error.is_of_peer_port() => EXIT_PEER_PORT,
        ServerError::Store(_) | ServerError::Log(_) => EXIT_DATA_DIR,
        ServerError::Audit { .. } | ServerError::Bind { .. } => 1,
    }
}

#[expect(clippy::print_stderr, reason = "the last words, also when nothing is logged")]
fn fail(message: &str, code: u8) -> ExitCode {
    tracing::error!("{message}");
    eprintln!("rookery: {message}");
    ExitCode::from(code)
}

impl Args {
    fn overrides(&self) -> Overrides {
        let mut overrides = Overrides::default();
        for variable in ["JVMFLAGS", "SERVER_JVMFLAGS"] {
            overrides.jvm_flags.extend(env::var(variable));
        }
        for (key, value) in &self.set {
            overrides = overrides.with(key, value);
        }
        if let Some(port) = self.client_port {
            overrides = overrides.with("clientPort", port);
        }
        if let Some(address) = &self.client_address {
            overrides = overrides.with("clientPortAddress", address);
        }
        if let Some(data_dir) = &self.data_dir {
            overrides = overrides.with("dataDir", data_dir.display());
        }
        overrides
    }
}
