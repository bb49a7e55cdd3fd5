//! Helix with its own controllers, and participants of ours.

use super::java::Java;
use super::part::Part;
use super::{Cast, Scene, SystemError};

/// Fetches Helix and describes its processes.
pub(super) fn prepare(scene: &Scene) -> Result<Cast, SystemError> {
    let java = Java::prepare(scene, "helix", "helix-1.4.3")?;
    let properties = ["-Dzk.session.timeout=15000".to_owned()];
    let mut parts = Vec::new();
    for name in ["controller-1", "controller-2"] {
        let mut command = java.jvm("160m", &properties);
        command.args(["org.apache.helix.controller.HelixControllerMain", "--mode", "STANDALONE"]);
        command.args(["--zkSvr", &scene.connect, "--cluster", "cluster"]);
        command.args(["--controllerName", name]);
        parts.push(Part::new(name, &scene.dir, command));
    }
    for name in ["host_1", "host_2", "host_3"] {
        let mut command = java.jvm("128m", &properties);
        command.args(["systems.HelixParticipant", &scene.connect, name]);
        parts.push(Part::new(name, &scene.dir, command));
    }
    let mut driver = java.jvm("192m", &properties);
    driver.args(["systems.Helix", &scene.connect]);
    Ok(Cast { parts, driver })
}
