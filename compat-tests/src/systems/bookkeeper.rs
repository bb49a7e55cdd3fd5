//! BookKeeper with three bookies, each of which also takes part in repairing ledgers.

use super::java::Java;
use super::part::Part;
use super::{Cast, Scene, SystemError, port};

/// Fetches BookKeeper and describes its bookies.
pub(super) fn prepare(scene: &Scene) -> Result<Cast, SystemError> {
    let java = Java::prepare(scene, "bookkeeper", "bookkeeper-4.17.1")?;
    let settings = scene.sources("bookkeeper").join("bookie.properties");
    let metadata = format!("zk+hierarchical://{}/ledgers", scene.connect.replace(',', ";"));
    let properties = [
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn".to_owned(),
        "-XX:MaxDirectMemorySize=128m".to_owned(),
    ];
    let mut parts = Vec::new();
    for id in ["1", "2", "3"] {
        let name = format!("bookie-{id}");
        let home = scene.dir.join(&name).display().to_string();
        let port = port()?.to_string();
        let values = [("PORT", port.as_str()), ("HOME", &home), ("METADATA", &metadata)];
        let file = scene.fill_in(&settings, &format!("{name}.properties"), &values)?;
        let mut command = java.jvm("200m", &properties);
        command.args(["org.apache.bookkeeper.server.Main", "--conf"]).arg(file);
        parts.push(Part::new(&name, &scene.dir, command));
    }
    let mut driver = java.jvm("160m", &properties);
    driver.args(["systems.BookKeeper", &metadata, &scene.connect]);
    Ok(Cast { parts, driver })
}
