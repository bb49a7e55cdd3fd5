//! The two servers that are compared, and making them empty again between programs.

use std::net::SocketAddr;

use super::compare::{Difference, compare};
use super::observation::{Event, Observation, Value};
use super::process::{ProcessError, ServerProcess, Software};
use super::run::{RunError, Runner, run};
use crate::script::{Arg, Program};

/// The user who is allowed everything, as an operation of a script.
const BECOME_SUPER: &str = "cleaner auth digest super:super";

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

/// Two servers with the same settings.
#[derive(Debug)]
pub struct Pair {
    expected: (Software, ServerProcess),
    actual: (Software, ServerProcess),
    settings: Vec<(String, String)>,
}

impl Pair {
    /// Starts both. `actual` is Rookery, or a second ZooKeeper to test the oracle itself.
    pub fn start(actual: Software, settings: &[(String, String)]) -> Result<Self, PairError> {
        let mut settings = settings.to_vec();
        settings.push(super_user());
        let expected = ServerProcess::start(Software::ZooKeeper, &settings)?;
        let actual = (actual, ServerProcess::start(actual, &settings)?);
        Ok(Self { expected: (Software::ZooKeeper, expected), actual, settings })
    }

    /// Runs a program on both and compares. After a difference both servers are replaced,
    /// because what they hold is no longer the same.
    pub fn check(&mut self, program: &Program) -> Result<Result<(), Difference>, PairError> {
        let expected = observe(program, &self.expected)?;
        let actual = observe(program, &self.actual)?;
        let result = compare(&expected, &actual);
        if result.is_err() {
            let settings = self.settings.clone();
            self.expected.1 = ServerProcess::start(self.expected.0, &settings)?;
            self.actual.1 = ServerProcess::start(self.actual.0, &settings)?;
            return Ok(result);
        }
        for (software, server) in [&self.expected, &self.actual] {
            empty(*software, server.address())?;
        }
        Ok(result)
    }
}

fn observe(
    program: &Program,
    (software, server): &(Software, ServerProcess),
) -> Result<Vec<Observation>, PairError> {
    run(program, server.address()).map_err(|error| PairError::Run(*software, error))
}

/// Deletes all that clients made. The same deletions on both servers leave the same counters.
fn empty(software: Software, server: SocketAddr) -> Result<(), PairError> {
    let mut cleaner = Cleaner { software, runner: Runner::new(server) };
    cleaner.run("cleaner connect")?;
    cleaner.run(BECOME_SUPER)?;
    cleaner.run("cleaner setACL / acl=open")?;
    cleaner.run("cleaner setData / \"\"")?;
    for kept in ["/", "/zookeeper", "/zookeeper/quota"] {
        for child in cleaner.children(kept)? {
            let path = format!("{}/{child}", kept.trim_end_matches('/'));
            if !matches!(path.as_str(), "/zookeeper" | "/zookeeper/quota" | "/zookeeper/config") {
                cleaner.delete(&path)?;
            }
        }
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
        match observations.last().map(|last| &last.event) {
            Some(Event::Welcome | Event::Reply(_)) => Ok(observations),
            other => Err(PairError::NotEmptied(self.software, format!("{line}: {other:?}"))),
        }
    }

    fn children(&mut self, path: &str) -> Result<Vec<String>, PairError> {
        let line = format!("cleaner getChildren {}", quoted(path));
        let observations = self.run(&line)?;
        let sets = observations.iter().flat_map(|o| &o.values).filter_map(|(_, value)| {
            if let Value::Set(names) = value { names.clone() } else { None }
        });
        Ok(sets.flatten().collect())
    }

    fn delete(&mut self, path: &str) -> Result<(), PairError> {
        for child in self.children(path)? {
            self.delete(&format!("{path}/{child}"))?;
        }
        self.run(&format!("cleaner delete {}", quoted(path))).map(|_| ())
    }
}

/// As a script writes it.
fn quoted(path: &str) -> String {
    Arg::Text(Some(path.to_owned())).to_string()
}
