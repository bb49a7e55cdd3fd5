//! Runs the simulation as it has to be compiled: tokio takes its chance from the seed only with
//! a flag of its own, and so has a target folder of its own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use cargo_metadata::MetadataCommand;

use crate::Problems;

/// Builds `sim` and runs it with these arguments.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), Problems> {
    let status = cargo(root, &target(root)?)
        .args(["run", "--release", "--quiet", "--package", "sim", "--"])
        .args(arguments)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(vec![format!("sim: {status}")]),
        Err(error) => Err(vec![format!("cargo: {error}")]),
    }
}

/// The target folder of the simulation.
pub(crate) fn target(root: &Path) -> Result<PathBuf, Problems> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec();
    let target = metadata.map_err(|error| vec![format!("cargo metadata: {error}")])?;
    Ok(target.target_directory.join("sim").into_std_path_buf())
}

/// A cargo that compiles it as it has to be compiled; it lacks its subcommand.
pub(crate) fn cargo(root: &Path, target: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo
        .env("RUSTFLAGS", "--cfg tokio_unstable")
        .env("CARGO_TARGET_DIR", target)
        .current_dir(root);
    cargo
}
