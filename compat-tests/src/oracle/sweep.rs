//! Runs generated programs in all worlds, several at a time, and makes failing ones small.
//!
//! Each lane has a pair of servers of its own, so that programs see nothing of each other. A
//! pair is replaced after a while: what a server holds in memory stays what CI has.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use super::process::Software;
use super::run::RunError;
use super::servers::{Pair, PairError};
use super::tally::Tally;
use super::worlds::{WORLDS, World};
use super::{generate, shrink};
use crate::script::Program;

/// Steps of one program.
const PROGRAM_STEPS: usize = 250;
/// Operations of a world in one go.
const GO_OPERATIONS: u64 = 12_000;
/// Attempts at making a failing program small.
const SHRINK_ATTEMPTS: usize = 150;
/// How often a difference between ensembles is looked for again.
const REPEATED: usize = 3;
/// So many programs on ensembles may differ by chance, and if there are more, one in so many.
const CHANCES_MAX: u64 = 3;
const ONE_CHANCE_IN: u64 = 20;
/// A sweep ends when so many programs have failed.
const FINDINGS_MAX: usize = 8;

/// How much is run, and where it starts.
#[derive(Debug)]
pub struct Sweep {
    /// What is compared with ZooKeeper.
    pub actual: Software,
    /// Operations in all worlds together.
    pub operations: u64,
    /// The first seed of each world.
    pub seed: u64,
    /// Only the worlds with this in their name.
    pub world: String,
    /// Pairs of servers at the same time.
    pub lanes: usize,
}

/// A program that two servers do not run alike.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Where.
    pub world: &'static str,
    /// The program's seed.
    pub seed: u64,
    /// What differs.
    pub what: String,
    /// The smallest program found.
    pub program: Program,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "world {}, seed {}: {}", self.world, self.seed, self.what)?;
        write!(f, "the program:\n{}", self.program)
    }
}

/// A world, and what is left to do there.
struct Work {
    world: &'static World,
    next_seed: AtomicU64,
    operations_left: Mutex<u64>,
}

/// Hears of a sweep's progress, line by line.
pub type Report<'r> = &'r (dyn Fn(&str) + Sync);

struct Shared<'s> {
    sweep: &'s Sweep,
    report: Report<'s>,
    work: Vec<Work>,
    goes: Mutex<Vec<usize>>,
    tally: Mutex<Tally>,
    findings: Mutex<Vec<Finding>>,
    /// Programs that ran on ensembles.
    on_ensembles: AtomicU64,
    /// Differences of theirs that did not come again, and requests that ZooKeeper did not
    /// answer once.
    chances: Mutex<Vec<Finding>>,
}

impl Sweep {
    /// Runs it all. What was compared without a difference, and what was found; `report` is
    /// told at once.
    ///
    /// # Errors
    /// When servers do not start.
    pub fn run(&self, report: Report<'_>) -> Result<(Tally, Vec<Finding>), PairError> {
        let shared = Shared::new(self, report);
        thread::scope(|scope| {
            let lanes: Vec<_> = (0..self.lanes).map(|_| scope.spawn(|| shared.lane())).collect();
            lanes.into_iter().try_for_each(|lane| lane.join().expect("a lane does not panic"))
        })?;
        let tally = shared.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        let findings = shared.findings.into_inner().unwrap_or_else(PoisonError::into_inner);
        let chances = shared.chances.into_inner().unwrap_or_else(PoisonError::into_inner);
        let programs = shared.on_ensembles.into_inner();
        let summary = format!(
            "{} programs differed once and not again; {programs} ran on ensembles",
            chances.len()
        );
        report(&summary);
        let too_many = are_too_many(chances.len() as u64, programs);
        let excess = chances.into_iter().next_back().filter(|_| too_many);
        let excess =
            excess.map(|last| Finding { what: format!("{summary}, last: {}", last.what), ..last });
        Ok((tally, findings.into_iter().chain(excess).collect()))
    }
}

impl<'s> Shared<'s> {
    fn new(sweep: &'s Sweep, report: Report<'s>) -> Self {
        let chosen: Vec<&World> =
            WORLDS.iter().filter(|world| world.name.contains(&sweep.world)).collect();
        let percent: u64 = chosen.iter().map(|world| world.percent).sum();
        let work: Vec<Work> = chosen
            .iter()
            .map(|world| Work {
                world,
                next_seed: AtomicU64::new(sweep.seed),
                operations_left: Mutex::new(sweep.operations * world.percent / percent.max(1)),
            })
            .collect();
        // Taken from the end: the slowest, which are the last, begin first.
        let goes = work.iter().enumerate().flat_map(|(index, work)| {
            let count = lock(&work.operations_left).div_ceil(GO_OPERATIONS);
            (0..count).map(move |_| index)
        });
        let goes = Mutex::new(goes.collect());
        Self {
            sweep,
            report,
            work,
            goes,
            tally: Mutex::default(),
            findings: Mutex::default(),
            on_ensembles: AtomicU64::new(0),
            chances: Mutex::default(),
        }
    }

