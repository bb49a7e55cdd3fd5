//! The two servers that are compared, and making them empty again between programs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;

use tempfile::TempDir;

use super::compare::{Difference, Progress, compare_with};
use super::observation::{Event, Observation, Value};
use super::process::{ProcessError, ServerProcess, Software};
use super::run::{Ran, RunError, Runner};
use super::tally::Tally;
use super::worlds::PHANTOMS;
use crate::ensemble::{Ensemble, Lines};
use crate::script::{Arg, Program};

/// The user who is allowed everything, as an operation of a script.
const BECOME_SUPER: &str = "cleaner auth digest super:super";

/// So many deletions fit the smallest limit of a frame that is compared.
const DELETED_AT_ONCE: usize = 30;

/// How often the members are set right before a server counts as broken.
const RECONFIG_ATTEMPTS: usize = 5;

/// The setting that makes `super:super` the superuser, who empties the tree.
pub fn super_user() -> (String, String) {
    let digest = "super:gG7s8t3oDEtIqF6DM9LlI/R+9Ss=";
    ("DigestAuthenticationProvider.superDigest".to_owned(), digest.to_owned())
}

/// Why programs could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// A server does not run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A program cannot be run.
    #[error("on {0:?}: {1}")]
    Run(Software, RunError),
    /// A tree could not be emptied.
    #[error("{0:?} could not be emptied: {1}")]
    NotEmptied(Software, String),
}

/// A lone server, or an ensemble.
#[derive(Debug)]
pub struct Servers {
    /// Whose they are.
    pub software: Software,
    /// Whether clients can change the members.
    is_reconfigurable: bool,
    running: Running,
}

#[derive(Debug)]
enum Running {
    One(ServerProcess, #[expect(dead_code, reason = "deleted with this value")] TempDir),
    Many(Ensemble),
}

impl Servers {
    /// Starts one server, or an ensemble of `count`, on empty directories.
    ///
    /// # Errors
    /// When one of them does not start.
    pub fn start(
        software: Software,
        count: usize,
        settings: &[(String, String)],
    ) -> Result<Self, ProcessError> {
        let reconfigurable = ("reconfigEnabled".to_owned(), "true".to_owned());
        let is_reconfigurable = count > 1 && settings.contains(&reconfigurable);
        let mut settings = settings.to_vec();
        settings.push(super_user());
        let parent = scratch();
        let running = if count == 1 {
            let dir = TempDir::with_prefix_in("compat-", parent)
                .map_err(|error| ProcessError::Io { what: "a directory".into(), error })?;
            Running::One(ServerProcess::start_in(software, dir.path(), &settings)?, dir)
        } else {
            let lines = Lines::PeersAndClients;
            Running::Many(Ensemble::start_below(&parent, software, count, &settings, lines)?)
        };
        Ok(Self { software, is_reconfigurable, running })
    }

    /// Runs a program on them.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn run(&self, program: &Program) -> Result<Ran, RunError> {
        self.runner().run(program)
    }

    fn runner(&self) -> Runner {
        let lines = match &self.running {
            Running::One(..) => Vec::new(),
            Running::Many(ensemble) => (0..ensemble.len()).map(|i| ensemble.line(i)).collect(),
        };
        Runner::new(&self.addresses()).described_by(lines)
    }

    /// Where clients connect.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        match &self.running {
            Running::One(server, _) => vec![server.address()],
            Running::Many(ensemble) => (0..ensemble.len()).map(|i| ensemble.address(i)).collect(),
        }
    }
}

/// In memory where there is such a directory: what is compared does not depend on disks, and
/// an fsync of a real one takes longer than all else.
fn scratch() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

/// Two servers, or ensembles, with the same settings.
#[derive(Debug)]
pub struct Pair {
    expected: Servers,
    actual: Servers,
    servers: usize,
    settings: Vec<(String, String)>,
}

impl Pair {
    /// Starts both. `actual` is Rookery, or a second ZooKeeper to test the oracle itself.
    ///
    /// # Errors
    /// When one of them does not start.
    pub fn start(
        actual: Software,
        servers: usize,
        settings: &[(String, String)],
    ) -> Result<Self, PairError> {
        let (expected, actual) = thread::scope(|scope| {
            let expected = scope.spawn(|| Servers::start(Software::ZooKeeper, servers, settings));
            let actual = Servers::start(actual, servers, settings);
            (expected.join(), actual)
        });
        let expected = expected.expect("starting does not panic")?;
        let pair = Self { expected, actual: actual?, servers, settings: settings.to_vec() };
        // Before its first change a ZooKeeper that follows is at zxid 0, and one that leads is
        // not.
        for servers in [&pair.expected, &pair.actual] {
            empty(servers)?;
        }
        Ok(pair)
    }

    /// Runs a program on both and compares. After a difference both are replaced, because what
    /// they hold is no longer the same.
    ///
    /// # Errors
    /// When a program cannot be run at all.
    pub fn check(&mut self, program: &Program) -> Result<Result<Tally, Difference>, PairError> {
        let expected = observe(program, &self.expected);
        let actual = observe(program, &self.actual);
        let (expected, actual) = match (expected, actual) {
            (Ok(expected), Ok(actual)) => (expected, actual),
            (Err(error), _) | (_, Err(error)) => {
                self.replace()?;
                return Err(error);
            }
        };
        if let Err(difference) = self.compared(&expected, &actual) {
            self.replace()?;
            return Ok(Err(difference));
        }
        for servers in [&self.expected, &self.actual] {
            empty(servers)?;
        }
        Ok(Ok(expected.tally))
    }

