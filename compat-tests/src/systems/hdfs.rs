//! HDFS with two NameNodes, their controllers of fail-over, a journal and a DataNode; and YARN
//! with two resource managers, whose state is in ZooKeeper.

use std::fs;

use super::java::Java;
use super::part::Part;
use super::{Cast, Scene, SystemError, failed, port};

/// The processes: what the driver calls each, its class and its arguments.
const PROCESSES: &[(&str, &str, &str, &[&str])] = &[
    ("journal", "", "org.apache.hadoop.hdfs.qjournal.server.JournalNode", &[]),
    ("format", "nn1", "org.apache.hadoop.hdfs.server.namenode.NameNode", &["-format", "-force"]),
    ("format-zk", "nn1", "org.apache.hadoop.hdfs.tools.DFSZKFailoverController", &["-formatZK"]),
    ("name-1", "nn1", "org.apache.hadoop.hdfs.server.namenode.NameNode", &[]),
    (
        "bootstrap",
        "nn2",
        "org.apache.hadoop.hdfs.server.namenode.NameNode",
        &["-bootstrapStandby", "-force"],
    ),
    ("name-2", "nn2", "org.apache.hadoop.hdfs.server.namenode.NameNode", &[]),
    ("failover-1", "nn1", "org.apache.hadoop.hdfs.tools.DFSZKFailoverController", &[]),
    ("failover-2", "nn2", "org.apache.hadoop.hdfs.tools.DFSZKFailoverController", &[]),
    ("data", "", "org.apache.hadoop.hdfs.server.datanode.DataNode", &[]),
    ("yarn-1", "rm1", "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager", &[]),
    ("yarn-2", "rm2", "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager", &[]),
];

/// Fetches Hadoop and describes its processes.
pub(super) fn prepare(scene: &Scene) -> Result<Cast, SystemError> {
    let java = Java::prepare(scene, "hdfs", "hadoop-3.3.6")?;
    let sources = scene.sources("hdfs");
    let home = scene.dir.display().to_string();
    let mut values = vec![("CONNECT".to_owned(), scene.connect.clone()), ("HOME".to_owned(), home)];
    for number in 1..=PORTS {
        values.push((format!("PORT-{number}"), port()?.to_string()));
    }
    let values: Vec<(&str, &str)> = values.iter().map(|(key, to)| (&**key, &**to)).collect();
    for file in ["core-site.xml", "hdfs-site.xml", "yarn-site.xml"] {
        scene.fill_in(&sources.join(file), &format!("classes/{file}"), &values)?;
    }
    fs::copy(
        scene.sources("java").join("log.properties"),
        scene.dir.join("classes/log.properties"),
    )
    .map_err(failed("log.properties"))?;
    // The pages of the servers are not in their jars; they insist on finding the folders.
    for pages in ["hdfs", "journal", "datanode"] {
        let folder = scene.dir.join("classes/webapps").join(pages);
        fs::create_dir_all(&folder).map_err(failed("a folder for pages"))?;
    }
    let opened = [
        "--add-opens=java.base/java.lang=ALL-UNNAMED".to_owned(),
        "-Dlog4j.configuration=log.properties".to_owned(),
    ];
    let mut parts = Vec::new();
    for (name, id, class, arguments) in PROCESSES {
        let mut properties = opened.to_vec();
        properties.push(format!("-Drookery.id={id}"));
        let mut command = java.jvm("200m", &properties);
        command.arg(class).args(*arguments);
        parts.push(Part::new(name, &scene.dir, command));
    }
    let mut driver = java.jvm("200m", &opened);
    driver.args(["systems.Hdfs", &scene.connect]);
    Ok(Cast { parts, driver })
}

/// How many ports the settings name.
const PORTS: usize = 21;
