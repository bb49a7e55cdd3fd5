//! Every program in `scripts/` and very many generated operations do the same on Rookery and on
//! Apache ZooKeeper.
//!
//! Environment, set by `cargo xtask oracle`: `ORACLE_OPERATIONS` how many operations are
//! generated, `ORACLE_SEED` the first seed, `ORACLE_WORLD` only the worlds with this in their
//! name, `ORACLE_LANES` how many pairs of servers at once, `ORACLE_TABLE` the document whose
//! table is written anew. For people: `ORACLE_ONLY` only the scripts with this in their name,
//! `ORACLE_TRACE=dir` keeps what the first server did, `COMPAT_SERVER=zookeeper` compares
//! ZooKeeper with itself, which tests the oracle.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "says how much was compared")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use compat_tests::oracle::process::Software;
use compat_tests::oracle::{Pair, Servers, Sweep, listed, names, render, rewrite};
use compat_tests::script::Program;

/// What programs must share to run on the same servers.
type Service = (usize, Vec<(String, String)>);

fn scripts() -> BTreeMap<Service, Vec<(String, Program)>> {
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
        let service = (program.servers, program.settings.clone());
        scripts.entry(service).or_default().push((name, program));
    }
    scripts
}

/// Writes down what a server of its own does with a program, for people who want to read it.
fn keep_trace(name: &str, program: &Program) {
    let Some(dir) = std::env::var_os("ORACLE_TRACE") else { return };
    let servers = Servers::start(Software::from_env(), program.servers, &program.settings).unwrap();
    let ran = servers.run(program).unwrap();
    fs::write(Path::new(&dir).join(format!("{name}.trace")), render(&ran.observations)).unwrap();
}

#[test]
fn scripts_do_the_same_on_both_servers() {
    let mut failures = Vec::new();
    for ((servers, settings), programs) in scripts() {
        let mut pair = Pair::start(Software::from_env(), servers, &settings).unwrap();
        for (name, program) in programs {
            keep_trace(&name, &program);
            match pair.check(&program).unwrap_or_else(|error| panic!("{name}: {error}")) {
                Ok(_) => {}
                Err(difference) => failures.push(format!("{name}: {difference}")),
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// What CI compares, in all worlds together.
const OPERATIONS: u64 = 200_000;
/// Pairs of servers at once: more than cores, for some wait most of the time.
const LANES: usize = 4;

#[test]
fn generated_programs_do_the_same_on_both_servers() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |value| value.parse().unwrap())
    };
    let sweep = Sweep {
        actual: Software::from_env(),
        operations: number("ORACLE_OPERATIONS", OPERATIONS),
        seed: number("ORACLE_SEED", 1),
        world: std::env::var("ORACLE_WORLD").unwrap_or_default(),
        lanes: usize::try_from(number("ORACLE_LANES", LANES as u64)).unwrap(),
    };
    let begun = Instant::now();
    let (tally, findings) = sweep.run(&|line| eprintln!("{line}")).unwrap();
    eprintln!("{} operations compared in {:?}", tally.total(), begun.elapsed());
    let mut failures = String::new();
    for finding in &findings {
        let name = format!("{}-{}.txt", finding.world, finding.seed);
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&file, finding.program.to_string()).unwrap();
        failures += &format!("\n{finding}in {}\n", file.display());
    }
    assert!(findings.is_empty(), "{failures}");
    if let Some(document) = std::env::var_os("ORACLE_TABLE") {
        let text = fs::read_to_string(&document).unwrap();
        fs::write(&document, rewrite(&text, &tally).unwrap()).unwrap();
    }
}

#[test]
fn the_document_lists_every_operation() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compatibility.md");
    let text = fs::read_to_string(document).unwrap();
    assert_eq!(listed(&text).unwrap(), names());
}
