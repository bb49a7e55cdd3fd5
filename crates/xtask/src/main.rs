//! The project's own chores: `cargo xtask codegen`, `tidy`, `ci`, `sim`, `fuzz`, `oracle`,
//! `systems`.
//!
//! `--check` and `tidy` never write to the tree.

mod bugs;
mod ci;
mod codegen;
mod compat;
mod edges;
mod fuzz;
mod oracle;
mod points;
mod simulation;
mod sources;
mod systems;
mod tidy;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "xtask", about = "The project's own chores")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Write the Rust that is generated from jute-schemas.
    Codegen {
        /// Write nothing; fail when something is not current.
        #[arg(long)]
        check: bool,
    },
    /// Check crate edges, module docs, generated code, compatibility notes, dependencies.
    Tidy {
        /// Only print every quirk that is kept for compatibility, with its place.
        #[arg(long)]
        list_compat: bool,
    },
    /// Format, clippy, tidy and all tests, in one profile.
    Ci,
    /// Build and run the fuzzer's targets: `cargo xtask fuzz --seconds 3600`.
    Fuzz(fuzz::Fuzz),
    /// Run real systems on three servers whose leader is killed: `cargo xtask systems kafka`.
    Systems {
        /// Which; all of them when none is named.
        names: Vec<String>,
    },
    /// Compare generated operations with Apache ZooKeeper:
    /// `cargo xtask oracle --operations 1000000 --seed 7`.
    Oracle(oracle::Oracle),
    /// Run seeds of the simulation: `cargo xtask sim --seeds 1000`, `cargo xtask sim --help`;
    /// or put known bugs back and see them caught: `cargo xtask sim --bug all`.
    #[command(disable_help_flag = true)]
    Sim {
        /// A known bug of crates/sim/bugs by its name or number, or `all`.
        #[arg(long)]
        bug: Option<String>,
        /// How many seeds.
        #[arg(long)]
        seeds: Option<u64>,
        /// What else the simulation is told.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let root = root();
    let done = match Cli::parse().chore {
        Chore::Codegen { check } => codegen::run(&root, check),
        Chore::Tidy { list_compat: true } => compat::list(&root).map(|lines| {
            for line in lines {
                say(&line);
            }
        }),
        Chore::Tidy { list_compat: false } => tidy::run(&root),
        Chore::Ci => ci::run(&root),
        Chore::Fuzz(asked) => fuzz::run(&root, &asked),
        Chore::Systems { names } => systems::run(&root, &names),
        Chore::Oracle(asked) => oracle::run(&root, &asked),
        Chore::Sim { bug: Some(bug), seeds, .. } => {
            bugs::run(&root, &bug, seeds.unwrap_or(bugs::SEEDS))
        }
        Chore::Sim { bug: None, seeds, mut arguments } => {
            arguments.extend(seeds.map(|seeds| format!("--seeds={seeds}")));
            simulation::run(&root, &arguments)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            for problem in problems {
                say(&problem);
            }
            ExitCode::FAILURE
        }
    }
}

/// The top of the checkout.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate is two folders below the top").to_owned()
}

/// What went wrong, one line each.
type Problems = Vec<String>;

#[expect(clippy::print_stderr, reason = "chores speak to whoever runs them")]
fn say(line: &str) {
    eprintln!("{line}");
}
