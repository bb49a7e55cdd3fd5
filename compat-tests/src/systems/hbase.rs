//! HBase with two masters and two region servers, its files on the local file system.

use std::fs;

use super::java::Java;
use super::part::Part;
use super::{Cast, Scene, SystemError, failed, port};

/// What HBase needs to see of the JVM's insides.
const OPENED: &[&str] = &[
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/jdk.internal.misc=ALL-UNNAMED",
    "--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED",
    "-Dlog4j.configuration=log.properties",
];

/// Fetches HBase and describes its servers.
pub(super) fn prepare(scene: &Scene) -> Result<Cast, SystemError> {
    let java = Java::prepare(scene, "hbase", "hbase-2.5.11")?;
    let sources = scene.sources("hbase");
    let root = scene.dir.join("root").display().to_string();
    let values = [("CONNECT", scene.connect.as_str()), ("ROOT", &root)];
    // Found as a resource beside the compiled driver.
    scene.fill_in(&sources.join("hbase-site.xml"), "classes/hbase-site.xml", &values)?;
    fs::copy(
        scene.sources("java").join("log.properties"),
        scene.dir.join("classes/log.properties"),
    )
    .map_err(failed("log.properties"))?;
    let jvm = |heap: &str, role: &str, port: u16| {
        let mut properties: Vec<String> = OPENED.iter().map(|one| (*one).to_owned()).collect();
        properties.push(format!("-Drookery.{role}.port={port}"));
        java.jvm(heap, &properties)
    };
    let mut parts = Vec::new();
    for (role, class) in [
        ("master", "org.apache.hadoop.hbase.master.HMaster"),
        ("region", "org.apache.hadoop.hbase.regionserver.HRegionServer"),
    ] {
        for id in ["1", "2"] {
            let mut command = jvm("300m", role, port()?);
            command.args([class, "start"]);
            parts.push(Part::new(&format!("{role}-{id}"), &scene.dir, command));
        }
    }
    let mut driver = jvm("200m", "none", 0);
    driver.args(["systems.HBase", &scene.connect]);
    Ok(Cast { parts, driver })
}
