//! ClickHouse: two servers with a replica each, from Debian's package.

use std::fs;
use std::process::Command;

use super::part::Part;
use super::{Cast, Scene, SystemError, failed, port, python};
use crate::prerequisites;

/// Describes two servers.
pub(super) fn prepare(scene: &Scene) -> Result<Cast, SystemError> {
    let how = "install Debian's clickhouse-server";
    let server = prerequisites::program("clickhouse-server", how)?;
    let sources = scene.sources("clickhouse");
    let users = sources.join("users.xml").display().to_string();
    let node = |address: &str| {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "2181"));
        format!("<node><host>{host}</host><port>{port}</port></node>")
    };
    let nodes: String = scene.connect.split(',').map(node).collect();
    let mut driver = python::driver(scene, "clickhouse");
    let mut parts = Vec::new();
    for id in ["1", "2"] {
        let home = scene.dir.join(format!("home-{id}"));
        for folder in ["data", "tmp", "schemas"] {
            fs::create_dir_all(home.join(folder)).map_err(failed("a server's directory"))?;
        }
        let http = port()?.to_string();
        let values = [
            ("ID", id),
            ("HTTP", &http),
            ("TCP", &port()?.to_string()),
            ("INTERSERVER", &port()?.to_string()),
            ("HOME", &home.display().to_string()),
            ("USERS", &users),
            ("NODES", &nodes),
        ];
        let file = format!("config-{id}.xml");
        let config = scene.fill_in(&sources.join("config.xml"), &file, &values)?;
        let mut command = Command::new(&server);
        command.arg(format!("--config-file={}", config.display()));
        parts.push(Part::new(&format!("server-{id}"), &scene.dir, command));
        driver.arg(http);
    }
    Ok(Cast { parts, driver })
}
