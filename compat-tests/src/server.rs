//! A server for clients to be tested against: behind a [`Proxy`], to be killed, stopped and
//! started again on the same data while its address stays.
//!
//! [`crate::control`] lets a client in another language ask for those things over a socket.

use std::io;
use std::net::SocketAddr;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::oracle::process::{ProcessError, ServerProcess, Software};
use crate::prerequisites::{self, Missing};
use crate::proxy::Proxy;

/// Why a server for clients does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Something that the tests need is not installed.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The process does not run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The proxy or the directory could not be made.
    #[error("the server's surroundings: {0}")]
    Io(#[from] io::Error),
}

/// Settings under which every client suite runs: ticks short enough to see a session expire,
/// all that clients can ask for allowed.
pub fn client_settings() -> Vec<(String, String)> {
    [
        ("tickTime", "500"),
        ("extendedTypesEnabled", "true"),
        ("znode.container.checkIntervalMs", "300"),
        ("minSessionTimeout", "1000"),
        ("maxSessionTimeout", "60000"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

/// A server that can go away and come back.
#[derive(Debug)]
pub struct Server {
    software: Software,
    settings: Vec<(String, String)>,
    // Before `dir`: the process ends before its directory goes.
    process: Option<ServerProcess>,
    proxy: Proxy,
    dir: TempDir,
}

impl Server {
    /// Starts the server that `COMPAT_SERVER` names, with these settings in its zoo.cfg, in an
    /// empty directory, and waits until it answers.
    ///
    /// # Errors
    /// When the server is not installed or built, or does not start.
    pub fn start(settings: Vec<(String, String)>) -> Result<Self, ServerError> {
        Self::start_as(Software::from_env(), settings)
    }

    /// The same with a server of this kind.
    ///
    /// # Errors
    /// When the server is not installed or built, or does not start.
    pub fn start_as(
        software: Software,
        settings: Vec<(String, String)>,
    ) -> Result<Self, ServerError> {
        match software {
            Software::Rookery => prerequisites::rookery_binary()?,
            Software::Faulty => prerequisites::rookery_faults_binary()?,
            Software::ZooKeeper => prerequisites::zookeeper_jars()?,
        };
        let dir = TempDir::with_prefix("compat-")?;
        let process = ServerProcess::start_in(software, dir.path(), &settings)?;
        let proxy = Proxy::start(process.address())?;
        Ok(Self { software, settings, process: Some(process), proxy, dir })
    }

    /// Which server it is.
    pub const fn software(&self) -> Software {
        self.software
    }

    /// Where clients connect; the same after a restart.
    pub const fn address(&self) -> SocketAddr {
        self.proxy.address()
    }

    /// The relay before the server.
    pub const fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// The server's process while it runs.
    pub const fn process(&self) -> Option<&ServerProcess> {
        self.process.as_ref()
    }

    /// The directory that holds zoo.cfg, output and data.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Ends the process as a power failure would.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
        self.proxy.break_connections();
    }

    /// Asks the process to end, and returns how it did; `None` when it had to be killed.
    pub fn stop(&mut self, within: Duration) -> Option<ExitStatus> {
        let mut process = self.process.take()?;
        let pid = i32::try_from(process.pid()).ok().and_then(Pid::from_raw)?;
        // An error means that it has ended already.
        let _ = kill_process(pid, Signal::TERM);
        let status = process.wait_exit(within);
        self.proxy.break_connections();
        status
    }

    /// Starts it again on the same data.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_again(&mut self) -> Result<(), ServerError> {
        let process = ServerProcess::start_in(self.software, self.dir.path(), &self.settings)?;
        self.proxy.relay_to(process.address());
        self.process = Some(process);
        Ok(())
    }
}
