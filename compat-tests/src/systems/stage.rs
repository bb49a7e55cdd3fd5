//! A run: three servers, a system's processes, and the driver that works it.
//!
//! The driver speaks by lines on its standard output. `ok WHAT` is a check that held, `FAIL
//! WHAT` one that did not, which ends the run; `> ORDER` asks for something, and is answered on
//! its standard input by `ok` or by what went wrong; `end` ends the run. Orders are `start`,
//! `keep` (on ZooKeeper: starts it if it has ended), `kill`, `stop` and `run` (to its end) with
//! the name of a part, `kill-leader` (SIGKILL for the server that leads) and `revive` (the killed
//! server starts again and serves).

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::ChildStdin;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::part::Part;
use super::{Cast, Scene, System, SystemError, failed, servers};
use crate::ensemble::Ensemble;
use crate::oracle::process::Software;

/// How long the driver may be silent: a check may wait for several JVMs on a busy machine.
const SILENCE_MAX: Duration = Duration::from_secs(300);
/// How long a part may take to end when it is asked to.
const STOP_WITHIN: Duration = Duration::from_secs(60);
/// How long the servers may take to have a leader.
const LEADER_WITHIN: Duration = Duration::from_secs(60);
/// Where a run's files are kept for those who want to look at them.
const KEPT: &str = "ROOKERY_SYSTEMS_DIR";

/// All that runs. The system's processes end before the servers do, and those before the files
/// go.
#[derive(Debug)]
struct Stage {
    driver: Part,
    parts: Vec<Part>,
    servers: Ensemble,
    killed: Option<usize>,
    _dir: Option<TempDir>,
}

/// Runs a system; counts the checks that held.
pub(super) fn run(system: &System, report: &mut dyn FnMut(&str)) -> Result<usize, SystemError> {
    let (dir, own_dir) = directory(system)?;
    let servers = servers()?;
    let scene = Scene { dir: dir.clone(), connect: servers.connect_string() };
    let Cast { parts, driver } = (system.prepare)(&scene)?;
    let driver = Part::new("driver", &dir, driver);
    let mut stage = Stage { driver, parts, servers, killed: None, _dir: own_dir };
    let driver = stage.driver.start_talking().map_err(failed("the driver"))?;
    let mut input = driver.stdin.take();
    let lines = lines(driver.stdout.take());
    let mut held = 0;
    loop {
        let Ok(line) = lines.recv_timeout(SILENCE_MAX) else {
            return Err(stage.failed("the driver ended, or does nothing any more"));
        };
        if let Some(order) = line.strip_prefix("> ") {
            let answer = stage.obey(order).unwrap_or_else(|error| error.to_string());
            stage.answer(input.as_mut(), &answer)?;
        } else if line.starts_with("ok ") {
            held += 1;
            report(&line);
        } else if line.starts_with("FAIL ") {
            return Err(stage.failed(&line));
        } else if line == "end" {
            return Ok(held);
        }
    }
}

/// A directory for the run, and what deletes it.
fn directory(system: &System) -> Result<(PathBuf, Option<TempDir>), SystemError> {
    if let Some(kept) = std::env::var_os(KEPT) {
        let dir = PathBuf::from(kept).join(system.name);
        fs::create_dir_all(&dir).map_err(failed(KEPT))?;
        return Ok((dir, None));
    }
    let dir = TempDir::with_prefix("systems-").map_err(failed("a directory"))?;
    Ok((dir.path().to_owned(), Some(dir)))
}

/// What the driver says, line by line, until it ends.
fn lines(output: Option<impl std::io::Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let Some(output) = output else { return };
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

impl Stage {
    fn obey(&mut self, order: &str) -> Result<String, SystemError> {
        let (verb, name) = order.split_once(' ').unwrap_or((order, ""));
        match verb {
            "kill-leader" => {
                let leader = self.servers.wait_for_leader(LEADER_WITHIN);
                self.servers.kill(leader);
                self.killed = Some(leader);
            }
            "revive" => {
                if let Some(index) = self.killed.take() {
                    self.servers.start_again(index)?;
                }
                self.servers.wait_for_leader(LEADER_WITHIN);
            }
            "start" => self.part(name)?.start().map_err(failed(name))?,
            // With Rookery nothing may end: somebody leads before it would.
            "keep" if Software::from_env() == Software::ZooKeeper => {
                self.part(name)?.start_if_ended().map_err(failed(name))?;
            }
            "keep" => {}
            "run" => {
                let part = self.part(name)?;
                part.start().map_err(failed(name))?;
                part.wait(SILENCE_MAX).map_err(failed(name))?;
            }
            "kill" => self.part(name)?.kill(),
            "stop" => self.part(name)?.stop(STOP_WITHIN),
            other => return Ok(format!("unknown order: {other}")),
        }
        Ok("ok".to_owned())
    }

    fn part(&mut self, name: &str) -> Result<&mut Part, SystemError> {
        let unknown = || failed(name)(std::io::ErrorKind::NotFound.into());
        self.parts.iter_mut().find(|part| part.name() == name).ok_or_else(unknown)
    }

    fn answer(&self, input: Option<&mut ChildStdin>, answer: &str) -> Result<(), SystemError> {
        let line = format!("{}\n", answer.replace('\n', " "));
        let Some(input) = input else { return Err(self.failed("the driver cannot be told")) };
        let written = input.write_all(line.as_bytes()).and_then(|()| input.flush());
        written.map_err(|_ended| self.failed("the driver does not listen"))
    }

    fn failed(&self, what: &str) -> SystemError {
        let mut outputs = self.servers.outputs();
        for part in self.parts.iter().chain([&self.driver]) {
            outputs += &part.said();
        }
        SystemError::Failed { what: what.to_owned(), outputs }
    }
}
