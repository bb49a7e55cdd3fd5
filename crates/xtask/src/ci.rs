//! Everything that must hold before a change lands. Reads the tree, never writes it.

use std::{path::Path, process::Command};

use crate::{Problems, say, simulation, tidy};

/// The steps, cheapest first. One profile: RocksDB would be compiled once for each.
const STEPS: &[&[&str]] = &[
    &["fmt", "--all", "--check"],
    &["clippy", "--workspace", "--all-targets", "--release", "--locked", "--", "-D", "warnings"],
    // The binary first: the tests of real clients start it.
    &["build", "--release", "--locked", "--package", "cli"],
    &["test", "--workspace", "--release", "--locked"],
];

/// Seeds of the simulation: some three minutes.
const SEEDS: &str = "--seeds=1000";

/// Runs tidy, every step and the simulation, stopping at the first that fails.
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
    simulation::run(root, &[SEEDS.to_owned()])
}
