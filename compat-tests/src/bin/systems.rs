//! Runs real systems on three servers: `cargo xtask systems [NAME…]`.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use compat_tests::systems::{SYSTEMS, System};

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let mut chosen = Vec::new();
    for name in &names {
        let Some(system) = System::named(name) else {
            let known: Vec<&str> = SYSTEMS.iter().map(|system| system.name).collect();
            say(&format!("no system is called {name}; there are: {}", known.join(", ")));
            return ExitCode::FAILURE;
        };
        chosen.push(system);
    }
    if chosen.is_empty() {
        chosen = SYSTEMS.to_vec();
    }
    let failed = chosen.iter().filter(|system| !run(system)).count();
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether all checks of a system held.
fn run(system: &System) -> bool {
    let began = Instant::now();
    let outcome = system.run(&mut |check| say(&format!("{}: {check}", system.name)));
    let took = began.elapsed().as_secs();
    match outcome {
        Ok(checks) => say(&format!("{}: all {checks} checks hold, {took} s", system.name)),
        Err(ref error) => {
            say(&format!("{}: {error}\n{}: failed, {took} s", system.name, system.name))
        }
    }
    outcome.is_ok()
}

fn say(line: &str) {
    // Whoever closed the output does not want to know.
    let _ = writeln!(io::stdout().lock(), "{line}");
}
