//! Everything that must hold before a change lands. Reads the tree, never writes it.

use std::{path::Path, process::Command};

use crate::{Problems, say, tidy};

/// The steps, cheapest first. One profile: RocksDB would be compiled once for each.
const STEPS: &[&[&str]] = &[
    &["fmt", "--all", "--check"],
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
    &["test", "--workspace", "--release", "--locked"],
];

/// Runs tidy and every step, stopping at the first that fails.
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
    Ok(())
}
