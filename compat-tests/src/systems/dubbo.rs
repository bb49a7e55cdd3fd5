//! Dubbo with two providers of a service, which the driver consumes.

use super::java::Java;
use super::part::Part;
use super::{Cast, Scene, SystemError, port};

/// Fetches Dubbo and describes its providers.
pub(super) fn prepare(scene: &Scene) -> Result<Cast, SystemError> {
    let java = Java::prepare(scene, "dubbo", "dubbo-3.2.16")?;
    let home = format!("-Duser.home={}", scene.dir.display());
    let log = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn".to_owned();
    let properties = [home, log, "-Ddubbo.application.logger=slf4j".to_owned()];
    let mut parts = Vec::new();
    for id in ["1", "2"] {
        let mut command = java.jvm("128m", &properties);
        command.args(["systems.DubboProvider", &scene.connect, &port()?.to_string(), id]);
        parts.push(Part::new(&format!("provider-{id}"), &scene.dir, command));
    }
    let mut driver = java.jvm("160m", &properties);
    driver.args(["systems.Dubbo", &scene.connect]);
    Ok(Cast { parts, driver })
}
