//! The project's own chores: `cargo xtask codegen`, `tidy`, `ci`, `sim`.
//!
//! `--check` and `tidy` never write to the tree.

mod ci;
mod codegen;
mod compat;
mod edges;
mod points;
mod simulation;
mod sources;
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
    /// Run seeds of the simulation: `cargo xtask sim --seeds 1000`, `cargo xtask sim --help`.
    #[command(disable_help_flag = true)]
    Sim {
        /// What the simulation is told.
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
        Chore::Sim { arguments } => simulation::run(&root, &arguments),
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