    fn lane(&self) -> Result<(), PairError> {
        loop {
            let go = lock(&self.goes).pop();
            match go {
                Some(index) if lock(&self.findings).len() < FINDINGS_MAX => {
                    self.go(&self.work[index])?;
                }
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// Some programs of one world, on a new pair.
    fn go(&self, work: &Work) -> Result<(), PairError> {
        let world = work.world;
        let begun = Instant::now();
        let mut pair = Pair::start(self.sweep.actual, world.servers, &world.settings())?;
        let mut done = 0;
        while done < GO_OPERATIONS && *lock(&work.operations_left) > 0 {
            let seed = work.next_seed.fetch_add(1, Ordering::Relaxed);
            let program = generate::program(world, seed, PROGRAM_STEPS);
            if pair.servers() > 1 {
                self.on_ensembles.fetch_add(1, Ordering::Relaxed);
            }
            match pair.check(&program) {
                Ok(Ok(tally)) => {
                    done += tally.total();
                    let mut left = lock(&work.operations_left);
                    *left = left.saturating_sub(tally.total());
                    lock(&self.tally).add(&tally);
                }
                Ok(Err(difference)) if Self::came_by_chance(&mut pair, &program) => {
                    let what = format!("once: {difference}");
                    (self.report)(&format!("{}, seed {seed}: {what}", world.name));
                    lock(&self.chances).push(Finding { world: world.name, seed, what, program });
                }
                Ok(Err(difference)) => {
                    self.note(found(&mut pair, world, seed, &program, difference));
                    pair = Pair::start(self.sweep.actual, world.servers, &world.settings())?;
                }
                // A connection that ZooKeeper forgot, not Rookery.
                Err(PairError::Run(Software::ZooKeeper, error @ RunError::NoAnswer { .. }))
                    if matches!(pair.check(&program), Ok(Ok(_))) =>
                {
                    let what = format!("once: on ZooKeeper: {error}");
                    (self.report)(&format!("{}, seed {seed}: {what}", world.name));
                    lock(&self.chances).push(Finding { world: world.name, seed, what, program });
                }
                Err(PairError::Process(error)) => return Err(error.into()),
                Err(error @ (PairError::Run(..) | PairError::NotEmptied(..))) => {
                    let what = error.to_string();
                    let mut program = program;
                    if let PairError::Run(_, RunError::NoAnswer { step, .. }) = error {
                        program.steps.truncate(step + 1);
                    }
                    let finding = Finding { world: world.name, seed, what, program };
                    self.note(finding);
                    pair = Pair::start(self.sweep.actual, world.servers, &world.settings())?;
                }
            }
            if lock(&self.findings).len() >= FINDINGS_MAX {
                break;
            }
        }
        (self.report)(&format!("{}: {done} operations in {:.1?}", world.name, begun.elapsed()));
        Ok(())
    }

    /// Whether an ensemble's difference does not come again: what one server knows of another
    /// is a matter of chance where ZooKeeper answers a sync too early. They are counted, and too
    /// many are a finding: what differs now and then may be Rookery's.
    fn came_by_chance(pair: &mut Pair, program: &Program) -> bool {
        let has_chance = pair.servers() > 1;
        let comes_again = has_chance && (0..REPEATED).any(|_| pair.difference(program).is_some());
        has_chance && !comes_again
    }

    fn note(&self, finding: Finding) {
        (self.report)(&finding.to_string());
        lock(&self.findings).push(finding);
    }
}

/// Whether chance cannot be what made so many of so many programs differ.
const fn are_too_many(chances: u64, programs: u64) -> bool {
    chances > CHANCES_MAX && chances * ONE_CHANCE_IN > programs
}

fn found(
    pair: &mut Pair,
    world: &World,
    seed: u64,
    program: &Program,
    difference: super::Difference,
) -> Finding {
    let mut difference = difference;
    let mut program = program.clone();
    program.steps.truncate(difference.step + 1);
    // A difference that comes and goes is reported as it was last seen.
    let first = difference.clone();
    let mut has_come_again = false;
    let small = shrink::shrink(&program, SHRINK_ATTEMPTS, |candidate| {
        let seen = pair.difference(candidate);
        let differs = seen.is_some();
        difference = seen.unwrap_or_else(|| difference.clone());
        has_come_again |= differs;
        differs
    });
    let what = if has_come_again {
        format!("{difference}it was, before the program was made small:\n{first}")
    } else {
        format!("{first}it was not seen again")
    };
    Finding { world: world.name, seed, what, program: small }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
