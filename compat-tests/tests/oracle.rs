//! Every program in `scripts/` and thousands of generated operations do the same on Rookery
//! and on Apache ZooKeeper.
//!
//! Environment: `COMPAT_SERVER=zookeeper` compares ZooKeeper with itself, which tests the
//! oracle; `ORACLE_TRACE=dir` keeps what the first server did.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use compat_tests::oracle::process::{ServerProcess, Software};
use compat_tests::oracle::{Pair, generate, render, run, shrink};
use compat_tests::script::Program;

type Settings = Vec<(String, String)>;

fn scripts() -> BTreeMap<Settings, Vec<(String, Program)>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let only = std::env::var("ORACLE_ONLY").unwrap_or_default();
    let mut scripts: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for path in paths {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if !name.contains(&only) {
            continue;
        }
        let program = Program::parse(&fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        scripts.entry(program.settings.clone()).or_default().push((name, program));
    }
    scripts
}

/// Writes down what a server of its own does with a program, for people who want to read it.
fn keep_trace(name: &str, program: &Program) {
    let Some(dir) = std::env::var_os("ORACLE_TRACE") else { return };
    let mut settings = program.settings.clone();
    settings.push(compat_tests::oracle::super_user());
    let server = ServerProcess::start(Software::from_env(), &settings).unwrap();
    let observations = run(program, server.address()).unwrap();
    fs::write(Path::new(&dir).join(format!("{name}.trace")), render(&observations)).unwrap();
}

#[test]
fn scripts_do_the_same_on_both_servers() {
    let mut failures = Vec::new();
    for (settings, programs) in scripts() {
        let mut pair = Pair::start(Software::from_env(), &settings).unwrap();
        for (name, program) in programs {
            keep_trace(&name, &program);
            match pair.check(&program).unwrap_or_else(|error| panic!("{name}: {error}")) {
                Ok(()) => {}
                Err(difference) => failures.push(format!("{name}: {difference}")),
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Steps of all generated programs together, and of one.
const GENERATED_STEPS: usize = 6000;
const PROGRAM_STEPS: usize = 150;

/// `ORACLE_SEED` sets the first seed, `ORACLE_STEPS` how many steps in all.
#[test]
fn generated_programs_do_the_same_on_both_servers() {
    let number =
        |name: &str, default| std::env::var(name).map_or(default, |value| value.parse().unwrap());
    let first_seed = number("ORACLE_SEED", 1);
    let programs = number("ORACLE_STEPS", GENERATED_STEPS).div_ceil(PROGRAM_STEPS);
    let settings = generate::program(0, 0).settings;
    let mut pair = Pair::start(Software::from_env(), &settings).unwrap();
    for seed in (first_seed..).take(programs) {
        let program = generate::program(seed as u64, PROGRAM_STEPS);
        let result = pair.check(&program).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        if let Err(mut difference) = result {
            // A difference that comes and goes is reported as it was last seen.
            let small = shrink::shrink(&program, 60, |candidate| match pair.check(candidate) {
                Ok(Err(seen)) => {
                    difference = seen;
                    true
                }
                Ok(Ok(())) | Err(_) => false,
            });
            let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("seed-{seed}.txt"));
            fs::write(&file, small.to_string()).unwrap();
            panic!("seed {seed}: {difference}\nthe program, in {}:\n{small}", file.display());
        }
    }
}
