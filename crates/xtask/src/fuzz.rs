//! Builds the fuzzer's targets as they have to be compiled, with every branch counted, and runs
//! them one after the other.
//!
//! Each starts with the checked-in corpus (`fuzz/corpus`), so that every run is a test of what
//! was found before, and goes on with what earlier runs kept in the target folder; with a seed
//! it does not, so that what lands does not hang on what was drawn.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use cargo_metadata::MetadataCommand;
use clap::Args;

use crate::{Problems, say};

/// What libFuzzer needs to see where an input goes. cargo-fuzz sets the same, but for the
/// sanitizers, which stable Rust does not have; memory is limited by the targets themselves.
const RUSTFLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1 -Cdebug-assertions";

/// The longest that one input may take, in seconds.
const INPUT_SECONDS_MAX: u32 = 5;
/// Most memory of the whole process, in MiB: what the targets keep themselves to, the corpus,
/// and the counters.
const PROCESS_MIB_MAX: u32 = 1024;

/// In the target folder: what runs found, to begin with the next time.
const KEPT: &str = "corpus";
/// The same, of runs with a seed: nobody begins with it.
const SEEDED: &str = "seeded";

/// What to do with the targets.
#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// Only this target.
    #[arg(long)]
    target: Option<String>,
    /// How long each runs, in seconds; 0 only runs the corpus.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Draw from this seed, and begin with the checked-in corpus alone: two runs try the same,
    /// as far as the time reaches.
    #[arg(long)]
    seed: Option<u32>,
    /// Run one file, such as one that made it crash, and nothing else. Needs --target.
    #[arg(long, requires = "target")]
    repeat: Option<PathBuf>,
    /// Write the generated part of the checked-in corpus, and run nothing.
    #[arg(long)]
    seeds: bool,
    /// Take what earlier runs found into the checked-in corpus, as few files as reach it all,
    /// and run nothing else. What they found is in the target folder.
    #[arg(long)]
    merge: bool,
}

impl Fuzz {
    /// What is run before a change lands.
    pub(crate) const fn for_seconds(seconds: u32) -> Self {
        Self { target: None, seconds, seed: Some(1), repeat: None, seeds: false, merge: false }
    }
}

/// Where things are.
struct Places<'p> {
    /// The fuzzer's crate.
    fuzz: &'p Path,
    /// The programs, and what they find.
    target: &'p Path,
    programs: PathBuf,
}

/// Builds, and runs what is asked for, stopping at the first finding.
pub(crate) fn run(root: &Path, asked: &Fuzz) -> Result<(), Problems> {
    let fuzz = root.join("fuzz");
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec();
    let target = metadata.map_err(|error| vec![format!("cargo metadata: {error}")])?;
    let target = target.target_directory.join("fuzz").into_std_path_buf();
    let host = host()?;
    let programs = target.join(&host).join("release");
    let places = Places { fuzz: &fuzz, target: &target, programs };
    build(&places, &host)?;
    let known = targets(&fuzz)?;
    let chosen: Vec<&String> = match &asked.target {
        Some(name) => known.iter().filter(|known| *known == name).collect(),
        None => known.iter().collect(),
    };
    if chosen.is_empty() {
        return Err(vec![format!("no such target; there are {}", known.join(", "))]);
    }
    for name in chosen {
        match &asked.repeat {
            Some(file) => repeat(&places, name, file)?,
            None if asked.seeds => seeds(&places, name)?,
            None if asked.merge => merge(&places, name)?,
            None => one(&places, name, asked)?,
        }
    }
    Ok(())
}

/// The platform that is built on. It is named when building, so that the flags are not for
/// build scripts as well.
fn host() -> Result<String, Problems> {
    let said = Command::new("rustc").arg("-vV").output();
    let said = said.map_err(|error| vec![format!("rustc: {error}")])?.stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| vec!["rustc does not say what it runs on".to_owned()])
}

fn build(places: &Places<'_>, host: &str) -> Result<(), Problems> {
    let status = Command::new("cargo")
        .args(["build", "--release", "--locked", "--bins", "--target", host])
        .current_dir(places.fuzz)
        .env("RUSTFLAGS", RUSTFLAGS)
        .env("CARGO_TARGET_DIR", places.target)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(vec![format!("building the fuzzer: {status}")]),
        Err(error) => Err(vec![format!("cargo: {error}")]),
    }
}

/// The names of all targets, in order.
fn targets(fuzz: &Path) -> Result<Vec<String>, Problems> {
    let folder = fuzz.join("fuzz_targets");
    let entries = fs::read_dir(&folder);
    let entries = entries.map_err(|error| vec![format!("{}: {error}", folder.display())])?;
    let stem = |entry: fs::DirEntry| Some(entry.path().file_stem()?.to_str()?.to_owned());
    let mut names: Vec<String> = entries.flatten().filter_map(stem).collect();
    names.sort();
    Ok(names)
}

