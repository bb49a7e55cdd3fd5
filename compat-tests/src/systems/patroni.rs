//! Patroni with two PostgreSQL servers, from Debian's packages.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::part::Part;
use super::{Cast, Scene, SystemError, failed, port, python};
use crate::prerequisites;

const HOW: &str = "install Debian's patroni and postgresql";
/// Where Debian keeps each release of PostgreSQL.
const POSTGRES: &str = "/usr/lib/postgresql";

/// Describes two members of one cluster.
pub(super) fn prepare(scene: &Scene) -> Result<Cast, SystemError> {
    let patroni = prerequisites::program("patroni", HOW)?;
    let programs = programs()?;
    // PostgreSQL does not run as root: it must reach its files as another user.
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&scene.dir, open).map_err(failed("the directory"))?;
    let hosts: Vec<String> = scene.connect.split(',').map(|one| format!("'{one}'")).collect();
    let template = scene.sources("patroni").join("member.yml");
    let mut driver = python::driver(scene, "patroni");
    let mut parts = Vec::new();
    for id in ["1", "2"] {
        let home = scene.dir.join(format!("home-{id}"));
        fs::create_dir_all(&home).map_err(failed("a member's directory"))?;
        let (rest, sql) = (port()?.to_string(), port()?.to_string());
        let values = [
            ("ID", id),
            ("REST", &rest),
            ("SQL", &sql),
            ("HOSTS", &hosts.join(", ")),
            ("HOME", &home.display().to_string()),
            ("PROGRAMS", &programs.display().to_string()),
        ];
        let file = scene.fill_in(&template, &format!("member-{id}.yml"), &values)?;
        let mut command = as_postgres(&home, &patroni)?;
        command.arg(file);
        let postmaster = home.join("data/postmaster.pid");
        let part = Part::new(&format!("member-{id}"), &scene.dir, command);
        parts.push(part.with_pid_file(postmaster));
        driver.args([rest, sql]);
    }
    Ok(Cast { parts, driver })
}

/// The folder with PostgreSQL's programs, of the newest release that is there.
fn programs() -> Result<PathBuf, SystemError> {
    let releases = fs::read_dir(POSTGRES).map_err(failed(HOW))?;
    let newest = releases.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).max();
    newest.ok_or_else(|| failed(HOW)(std::io::ErrorKind::NotFound.into()))
}

/// Runs a program as the user `postgres` if we are root, and gives that user its directory.
fn as_postgres(home: &Path, program: &Path) -> Result<Command, SystemError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Command::new(program));
    }
    let given = Command::new("chown").arg("postgres:").arg(home).status();
    given.map_err(failed("chown"))?;
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    Ok(command)
}
