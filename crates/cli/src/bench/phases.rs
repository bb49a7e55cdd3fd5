//! A run from start to end: connect, create the keys, load, measure, close.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use proto::ErrorCode;
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

use super::args::{Length, Load, Plan};
use super::churn::{self, Churn};
use super::connection::Connection;
use super::fanout::Fanout;
use super::pace::{Schedule, Window};
use super::process::{self, Usage};
use super::report::{Report, Spent};
use super::tally::Tally;
use super::worker::{Task, Worker};
use super::workload::{Kind, Scenario, Space, Workload};
use super::{BenchError, io_error};

/// Unanswered requests a connection while keys are created.
const SETUP_IN_FLIGHT: usize = 256;
/// A key of an earlier run.
const NODE_EXISTS: i32 = ErrorCode::NodeExists.code();
/// Znodes over which `create` spreads, when the number to come is not known.
const CREATE_SPREAD: u64 = 64_000;

/// Carries out `plan`.
pub(super) fn run(plan: &Plan) -> Result<Report, BenchError> {
    match plan.scenario {
        Scenario::Session => run_sessions(plan),
        Scenario::Watch => run_watches(plan),
        Scenario::Get
        | Scenario::Set
        | Scenario::Create
        | Scenario::Delete
        | Scenario::Mixed
        | Scenario::Fill => run_operations(plan),
    }
}

fn run_sessions(plan: &Plan) -> Result<Report, BenchError> {
    let mut threads = Vec::new();
    for share in shares(plan.connections, plan.threads) {
        threads.push(Churn::new(plan.servers.clone(), share).map_err(io_error("create an epoll"))?);
    }
    let window = window(plan);
    let budgets = budgets(plan);
    let tasks = budgets.into_iter().map(|budget| churn::Task { window, budget });
    let jobs = threads.iter_mut().zip(tasks).map(|(churn, task)| move || churn.run(&task));
    measure(plan, window, jobs)
}

fn run_watches(plan: &Plan) -> Result<Report, BenchError> {
    let path = format!("{}/{}", plan.root, unused_name("watched"));
    create_all(plan, std::iter::once(plan.root.clone()))?;
    let mut fanout = Fanout::open(&plan.servers, plan.connections, path, value(plan))?;
    let window = window(plan);
    let changes = match plan.length {
        Length::Time(_) => u64::MAX,
        Length::Operations(operations) => operations.div_ceil(plan.connections as u64),
    };
    let job = std::iter::once(|| fanout.run(window, changes));
    let report = measure(plan, window, job)?;
    fanout.close();
    Ok(report)
}

fn run_operations(plan: &Plan) -> Result<Report, BenchError> {
    let space = space(plan);
    let mut workers = connect(plan)?;
    prepare(plan, &space, &mut workers)?;
    let window = window(plan);
    let budgets = budgets(plan);
    let mut jobs = Vec::new();
    for (thread, (worker, budget)) in workers.iter_mut().zip(budgets).enumerate() {
        worker.set_in_flight_max(plan.in_flight);
        let workload = workload(plan, &space, thread as u64);
        let schedule = schedule(plan, thread);
        jobs.push(move || worker.run(Task { workload, schedule, window, budget }));
    }
    let report = measure(plan, window, jobs.into_iter())?;
    workers.into_iter().for_each(Worker::close);
    Ok(report)
}

/// The znodes that the load is about.
fn space(plan: &Plan) -> Space {
    match plan.scenario {
        Scenario::Create => Space::sized(&plan.root, &unused_name("create"), CREATE_SPREAD),
        Scenario::Delete => Space::sized(&plan.root, &unused_name("delete"), keys(plan)),
        Scenario::Get
        | Scenario::Set
        | Scenario::Mixed
        | Scenario::Session
        | Scenario::Fill
        | Scenario::Watch => Space::sized(&plan.root, "keys", plan.keys),
    }
}

/// A name that no earlier run can have used, because the clock has moved on.
fn unused_name(what: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{what}-{}", now.as_millis())
}

/// How many znodes exist before the load.
fn keys(plan: &Plan) -> u64 {
    match (plan.scenario, plan.length) {
        (Scenario::Delete, Length::Operations(operations)) => operations,
        (Scenario::Create | Scenario::Fill | Scenario::Session | Scenario::Watch, _) => 0,
        (Scenario::Get | Scenario::Set | Scenario::Mixed | Scenario::Delete, _) => plan.keys,
    }
}

fn workload(plan: &Plan, space: &Space, thread: u64) -> Workload {
    let threads = plan.threads as u64;
    let seed = plan.seed.wrapping_add(thread);
    let space = space.clone();
    match plan.scenario {
        Scenario::Get => Workload::random(space, plan.keys, 100, seed),
        Scenario::Mixed => Workload::random(space, plan.keys, plan.reads, seed),
        Scenario::Set | Scenario::Session | Scenario::Watch => {
            Workload::random(space, plan.keys, 0, seed)
        }
        Scenario::Create => Workload::each(space, Kind::Create, u64::MAX, thread, threads),
        Scenario::Delete => Workload::each(space, Kind::Delete, keys(plan), thread, threads),
        Scenario::Fill => Workload::each(space, Kind::Create, plan.keys, thread, threads),
    }
}

fn schedule(plan: &Plan, thread: usize) -> Option<Schedule> {
    match plan.load {
        Load::Closed => None,
        Load::Open(rate) => {
            let threads = plan.threads as f64;
            let offset = thread as f64 / threads;
            Some(Schedule::new(Instant::now(), rate / threads, offset))
        }
    }
}

