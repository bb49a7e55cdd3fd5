//! The one binary, `rookery`: parses the command line and hands over.
//!
//! Nothing is decided here; each subcommand is a module of its own.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod admin_client;
mod bench;
mod cluster;
mod crosscheck;
mod demo;
mod recover;
mod serve;

/// `RocksDB` and the tree allocate many small blocks of few sizes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A coordination server that `ZooKeeper` clients cannot tell from Apache `ZooKeeper` 3.9.
#[derive(Debug, Parser)]
#[command(name = "rookery", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a server.
    Serve(serve::Args),
    /// Show an ensemble: who leads, who lags, who does not answer; hand the lead over.
    Cluster(cluster::Args),
    /// Go on with one server of an ensemble when the majority is lost for good.
    Recover(recover::Args),
    /// Before moving: serve clients from `ZooKeeper`, repeat what they do on Rookery, compare.
    Crosscheck(Box<crosscheck::Args>),
    /// Start a server, work it, kill it, start it again: what a newcomer should see.
    Demo,
    /// Load a server and report throughput, latency and CPU.
    Bench(bench::Args),
}

pub(crate) fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Cluster(args) => cluster::run(&args),
        Command::Recover(args) => recover::run(&args),
        Command::Crosscheck(args) => crosscheck::run(*args),
        Command::Demo => demo::run(),
        Command::Bench(args) => bench::run(&args),
    }
}
