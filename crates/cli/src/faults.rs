//! `rookery` as tests of faults run it: the same, with the points of `fault-points` armed.

use std::process::ExitCode;

#[path = "main.rs"]
mod rookery;

fn main() -> ExitCode {
    rookery::main()
}
