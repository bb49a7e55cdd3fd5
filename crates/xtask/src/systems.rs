//! Runs real systems on three servers of this build.

use std::{path::Path, process::Command};

use crate::Problems;

/// Builds the server and runs the systems of these names, or all.
pub(crate) fn run(root: &Path, names: &[String]) -> Result<(), Problems> {
    cargo(root, &["build", "--release", "--quiet", "--package", "cli"], &[])?;
    let program =
        ["run", "--release", "--quiet", "--package", "compat-tests", "--bin", "systems", "--"];
    cargo(root, &program, names)
}

fn cargo(root: &Path, arguments: &[&str], names: &[String]) -> Result<(), Problems> {
    let status = Command::new("cargo").args(arguments).args(names).current_dir(root).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(vec![format!("cargo {}: {status}", arguments[0])]),
        Err(error) => Err(vec![format!("cargo {}: {error}", arguments[0])]),
    }
}
