//! Runs the simulation as it has to be compiled: tokio takes its chance from the seed only with
//! a flag of its own, and so has a target folder of its own.

use std::{path::Path, process::Command};

use cargo_metadata::MetadataCommand;

use crate::Problems;

/// Builds `sim` and runs it with these arguments.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), Problems> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec();
    let target = metadata.map_err(|error| vec![format!("cargo metadata: {error}")])?;
    let target = target.target_directory.join("sim");
    let status = Command::new("cargo")
        .args(["run", "--release", "--quiet", "--package", "sim", "--"])
        .args(arguments)
        .env("RUSTFLAGS", "--cfg tokio_unstable")
        .env("CARGO_TARGET_DIR", target)
        .current_dir(root)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(vec![format!("sim: {status}")]),
        Err(error) => Err(vec![format!("cargo: {error}")]),
    }
}