/// The program of a target, with the limits that make a finding.
fn program(places: &Places<'_>, name: &str) -> Command {
    let mut program = Command::new(places.programs.join(name));
    program
        .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
        .arg(format!("-rss_limit_mb={PROCESS_MIB_MAX}"))
        .arg(format!("-artifact_prefix={}/", artifacts(places, name).display()))
        // To find the lines of a trace takes longer than an input may.
        .env("RUST_BACKTRACE", "0")
        .current_dir(places.fuzz);
    let dictionary = places.fuzz.join(format!("dictionaries/{name}.dict"));
    if dictionary.exists() {
        program.arg(format!("-dict={}", dictionary.display()));
    }
    program
}

fn artifacts(places: &Places<'_>, name: &str) -> PathBuf {
    places.target.join("artifacts").join(name)
}

/// Where a target keeps what it finds, and its checked-in corpus.
fn corpora(places: &Places<'_>, name: &str, kept: &str) -> Result<[PathBuf; 2], Problems> {
    let folders = [places.target.join(kept).join(name), places.fuzz.join("corpus").join(name)];
    for folder in folders.iter().chain([&artifacts(places, name)]) {
        fs::create_dir_all(folder)
            .map_err(|error| vec![format!("{}: {error}", folder.display())])?;
    }
    Ok(folders)
}

/// Runs one target for a while.
fn one(places: &Places<'_>, name: &str, asked: &Fuzz) -> Result<(), Problems> {
    let mut program = program(places, name);
    program.arg("-print_final_stats=1");
    let kept = if let Some(seed) = asked.seed {
        program.arg(format!("-seed={seed}"));
        // What an earlier run left would be another beginning; an error says it left nothing.
        let _ = fs::remove_dir_all(places.target.join(SEEDED).join(name));
        SEEDED
    } else {
        KEPT
    };
    program.args(&corpora(places, name, kept)?);
    if asked.seconds == 0 {
        program.arg("-runs=0");
    } else {
        program.arg(format!("-max_total_time={}", asked.seconds));
    }
    let output = program.output().map_err(|error| vec![format!("{name}: {error}")])?;
    let log = String::from_utf8_lossy(&output.stderr);
    let kept = places.target.join(format!("{name}.log"));
    fs::write(&kept, log.as_bytes()).map_err(|e| vec![format!("{}: {e}", kept.display())])?;
    if output.status.success() {
        say(&format!("fuzz {name}: {}", summary(&log)));
        return Ok(());
    }
    let mut problems: Problems = tail(&log, 60);
    problems.push(format!("fuzz {name}: {}; all of it is in {}", output.status, kept.display()));
    let file = log.lines().find_map(|line| line.split_once("Test unit written to "));
    if let Some((_, file)) = file {
        problems.push(format!(
            "to see it again: cargo xtask fuzz --target {name} --repeat {}",
            file.trim()
        ));
    }
    Err(problems)
}

/// The last lines.
fn tail(log: &str, lines: usize) -> Vec<String> {
    let all: Vec<&str> = log.lines().collect();
    all[all.len().saturating_sub(lines)..].iter().map(|line| (*line).to_owned()).collect()
}

/// How much was run, and how much of the program that reached.
fn summary(log: &str) -> String {
    let last = log.lines().rev().find(|line| line.starts_with('#') && line.contains(" cov: "));
    let reached = last.and_then(|line| line.split_once(" cov: ")).map_or("0", |(_, rest)| rest);
    let reached = reached.split(" lim:").next().unwrap_or(reached).trim();
    let figure = |name: &str| {
        let line = log.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or(" 0").trim().to_owned()
    };
    format!(
        "{} executions, {} MiB, cov: {reached}",
        figure("stat::number_of_executed_units"),
        figure("stat::peak_rss_mb")
    )
}

/// Runs one file, and shows all that is said about it.
fn repeat(places: &Places<'_>, name: &str, file: &Path) -> Result<(), Problems> {
    let file = fs::canonicalize(file).map_err(|e| vec![format!("{}: {e}", file.display())])?;
    succeed(name, program(places, name).arg(file))
}

/// Has the target write its seeds.
fn seeds(places: &Places<'_>, name: &str) -> Result<(), Problems> {
    let folder = places.fuzz.join("corpus");
    succeed(name, program(places, name).env("ROOKERY_FUZZ_SEEDS", folder))
}

/// Adds to the checked-in corpus what it does not reach.
fn merge(places: &Places<'_>, name: &str) -> Result<(), Problems> {
    let [found, checked_in] = corpora(places, name, KEPT)?;
    succeed(name, program(places, name).arg("-set_cover_merge=1").arg(checked_in).arg(found))
}

fn succeed(name: &str, program: &mut Command) -> Result<(), Problems> {
    match program.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(vec![format!("fuzz {name}: {status}")]),
        Err(error) => Err(vec![format!("fuzz {name}: {error}")]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_summed_up_in_a_line() {
        let log = "#2\tINITED cov: 10 ft: 11 corp: 1/5b exec/s: 0 rss: 30Mb\n\
                   #9\tNEW    cov: 12 ft: 14 corp: 2/9b lim: 4 exec/s: 0 rss: 31Mb L: 4/5\n\
                   stat::number_of_executed_units: 77\nstat::peak_rss_mb:              31\n";
        assert_eq!(summary(log), "77 executions, 31 MiB, cov: 12 ft: 14 corp: 2/9b");
        assert_eq!(tail("a\nb\nc", 2), ["b", "c"]);
    }
}
