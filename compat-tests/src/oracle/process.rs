//! A server of either kind as a child process, stopped when it is dropped.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::prerequisites;
use crate::raw::RawConnection;

/// A JVM on a busy machine may take this long.
const START_WITHIN: Duration = Duration::from_secs(60);
/// How often a condition is looked at again.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Software {
    /// Apache ZooKeeper 3.9.5.
    ZooKeeper,
    /// The `rookery` binary of this build, or the one that `ROOKERY_BIN` names.
    Rookery,
    /// The same, built with fault points, or the binary that `ROOKERY_FAULTS_BIN` names: what
    /// is armed stands in the file [`ARMED`] in its directory.
    Faulty,
}

impl Software {
    /// What `COMPAT_SERVER` asks for; Rookery unless told otherwise.
    ///
    /// # Panics
    /// When the variable holds anything but `zookeeper` or `rookery`.
    pub fn from_env() -> Self {
        match std::env::var("COMPAT_SERVER").as_deref() {
            Ok("zookeeper") => Self::ZooKeeper,
            Ok("rookery") | Err(_) => Self::Rookery,
            Ok(other) => panic!("COMPAT_SERVER is {other}: zookeeper or rookery"),
        }
    }
}

/// The file that arms the fault points of a server, in its directory.
pub const ARMED: &str = "armed";

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// A file or the process failed.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        error: io::Error,
    },
    /// What it needs could not be fetched.
    #[error(transparent)]
    Missing(#[from] prerequisites::Missing),
    /// It ended, or did not answer in time.
    #[error("{software:?} did not start ({state}); it said:\n{output}")]
    NotStarted {
        /// Which server.
        software: Software,
        /// How it ended, or that it runs.
        state: String,
        /// The end of its output.
        output: String,
    },
}

/// Keys that ZooKeeper takes from JVM flags only; Rookery takes them from zoo.cfg.
const JVM_ONLY: &[&str] = &[
    "jute.maxbuffer",
    "readonlymode.enabled",
    "znode.container.checkIntervalMs",
    "znode.container.maxPerMinute",
];

/// Where a server runs, and which.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where clients connect.
    pub client: SocketAddr,
    /// Its network namespace, if it has its own.
    pub namespace: Option<String>,
    /// Another build of Rookery than the one under test.
    pub program: Option<PathBuf>,
}

impl Place {
    /// On this machine, the build under test.
    pub const fn here(client: SocketAddr) -> Self {
        Self { client, namespace: None, program: None }
    }
}

/// A running server.
#[derive(Debug)]
pub struct ServerProcess {
    software: Software,
    child: Child,
    address: SocketAddr,
    dir: PathBuf,
    /// Deleted with this value; `None` when the caller owns the directory.
    _own_dir: Option<TempDir>,
}

impl ServerProcess {
    /// Starts a server in a directory of its own and waits until it answers.
    pub fn start(software: Software, settings: &[(String, String)]) -> Result<Self, ProcessError> {
        let dir = TempDir::with_prefix("compat-")
            .map_err(|error| ProcessError::Io { what: "temporary directory".into(), error })?;
        let path = dir.path().to_owned();
        let mut server = Self::start_in(software, &path, settings)?;
        server._own_dir = Some(dir);
        Ok(server)
    }

    /// Starts a server whose data is in `dir`/data and waits until it answers.
    pub fn start_in(
        software: Software,
        dir: &Path,
        settings: &[(String, String)],
    ) -> Result<Self, ProcessError> {
        let mut server = Self::spawn_in(software, dir, settings)?;
        server.wait_until_answering()?;
        Ok(server)
    }

    /// Starts a server and does not wait: for servers that are expected to refuse.
    pub fn spawn_in(
        software: Software,
        dir: &Path,
        settings: &[(String, String)],
    ) -> Result<Self, ProcessError> {
        let address = free_address().map_err(|error| ProcessError::Io {
            what: format!("free port in {}", dir.display()),
            error,
        })?;
        Self::spawn_at(software, dir, &Place::here(address), settings)
    }

    /// Starts a server at a place and does not wait.
    ///
    /// # Errors
    /// When its files cannot be written or the process cannot be started.
    pub fn spawn_at(
        software: Software,
        dir: &Path,
        place: &Place,
        settings: &[(String, String)],
    ) -> Result<Self, ProcessError> {
        let at = |what: &str| {
            let what = format!("{what} in {}", dir.display());
            move |error| ProcessError::Io { what, error }
        };
        fs::create_dir_all(dir.join("data")).map_err(at("data directory"))?;
        let config = dir.join("zoo.cfg");
        fs::write(&config, zoo_cfg(dir, place.client, settings)).map_err(at("zoo.cfg"))?;
        let output = File::create(dir.join("output")).map_err(at("output"))?;
        let errors = output.try_clone().map_err(at("output"))?;
        let mut command = command(software, place.program.as_deref(), &config, settings)?;
        if let Some(namespace) = &place.namespace {
            command = within(namespace, &command);
        }
        let child = command
            .current_dir(dir)
            .env(fault_points::FILE_VARIABLE, dir.join(ARMED))
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(at("starting the server"))?;
        Ok(Self { software, child, address: place.client, dir: dir.to_owned(), _own_dir: None })
    }

