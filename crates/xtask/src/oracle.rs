//! Runs the comparison with Apache ZooKeeper: as many generated operations as are wanted.
//!
//! The work is done by compat-tests/tests/oracle.rs, which says what is compared; CI runs it
//! with its defaults.

use std::{path::Path, process::Command};

use clap::Args;

use crate::Problems;

/// How much is compared, and where.
#[derive(Debug, Args)]
pub(crate) struct Oracle {
    /// How many operations, in all worlds together.
    #[arg(long, default_value_t = 200_000)]
    operations: u64,
    /// The first seed of each world.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only the worlds with this in their name: `extended`, `ensemble` and others, see
    /// compat-tests/src/oracle/worlds.rs.
    #[arg(long, default_value = "")]
    world: String,
    /// Pairs of servers at the same time.
    #[arg(long, default_value_t = 4)]
    lanes: u64,
    /// Write what was compared into docs/compatibility.md, if nothing differs.
    #[arg(long)]
    write_table: bool,
}

/// Builds what is tested, and compares it.
pub(crate) fn run(root: &Path, asked: &Oracle) -> Result<(), Problems> {
    cargo(root, &["build", "--release", "--locked", "--package", "cli"], &[])?;
    let mut variables = vec![
        ("ORACLE_OPERATIONS", asked.operations.to_string()),
        ("ORACLE_SEED", asked.seed.to_string()),
        ("ORACLE_WORLD", asked.world.clone()),
        ("ORACLE_LANES", asked.lanes.to_string()),
    ];
    if asked.write_table {
        let document = root.join("docs/compatibility.md");
        variables.push(("ORACLE_TABLE", document.display().to_string()));
    }
    let test = ["test", "--release", "--locked", "--package", "compat-tests", "--test", "oracle"];
    let only = ["--", "--nocapture", "generated_programs"];
    cargo(root, &[&test[..], &only[..]].concat(), &variables)
}

fn cargo(root: &Path, arguments: &[&str], variables: &[(&str, String)]) -> Result<(), Problems> {
    let mut cargo = Command::new("cargo");
    cargo.args(arguments).current_dir(root);
    cargo.envs(variables.iter().map(|(name, value)| (name, value)));
    match cargo.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(vec![format!("cargo {}: {status}", arguments[0])]),
        Err(error) => Err(vec![format!("cargo {}: {error}", arguments[0])]),
    }
}
