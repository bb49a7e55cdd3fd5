//! Systems that stand on ZooKeeper, unmodified and from their own packages, on three servers.
//!
//! Each is started, worked by a driver in `compat-tests/systems/`, and loses the server that
//! leads in the middle, by SIGKILL, and later gets it back. The driver checks that nothing is
//! lost and that the system goes on. The same runs with Apache ZooKeeper
//! (`COMPAT_SERVER=zookeeper`) prove the drivers.

mod bookkeeper;
mod clickhouse;
mod curator;
mod dubbo;
mod hbase;
mod hdfs;
mod helix;
mod java;
mod kafka;
mod part;
mod patroni;
mod pulsar;
mod python;
mod solr;
mod stage;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ensemble::Ensemble;
use crate::oracle::process::{ProcessError, free_address};
use crate::prerequisites::{self, Missing};

/// A system that can be run.
#[derive(Clone, Copy, Debug)]
pub struct System {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Fetches what it needs, and says what it consists of.
    prepare: fn(&Scene) -> Result<Cast, SystemError>,
}

/// All of them, in the order in which they run.
pub const SYSTEMS: &[System] = &[
    System { name: "kafka", prepare: kafka::prepare },
    System { name: "curator", prepare: curator::prepare },
    System { name: "patroni", prepare: patroni::prepare },
    System { name: "clickhouse", prepare: clickhouse::prepare },
    System { name: "solr", prepare: solr::prepare },
    System { name: "hbase", prepare: hbase::prepare },
    System { name: "bookkeeper", prepare: bookkeeper::prepare },
    System { name: "dubbo", prepare: dubbo::prepare },
    System { name: "hdfs", prepare: hdfs::prepare },
    System { name: "helix", prepare: helix::prepare },
    System { name: "pulsar", prepare: pulsar::prepare },
];

/// Where a system runs.
#[derive(Debug)]
struct Scene {
    /// A directory of its own.
    dir: PathBuf,
    /// The addresses of the three servers, as ZooKeeper's clients take them.
    connect: String,
}

/// What a system consists of.
#[derive(Debug)]
struct Cast {
    /// Its processes, which the driver orders to start and to end.
    parts: Vec<part::Part>,
    /// Works it; see `stage` for what it says and is told.
    driver: Command,
}

/// Why a system did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// Something that it needs is not there.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The servers do not run.
    #[error(transparent)]
    Server(#[from] ProcessError),
    /// A file or a process failed.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        error: io::Error,
    },
    /// A check failed, or the driver could not go on.
    #[error("{what}\n{outputs}")]
    Failed {
        /// What the driver said.
        what: String,
        /// The ends of what all processes said.
        outputs: String,
    },
}

impl System {
    /// The system of this name.
    pub fn named(name: &str) -> Option<Self> {
        SYSTEMS.iter().find(|system| system.name == name).copied()
    }

    /// Runs it on three servers of the software that `COMPAT_SERVER` names, and gives every
    /// check that held to `report`, as it is made. Its files are in a temporary directory, or in
    /// `ROOKERY_SYSTEMS_DIR`, which is left as it is.
    ///
    /// # Errors
    /// When something is missing, or a check failed.
    pub fn run(&self, report: &mut dyn FnMut(&str)) -> Result<usize, SystemError> {
        stage::run(self, report)
    }
}

impl Scene {
    /// The folder with a system's driver and settings.
    fn sources(&self, system: &str) -> PathBuf {
        prerequisites::package_dir().join("systems").join(system)
    }

    /// Writes a file into the system's directory.
    fn write(&self, name: &str, text: &str) -> Result<PathBuf, SystemError> {
        let path = self.dir.join(name);
        std::fs::write(&path, text).map_err(failed(name))?;
        Ok(path)
    }

    /// A copy of one of the system's settings files with `{NAME}`s replaced.
    fn fill_in(
        &self,
        from: &Path,
        name: &str,
        values: &[(&str, &str)],
    ) -> Result<PathBuf, SystemError> {
        let what = from.display().to_string();
        let mut text = std::fs::read_to_string(from).map_err(failed(&what))?;
        for (key, value) in values {
            text = text.replace(&format!("{{{key}}}"), value);
        }
        self.write(name, &text)
    }
}

/// A free port of this machine.
fn port() -> Result<u16, SystemError> {
    free_address().map(|address| address.port()).map_err(failed("a free port"))
}

fn failed(what: &str) -> impl Fn(io::Error) -> SystemError {
    let what = what.to_owned();
    move |error| SystemError::Io { what: what.clone(), error }
}

/// The settings of the servers: what applications ask for beyond the defaults.
fn settings() -> Vec<(String, String)> {
    vec![("extendedTypesEnabled".to_owned(), "true".to_owned())]
}

/// How many servers there are.
const SERVERS: usize = 3;

/// Three servers that serve.
fn servers() -> Result<Ensemble, SystemError> {
    use crate::oracle::process::Software;
    let software = Software::from_env();
    match software {
        Software::Rookery => prerequisites::rookery_binary()?,
        Software::Faulty => prerequisites::rookery_faults_binary()?,
        Software::ZooKeeper => prerequisites::zookeeper_jars()?,
    };
    Ok(Ensemble::start(software, SERVERS, &settings())?)
}
