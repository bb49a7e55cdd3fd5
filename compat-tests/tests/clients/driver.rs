//! Runs the program that asks a client library for all behaviours, and reads what it reports.
//!
//! A program prints a line for each behaviour: `NAME works`, `NAME unsupported` (by the library),
//! or `NAME fails` and what it saw. It may print other things.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use compat_tests::client_programs::Program;
use compat_tests::control::{self, Servers};
use compat_tests::ensemble::{Ensemble, Lines};
use compat_tests::oracle::process::{ServerProcess, Software};
use compat_tests::oracle::recorded::Tap;
use compat_tests::prerequisites;
use compat_tests::server::{Server, client_settings};

/// A program that takes longer hangs.
const WITHIN: Duration = Duration::from_secs(300);

/// What became of a behaviour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is as ZooKeeper's documentation has it.
    Works,
    /// The library does not offer it.
    Unsupported,
    /// It is not: what was seen instead.
    Fails(String),
}

/// What became of each behaviour, by its name.
pub(crate) type Outcomes = BTreeMap<String, Outcome>;

/// Name and sentence of every behaviour, in the order of the table.
pub(crate) fn behaviours() -> Vec<(String, String)> {
    let file = prerequisites::package_dir().join("clients/behaviours.txt");
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once(": ").unwrap()).map(|(a, b)| (a.into(), b.into())).collect()
}

/// Libraries that end their process by an assertion of their own, now and then, and what is
/// printed then. npm's native one goes on polling a socket that it closes when a session expires.
const CRASHES: &[(&str, &str)] =
    &[("zookeeper (npm) 7.3.0", "uv_poll_start: Assertion `!uv__is_closing(handle)' failed")];
/// How often such a library is asked.
const ATTEMPTS: u32 = 3;

/// Runs a client's program against servers of its own, and returns what it reports.
pub(crate) fn run(client: &str, software: Software, program: &impl Fn() -> Program) -> Outcomes {
    let crashed = |report: &str| {
        CRASHES.iter().any(|(library, said)| *library == client && report.contains(said))
    };
    let (mut status, mut report) = talk(client, software, program());
    for _ in 1..ATTEMPTS {
        if !crashed(&report) {
            break;
        }
        (status, report) = talk(client, software, program());
    }
    assert!(status.is_some_and(|it| it.success()), "{client} on {software:?}: {status:?}");
    let mut outcomes = Outcomes::new();
    for (name, _) in behaviours() {
        let mut told = report.lines().filter_map(|line| outcome(line.strip_prefix(&name)?));
        let Some(outcome) = told.next() else { continue };
        assert_eq!(told.next(), None, "{client} reports twice on {name}");
        outcomes.insert(name, outcome);
    }
    outcomes
}

fn outcome(line: &str) -> Option<Outcome> {
    match line {
        " works" => Some(Outcome::Works),
        " unsupported" => Some(Outcome::Unsupported),
        _ => line.strip_prefix(" fails").map(|seen| Outcome::Fails(seen.trim().to_owned())),
    }
}

/// Runs a program with behaviours of its own, all of which must hold.
pub(crate) fn run_suite(name: &str, program: Program) {
    let (status, _) = talk(name, Software::from_env(), program);
    assert!(status.is_some_and(|it| it.success()), "{name}: {status:?}; its report is above");
}

/// Starts servers, and a program that finds them in its environment: `COMPAT_CONNECT` is a lone
/// server, `COMPAT_ENSEMBLE` are three that do not run yet, `COMPAT_CONTROL` takes orders.
/// Returns how it ended, and what it said.
fn talk(name: &str, software: Software, mut program: Program) -> (Option<ExitStatus>, String) {
    let lone = Server::start_as(software, client_settings()).unwrap();
    let three = Ensemble::prepare_described(software, 3, &settings(), Lines::PeersAndClients);
    let servers = Arc::new(Servers::new(lone, three.unwrap()));
    let control = control::listen(&servers).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("report");
    let out = File::create(&report).unwrap();
    let address = servers.lone().address();
    let record = std::env::var_os("COMPAT_RECORD");
    let tap = record.as_ref().map(|_| Tap::start(address).unwrap());
    let address = tap.as_ref().map_or(address, Tap::address);
    program
        .command
        .args(std::env::var_os("COMPAT_ONLY"))
        .env("COMPAT_CONNECT", address.to_string())
        .env("COMPAT_ENSEMBLE", servers.ensemble().connect_string())
        .env("COMPAT_CONTROL", control.to_string())
        .stdin(Stdio::null())
        .stderr(out.try_clone().unwrap())
        .stdout(out);
    let began = Instant::now();
    let status = ended(&mut program.command);
    let took = began.elapsed();
    let report = String::from_utf8_lossy(&std::fs::read(report).unwrap()).into_owned();
    if let (Some(dir), Some(tap)) = (record, tap) {
        let file = Path::new(&dir).join(format!("{}.txt", name.replace(' ', "-").to_lowercase()));
        std::fs::write(file, tap.recording().to_string()).unwrap();
    }
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "-- {name} on {software:?}, {took:.1?}\n{report}").unwrap();
    // Seen when the test fails.
    writeln!(stdout, "-- the servers said\n{}", last_words(&servers)).unwrap();
    (status, report)
}

/// The ends of what all servers said, for who has to find out why a client failed.
fn last_words(servers: &Servers) -> String {
    let lone = servers.lone().process().map(ServerProcess::output).unwrap_or_default();
    let lines: Vec<&str> = lone.lines().collect();
    let tail = lines[lines.len().saturating_sub(30)..].join("\n");
    format!("--- the lone one\n{tail}\n{}", servers.ensemble().outputs())
}

/// What the three servers have in their zoo.cfg.
fn settings() -> Vec<(String, String)> {
    let settings = [
        ("tickTime", "500"),
        ("maxSessionTimeout", "60000"),
        ("readonlymode.enabled", "true"),
        // Clients of a read-only server need them.
        ("localSessionsEnabled", "true"),
        ("localSessionsUpgradingEnabled", "true"),
        ("reconfigEnabled", "true"),
        // super:test
        ("DigestAuthenticationProvider.superDigest", "super:D/InIHSb7yEEbrWz8b9l71RjZJU="),
    ];
    settings.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
}

/// How a program ends; `None` when it had to be killed.
fn ended(program: &mut Command) -> Option<ExitStatus> {
    let mut child = program.spawn().unwrap();
    let deadline = Instant::now() + WITHIN;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}
