//! Everything that must hold before a change lands. Reads the tree, never writes it.

use std::{path::Path, process::Command};

use crate::{
    Problems,
    fuzz::{self, Fuzz},
    say, simulation, tidy,
};

/// The steps, cheapest first. One profile: RocksDB would be compiled once for each.
const STEPS: &[&[&str]] = &[
    &["fmt", "--all", "--check"],
    &["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"],
    &["clippy", "--workspace", "--all-targets", "--release", "--locked", "--", "-D", "warnings"],
    // The binaries first, the one with fault points, too: tests start them.
    &["build", "--release", "--locked", "--package", "cli"],
    &[
        "build",
        "--release",
        "--locked",
        "--package=cli",
        "--features=fault-points",
        "--bin=rookery-faults",
    ],
    // All of them, whichever fails: one run tells everything.
    &["test", "--workspace", "--release", "--locked", "--no-fail-fast"],
];

/// Seeds of the simulation: some three minutes.
const SEEDS: &str = "--seeds=1000";

/// How long each target of the fuzzer runs, in seconds: what was found before is run in any
/// case.
const FUZZ_SECONDS: u32 = 8;

/// Runs tidy, every step, the simulation and the fuzzer, stopping at the first that fails.
pub(crate) fn run(root: &Path) -> Result<(), Problems> {
    tidy::run(root)?;
    for step in STEPS {
        say(&format!("cargo {}", step.join(" ")));
        let status = Command::new("cargo").args(*step).current_dir(root).status();
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => return Err(vec![format!("cargo {}: {status}", step[0])]),
            Err(error) => return Err(vec![format!("cargo {}: {error}", step[0])]),
        }
    }
    say("cargo xtask sim --seeds 1000");
    simulation::run(root, &[SEEDS.to_owned()])?;
    say(&format!("fuzzing, {FUZZ_SECONDS} s each target"));
    fuzz::run(root, &Fuzz::for_seconds(FUZZ_SECONDS))
}