fn connect(plan: &Plan) -> Result<Vec<Worker>, BenchError> {
    let value = value(plan);
    let mut workers = Vec::new();
    let mut servers = plan.servers.iter().cycle();
    for share in shares(plan.connections, plan.threads) {
        let connections: Result<_, _> =
            servers.by_ref().take(share).map(|server| Connection::open(*server)).collect();
        workers.push(Worker::new(connections?, SETUP_IN_FLIGHT, Arc::clone(&value))?);
    }
    Ok(workers)
}

/// The data of every znode.
fn value(plan: &Plan) -> Arc<[u8]> {
    let mut value = vec![0; plan.value_size];
    // Random, so that no server gains by compressing.
    StdRng::seed_from_u64(plan.seed).fill_bytes(&mut value);
    value.into()
}

/// Creates znodes one by one, where they are not there yet.
fn create_all(plan: &Plan, paths: impl Iterator<Item = String>) -> Result<(), BenchError> {
    let mut connection = Connection::open(plan.servers[0])?;
    for path in paths {
        let code = connection.call(Kind::Create, &path, b"").map_err(io_error("create a znode"))?;
        if code != 0 && code != NODE_EXISTS {
            return Err(BenchError::Setup { path, code });
        }
    }
    connection.close().map_err(io_error("close a session"))
}

/// Creates every znode that the load expects, and the parents of those it will create.
fn prepare(plan: &Plan, space: &Space, workers: &mut [Worker]) -> Result<(), BenchError> {
    if !plan.setup {
        return Ok(());
    }
    create_all(plan, space.ancestors())?;
    let window = Window { from: Instant::now(), until: None };
    let threads = workers.len() as u64;
    let jobs = workers.iter_mut().enumerate().map(|(thread, worker)| {
        let keys = keys(plan);
        let workload = Workload::each(space.clone(), Kind::Create, keys, thread as u64, threads);
        move || worker.run(Task { workload, schedule: None, window, budget: u64::MAX })
    });
    let mut tally = in_threads(jobs, || Ok(()))?.0;
    tally.errors.remove(&NODE_EXISTS);
    let failed = tally.errors.values().sum::<u64>() + tally.unanswered + tally.malformed;
    if failed > 0 {
        return Err(BenchError::Populate(failed));
    }
    plan.servers.iter().try_for_each(|server| catch_up(plan, *server))
}

/// Waits until a server has all that was created through the others.
fn catch_up(plan: &Plan, server: SocketAddr) -> Result<(), BenchError> {
    let mut connection = Connection::open(server)?;
    let path = plan.root.clone();
    match connection.call(Kind::Sync, &path, b"").map_err(io_error("sync"))? {
        0 => connection.close().map_err(io_error("close a session")),
        code => Err(BenchError::Setup { path, code }),
    }
}

fn window(plan: &Plan) -> Window {
    let from = Instant::now() + plan.warmup;
    let until = match plan.length {
        Length::Time(duration) => Some(from + duration),
        Length::Operations(_) => None,
    };
    Window { from, until }
}

/// Operations for each thread.
fn budgets(plan: &Plan) -> Vec<u64> {
    match plan.length {
        Length::Time(_) => vec![u64::MAX; plan.threads],
        Length::Operations(operations) => {
            let operations = usize::try_from(operations).unwrap_or(usize::MAX);
            shares(operations, plan.threads).map(|share| share as u64).collect()
        }
    }
}

/// `total` cut into `parts` that differ by one at most.
fn shares(total: usize, parts: usize) -> impl Iterator<Item = usize> {
    (0..parts).map(move |part| total / parts + usize::from(part < total % parts))
}

/// Runs the jobs, one a thread, and takes the figures of both processes over the window.
fn measure<J>(
    plan: &Plan,
    window: Window,
    jobs: impl Iterator<Item = J>,
) -> Result<Report, BenchError>
where
    J: FnOnce() -> Tally + Send,
{
    let figures = || -> Result<(Usage, Option<Usage>), BenchError> {
        let server = process::usage_of_all(&plan.server_pids)?;
        Ok((process::usage(std::process::id())?, server))
    };
    let watch = || {
        sleep_until(window.from);
        let before = figures()?;
        let after = match window.until {
            Some(until) => {
                sleep_until(until);
                Some(figures()?)
            }
            None => None,
        };
        Ok((before, after))
    };
    let (tally, (before, after)) = in_threads(jobs, watch)?;
    let after = match after {
        Some(after) => after,
        None => figures()?,
    };
    let elapsed = match (window.until, tally.last) {
        (Some(until), _) => until - window.from,
        (None, Some(last)) => last.saturating_duration_since(window.from),
        (None, None) => Duration::ZERO,
    };
    let server = before.1.zip(after.1).map(|(before, after)| Spent { before, after });
    let client = Spent { before: before.0, after: after.0 };
    Ok(Report { plan: plan.clone(), tally, elapsed, client, server })
}

/// Runs each job in a thread and `watch` in this one, and adds up what the jobs counted.
fn in_threads<J, W>(
    jobs: impl Iterator<Item = J>,
    watch: impl FnOnce() -> Result<W, BenchError>,
) -> Result<(Tally, W), BenchError>
where
    J: FnOnce() -> Tally + Send,
{
    std::thread::scope(|scope| {
        let threads: Vec<_> = jobs.map(|job| scope.spawn(job)).collect();
        let watched = watch();
        let mut total = Tally::new();
        for thread in threads {
            // A job panics only by a defect of this program, which must not look like a result.
            total.merge(&thread.join().expect("a load thread panicked"));
        }
        Ok((total, watched?))
    })
}

fn sleep_until(instant: Instant) {
    std::thread::sleep(instant.saturating_duration_since(Instant::now()));
}
