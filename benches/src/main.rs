//! Runs one small operation many times, so that `benches/callgrind` can count its instructions.
//!
//! Usage: `micro OPERATION TIMES`; without arguments it lists the operations. Nothing is timed
//! here: the script runs an operation a few times and many times under `callgrind`, and the
//! difference, which the preparations are not part of, is exact and the same on every machine.

#![expect(clippy::print_stdout, reason = "printing the list is what it is for")]

mod codec;
mod state;

use std::process::ExitCode;

/// An operation, by name, and how to do it a number of times.
type Operation = (&'static str, fn(u32));

fn main() -> ExitCode {
    let operations: Vec<Operation> =
        codec::OPERATIONS.iter().chain(state::OPERATIONS).copied().collect();
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(times)) = (arguments.next(), arguments.next()) else {
        operations.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    };
    let operation = operations.iter().find(|(known, _)| *known == name);
    match (operation, times.parse()) {
        (Some((_, run)), Ok(times)) => {
            run(times);
            ExitCode::SUCCESS
        }
        _ => ExitCode::FAILURE,
    }
}