    /// Where clients connect.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The directory that holds zoo.cfg, output and data.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it wrote to standard output and error.
    pub fn output(&self) -> String {
        let bytes = fs::read(self.dir.join("output")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for the end of a server that stops by itself; `None` when it goes on running.
    pub fn wait_exit(&mut self, within: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => std::thread::sleep(POLL_EVERY),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// Kills it as a power failure would, and leaves its directory to be used again.
    pub fn kill(mut self) {
        self.end();
    }

    /// Resident memory now, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kib.unwrap_or(0) * 1024
    }

    fn end(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// What it says it is: `standalone`, `leader`, `follower` or `observer`; `None` while it
    /// does not serve.
    pub fn mode(&self) -> Option<String> {
        let answer = four_letter_word(self.address, "srvr").ok()?;
        answer.lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
    }

    /// Waits until clients are served.
    ///
    /// # Errors
    /// When it ends, or does not serve in time; then it is killed.
    pub fn wait_until_answering(&mut self) -> Result<(), ProcessError> {
        let deadline = Instant::now() + START_WITHIN;
        let mut state = "still running".to_owned();
        while Instant::now() < deadline {
            // `ruok` is answered before clients are served.
            if self.mode().is_some() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                let signal = status.signal().map(|signal| format!("signal {signal}"));
                state = signal.unwrap_or_else(|| status.to_string());
                break;
            }
            std::thread::sleep(POLL_EVERY);
        }
        let output = self.output();
        self.end();
        let tail = output.len().saturating_sub(4000);
        let output = output.get(tail..).unwrap_or(&output).to_owned();
        Err(ProcessError::NotStarted { software: self.software, state, output })
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the server answers to a four letter word.
pub fn four_letter_word(server: SocketAddr, word: &str) -> io::Result<String> {
    let mut connection = RawConnection::open(server)?;
    connection.send(word.as_bytes())?;
    let bytes = connection.read_to_end(Duration::from_secs(10))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn zoo_cfg(dir: &Path, address: SocketAddr, settings: &[(String, String)]) -> String {
    let mut lines = vec![
        ("tickTime".to_owned(), "2000".to_owned()),
        ("dataDir".to_owned(), dir.join("data").display().to_string()),
        ("clientPort".to_owned(), address.port().to_string()),
        ("clientPortAddress".to_owned(), address.ip().to_string()),
        ("maxClientCnxns".to_owned(), "0".to_owned()),
        ("admin.enableServer".to_owned(), "false".to_owned()),
        ("4lw.commands.whitelist".to_owned(), "*".to_owned()),
    ];
    for (key, value) in settings {
        lines.retain(|(known, _)| known != key);
        lines.push((key.clone(), value.clone()));
    }
    lines.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
}

fn command(
    software: Software,
    program: Option<&Path>,
    config: &Path,
    settings: &[(String, String)],
) -> Result<Command, ProcessError> {
    Ok(match software {
        Software::Rookery | Software::Faulty => {
            let usual = match software {
                Software::Faulty => faulty_binary,
                Software::Rookery | Software::ZooKeeper => rookery_binary,
            };
            let mut command = Command::new(program.map_or_else(usual, Path::to_owned));
            command.arg("serve").arg(config);
            command
        }
        Software::ZooKeeper => {
            let mut command = prerequisites::jdk("java");
            command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
            // Spares ZooKeeper the preallocation of 64 MiB for each log file.
            command.arg("-Dzookeeper.preAllocSize=1024");
            for (key, value) in settings.iter().filter(|(key, _)| JVM_ONLY.contains(&&**key)) {
                command.arg(format!("-D{key}={value}"));
            }
            command.arg("-cp").arg(prerequisites::zookeeper_jars()?.join("*"));
            // Starts a lone server as well where the configuration names no others.
            command.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain").arg(config);
            command
        }
    })
}

/// The same command in a network namespace; `ip` gives its process to it.
fn within(namespace: &str, command: &Command) -> Command {
    let mut within = Command::new("ip");
    within.args(["netns", "exec", namespace]).arg(command.get_program()).args(command.get_args());
    within.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    within
}

/// The binary to test: `ROOKERY_BIN`, or the one of this test's own target folder.
pub fn rookery_binary() -> PathBuf {
    binary("ROOKERY_BIN", "rookery")
}

/// The binary with fault points: `ROOKERY_FAULTS_BIN`, or the one beside this test's own.
pub fn faulty_binary() -> PathBuf {
    binary("ROOKERY_FAULTS_BIN", "rookery-faults")
}

fn binary(variable: &str, name: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(
        || {
            let own = std::env::current_exe().unwrap_or_default();
            // Tests lie one folder deeper than programs.
            let mut places = own.ancestors().skip(1).take(2).map(|dir| dir.join(name));
            places.find(|place| place.is_file()).unwrap_or_else(|| PathBuf::from(name))
        },
        PathBuf::from,
    )
}

/// Ports that the system gives to nobody by itself: between choosing one and listening on it no
/// client's connection takes it.
const PORTS: Range<u16> = 10_000..32_000;

/// An address of this machine that nobody listens on, and that nobody else in this process was
/// given.
///
/// # Errors
/// When there is no free port.
pub fn free_address() -> io::Result<SocketAddr> {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    static FIRST: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
    for _ in PORTS {
        let given = u64::from(GIVEN.fetch_add(1, Ordering::Relaxed));
        let offset = FIRST.wrapping_add(given) % PORTS.len() as u64;
        let port = PORTS.start + u16::try_from(offset).unwrap_or(0);
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return listener.local_addr();
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}
