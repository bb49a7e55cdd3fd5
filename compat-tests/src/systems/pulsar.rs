//! Pulsar's library for its metadata, at work in two brokers of our own and in the driver.

use super::java::Java;
use super::part::Part;
use super::{Cast, Scene, SystemError};

/// Fetches the library and describes the brokers.
pub(super) fn prepare(scene: &Scene) -> Result<Cast, SystemError> {
    let java = Java::prepare(scene, "pulsar", "pulsar-metadata-4.2.4")?;
    let log = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn".to_owned();
    let mut parts = Vec::new();
    for name in ["broker-1", "broker-2"] {
        let mut command = java.jvm("160m", std::slice::from_ref(&log));
        command.args(["systems.PulsarBroker", &scene.connect, name]);
        parts.push(Part::new(name, &scene.dir, command));
    }
    let mut driver = java.jvm("256m", &[log]);
    driver.args(["systems.Pulsar", &scene.connect]);
    Ok(Cast { parts, driver })
}
