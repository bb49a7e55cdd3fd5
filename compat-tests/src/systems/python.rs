//! Drivers in Python, which need nothing but its standard library.

use std::process::Command;

use super::Scene;

/// The driver of a system; the caller adds its arguments.
pub(super) fn driver(scene: &Scene, system: &str) -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", scene.sources("python"));
    command.args(["-B", "-u"]).arg(scene.sources(system).join("drive.py"));
    command
}
