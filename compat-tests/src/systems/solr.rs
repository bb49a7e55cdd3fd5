//! SolrCloud with two nodes, started by the class that Solr's own tests use for it.

use super::java::Java;
use super::part::Part;
use super::{Cast, Scene, SystemError, port};

/// Fetches Solr and describes its nodes.
pub(super) fn prepare(scene: &Scene) -> Result<Cast, SystemError> {
    let java = Java::prepare(scene, "solr", "solr-9.6.1")?;
    let sources = scene.sources("solr");
    let log = format!("-Dlog4j2.configurationFile={}", sources.join("log4j2.xml").display());
    let mut parts = Vec::new();
    for id in ["1", "2"] {
        let name = format!("node-{id}");
        let home = scene.dir.join(&name).display().to_string();
        let mut command = java.jvm("400m", std::slice::from_ref(&log));
        command.args(["systems.SolrNode", &home, &scene.connect, &port()?.to_string()]);
        parts.push(Part::new(&name, &scene.dir, command));
    }
    let mut driver = java.jvm("200m", &[log]);
    driver.args(["systems.Solr", &scene.connect]).arg(sources.join("conf"));
    Ok(Cast { parts, driver })
}
