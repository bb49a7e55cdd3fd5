//! Kafka with two brokers in ZooKeeper mode.

use super::java::Java;
use super::part::Part;
use super::{Cast, Scene, SystemError, port};

/// Fetches Kafka and describes its brokers.
pub(super) fn prepare(scene: &Scene) -> Result<Cast, SystemError> {
    let java = Java::prepare(scene, "kafka", "kafka-3.9.1")?;
    let settings = scene.sources("kafka").join("broker.properties");
    let log = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn".to_owned();
    let mut parts = Vec::new();
    let mut brokers = Vec::new();
    for id in ["1", "2"] {
        let address = format!("127.0.0.1:{}", port()?);
        let name = format!("broker-{id}");
        let logs = scene.dir.join(&name).display().to_string();
        let file = format!("{name}.properties");
        let values =
            [("ID", id), ("ADDRESS", &address), ("LOGS", &logs), ("CONNECT", &scene.connect)];
        let properties = scene.fill_in(&settings, &file, &values)?;
        let mut command = java.jvm("320m", std::slice::from_ref(&log));
        command.arg("kafka.Kafka").arg(properties);
        parts.push(Part::new(&name, &scene.dir, command));
        brokers.push(address);
    }
    let mut driver = java.jvm("192m", &[log]);
    driver.args(["systems.Kafka", &brokers.join(","), &scene.connect]);
    Ok(Cast { parts, driver })
}