    /// How many servers each of the two is.
    pub const fn servers(&self) -> usize {
        self.servers
    }

    fn compared(&self, expected: &Ran, actual: &Ran) -> Result<(), Difference> {
        let progress = if self.servers == 1 { Progress::Compared } else { Progress::Left };
        compare_with(&expected.observations, &actual.observations, progress)
    }

    /// How the two differ on a program. Faster than [`Self::check`] where that is likely: they
    /// are emptied even so, and only counters of the built-in znodes remain different.
    pub fn difference(&mut self, program: &Program) -> Option<Difference> {
        let (expected, actual) =
            (observe(program, &self.expected).ok()?, observe(program, &self.actual).ok()?);
        let difference = self.compared(&expected, &actual).err();
        let emptied = [&self.expected, &self.actual].map(|servers| empty(servers).is_ok());
        if emptied != [true, true] && self.replace().is_err() {
            return None;
        }
        difference
    }

    fn replace(&mut self) -> Result<(), PairError> {
        *self = Self::start(self.actual.software, self.servers, &self.settings)?;
        Ok(())
    }
}

fn observe(program: &Program, servers: &Servers) -> Result<Ran, PairError> {
    servers.run(program).map_err(|error| PairError::Run(servers.software, error))
}

/// Deletes all that clients made, members included. The same deletions on both servers leave the same counters.
fn empty(servers: &Servers) -> Result<(), PairError> {
    let software = servers.software;
    let mut cleaner = Cleaner { software, runner: servers.runner() };
    cleaner.run("cleaner connect")?;
    cleaner.run(BECOME_SUPER)?;
    if servers.is_reconfigurable {
        cleaner.remove_phantoms()?;
    }
    cleaner.run("cleaner setACL / acl=open")?;
    cleaner.run("cleaner setData / \"\"")?;
    let mut doomed = Vec::new();
    for kept in ["/", "/zookeeper", "/zookeeper/quota"] {
        for child in cleaner.children(kept)? {
            let path = format!("{}/{child}", kept.trim_end_matches('/'));
            if !matches!(path.as_str(), "/zookeeper" | "/zookeeper/quota" | "/zookeeper/config") {
                cleaner.note_subtree(path, &mut doomed)?;
            }
        }
    }
    for some in doomed.chunks(DELETED_AT_ONCE) {
        let elements: Vec<String> =
            some.iter().map(|path| format!("[delete {}]", quoted(path))).collect();
        cleaner.run(&format!("cleaner multi {}", elements.join(" ")))?;
    }
    cleaner.runner.finish().map_err(|error| PairError::Run(software, error))?;
    Ok(())
}

struct Cleaner {
    software: Software,
    runner: Runner,
}

impl Cleaner {
    fn run(&mut self, line: &str) -> Result<Vec<Observation>, PairError> {
        let program = Program::parse(line)
            .map_err(|error| PairError::NotEmptied(self.software, error.to_string()))?;
        let mut observations = Vec::new();
        for step in &program.steps {
            let step = self.runner.step(&step.connection, &step.action);
            observations.extend_from_slice(step.map_err(|e| PairError::Run(self.software, e))?);
        }
        let is_error =
            |(name, value): &(String, Value)| name.ends_with(".err") && *value != Value::Number(0);
        let has_error = observations.iter().flat_map(|o| &o.values).any(is_error);
        match observations.last().map(|last| &last.event) {
            Some(Event::Welcome | Event::Reply(_)) if !has_error => Ok(observations),
            other => Err(PairError::NotEmptied(self.software, format!("{line}: {other:?}"))),
        }
    }

    /// Leaves the servers that run as the only members.
    fn remove_phantoms(&mut self) -> Result<(), PairError> {
        self.run("cleaner setACL /zookeeper/config acl=world:anyone:1")?;
        let phantoms: Vec<String> = PHANTOMS.map(|number| number.to_string()).collect();
        let line = format!("cleaner reconfig null {} null", phantoms.join(","));
        // On a busy machine a leader may not have heard of the others for a while.
        let mut outcome = self.run(&line);
        for _ in 1..RECONFIG_ATTEMPTS {
            if outcome.is_ok() {
                break;
            }
            outcome = self.run(&line);
        }
        outcome.map(drop)
    }

    fn children(&mut self, path: &str) -> Result<Vec<String>, PairError> {
        let line = format!("cleaner getChildren {}", quoted(path));
        let observations = self.run(&line)?;
        let sets = observations.iter().flat_map(|o| &o.values).filter_map(|(_, value)| {
            if let Value::Set(names) = value { names.clone() } else { None }
        });
        Ok(sets.flatten().collect())
    }

    /// Notes a znode behind everything below it.
    fn note_subtree(&mut self, path: String, doomed: &mut Vec<String>) -> Result<(), PairError> {
        for child in self.children(&path)? {
            self.note_subtree(format!("{path}/{child}"), doomed)?;
        }
        doomed.push(path);
        Ok(())
    }
}

/// As a script writes it.
fn quoted(path: &str) -> String {
    Arg::Text(Some(path.to_owned())).to_string()
}
