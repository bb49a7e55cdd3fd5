//! Runs seeds: `sim --from 1 --seeds 1000`, or one of them again, with all it says: `sim --seed 7`.

use std::{
    collections::BTreeSet,
    io::Write,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use clap::Parser;
use sim::{Outcome, Plan, run};

/// Seeded clusters with faults.
#[derive(Debug, Parser)]
struct Args {
    /// One seed, with its faults and the servers' logs.
    #[arg(long)]
    seed: Option<u64>,
    /// The first of many seeds.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// One seed after another until something is caught, which is said in one line.
    #[arg(long)]
    until_caught: bool,
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// Threads, each with a seed at a time.
    #[arg(long, default_value_t = 2)]
    threads: u64,
    /// Faults in each run.
    #[arg(long)]
    faults: Option<u64>,
}

impl Args {
    fn plan(&self, seed: u64) -> Plan {
        let usual = Plan::usual(seed);
        let faults = self.faults.unwrap_or(usual.faults);
        Plan { faults, ..usual }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut out = std::io::stdout().lock();
    if let Some(seed) = args.seed {
        tracing_subscriber::fmt().without_time().with_writer(std::io::stderr).init();
        let outcome = run(args.plan(seed));
        for fault in &outcome.faults {
            let _ = writeln!(out, "{fault}");
        }
        let _ = writeln!(out, "{}", summary(seed, &outcome));
        return if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    drop(out);
    if args.until_caught {
        return until_caught(&args);
    }
    let (next, failed, began) = (AtomicU64::new(args.from), AtomicU64::new(0), Instant::now());
    let end = args.from + args.seeds;
    let (acknowledged, simulated) = (AtomicU64::new(0), AtomicU64::new(0));
    let (members, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    let put_off = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..args.threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let outcome = run(args.plan(seed));
                    acknowledged.fetch_add(outcome.counts.acknowledged as u64, Ordering::Relaxed);
                    simulated.fetch_add(outcome.simulated.as_secs(), Ordering::Relaxed);
                    members.fetch_add(outcome.counts.members as u64, Ordering::Relaxed);
                    refused.fetch_add(outcome.counts.moves.refused, Ordering::Relaxed);
                    put_off.fetch_add(outcome.counts.put_off, Ordering::Relaxed);
                    if !outcome.violations.is_empty() {
                        failed.fetch_add(1, Ordering::Relaxed);
                        let _ = writeln!(std::io::stdout().lock(), "{}", summary(seed, &outcome));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    let _ = writeln!(
        std::io::stdout().lock(),
        "{} seeds, {failed} failed; {} writes acknowledged, members changed {} times, {} late \
         attachments refused, requests put off {} times, {:.1} h simulated in {:.0} s",
        args.seeds,
        acknowledged.into_inner(),
        members.into_inner(),
        refused.into_inner(),
        put_off.into_inner(),
        simulated.into_inner() as f64 / 3600.0,
        began.elapsed().as_secs_f64()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What `cargo xtask sim --bug` reads. A panic counts, wherever it is.
fn until_caught(args: &Args) -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("a thread");
        let what = panic.to_string().replace('\n', " ");
        let _ = writeln!(std::io::stdout(), "caught: {name}: [panic] {what}");
        std::process::exit(1);
    }));
    for seed in args.from..args.from + args.seeds {
        let violations = run(args.plan(seed)).violations;
        if !violations.is_empty() {
            let _ = writeln!(std::io::stdout(), "caught: seed {seed}: {}", in_short(&violations));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The first violation of each check: one wrong answer often makes hundreds.
fn in_short(violations: &[String]) -> String {
    let check = |violation: &str| violation.split_inclusive(']').next().map(str::to_owned);
    let mut seen = BTreeSet::new();
    let first = violations.iter().filter(|violation| seen.insert(check(violation)));
    first.map(String::as_str).collect::<Vec<_>>().join("; ")
}

fn summary(seed: u64, outcome: &Outcome) -> String {
    let Outcome { counts, simulated, fingerprint, violations, .. } = outcome;
    let verdict = if violations.is_empty() { "fine".to_owned() } else { in_short(violations) };
    format!("seed {seed}: {counts:?}, {simulated:.0?}, {fingerprint:016x}: {verdict}")
}
