//! The one binary, `rookery`: parses the command line and hands over.
//!
//! Nothing is decided here; each subcommand is a module of its own.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;

/// A coordination server that `ZooKeeper` clients cannot tell from Apache `ZooKeeper` 3.9.
#[derive(Debug, Parser)]
#[command(name = "rookery", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Load a server and report throughput, latency and CPU.
    Bench(bench::Args),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Bench(args) => bench::run(&args),
    }
}
