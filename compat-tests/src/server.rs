//! A server for clients to be tested against: behind a [`Proxy`], to be killed, stopped and
//! started again on the same data while its address stays.
//!
//! [`Control`] lets a client suite in another language ask for those things over a socket.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::oracle::process::{ProcessError, ServerProcess, Software, four_letter_word};
use crate::prerequisites::{self, Missing};
use crate::proxy::{Passage, Proxy};

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
        let software = Software::from_env();
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

/// Takes orders about a server from a client suite: one word a line, answered by `ok` or by
/// what went wrong.
///
/// `drop` breaks all connections; `close` also turns away new ones until `open`; `restart`
/// kills the server and starts it again on its data; `expired ID` waits until the server has
/// no such session any more.
#[derive(Debug)]
pub struct Control {
    address: SocketAddr,
}

impl Control {
    /// Starts to listen; goes on for the life of the test process.
    ///
    /// # Errors
    /// When no port can be listened on.
    pub fn start(server: &Arc<Mutex<Server>>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        // The thread must not keep the server alive when its test has ended.
        let server = Arc::downgrade(server);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), Some(server)) = (stream, server.upgrade()) else { return };
                // A suite that hangs up has nobody left to tell.
                let _ = obey(&stream, &server);
            }
        });
        Ok(Self { address })
    }

    /// Where a suite connects.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// How long a session may take to run out: the longest of the suites is silent for two
/// seconds, and machines are slow at times.
const EXPIRED_WITHIN: Duration = Duration::from_secs(30);

fn wait_until_expired(server: Option<SocketAddr>, session: &str) -> String {
    let Some(server) = server else { return "the server does not run".to_owned() };
    let deadline = Instant::now() + EXPIRED_WITHIN;
    while Instant::now() < deadline {
        match four_letter_word(server, "dump") {
            Ok(dump) if dump.split_whitespace().all(|word| word != session) => {
                return "ok".to_owned();
            }
            Ok(_) => thread::sleep(Duration::from_millis(20)),
            Err(error) => return error.to_string(),
        }
    }
    format!("session {session} does not expire")
}

fn obey(mut stream: &TcpStream, server: &Mutex<Server>) -> io::Result<()> {
    for line in BufReader::new(stream).lines() {
        let mut server = server.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match line?.as_str() {
            "drop" => {
                server.proxy.break_connections();
                "ok".to_owned()
            }
            "close" => {
                server.proxy.set_passage(Passage::Closed);
                server.proxy.break_connections();
                "ok".to_owned()
            }
            "open" => {
                server.proxy.set_passage(Passage::Open);
                "ok".to_owned()
            }
            order if order.starts_with("expired ") => {
                // The clients of others must not wait for this one's session.
                let address = server.process.as_ref().map(ServerProcess::address);
                drop(server);
                wait_until_expired(address, &order["expired ".len()..])
            }
            "restart" => {
                server.kill();
                server.start_again().map_or_else(|error| error.to_string(), |()| "ok".to_owned())
            }
            other => format!("unknown order: {other}"),
        };
        stream.write_all(format!("{answer}\n").as_bytes())?;
    }
    Ok(())
}
