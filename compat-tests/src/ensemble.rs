//! Several servers as one service, each of which can be killed and started again.
//!
//! Works with either software, so that what is expected of Rookery can be seen on ZooKeeper.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::hosts::Hosts;
use crate::oracle::process::{
    ProcessError, ServerProcess, Software, four_letter_word, free_address,
};

/// How often a condition is looked at again.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// The servers of an ensemble, by index from 0; server `i` has `myid` `i + 1`.
#[derive(Debug)]
pub struct Ensemble {
    software: Software,
    settings: Vec<(String, String)>,
    members: Vec<Member>,
    // After the members: processes end before their directories go.
    dir: TempDir,
}

#[derive(Debug)]
struct Member {
    client: SocketAddr,
    /// Settings that only this server has.
    own: Vec<(String, String)>,
    namespace: Option<String>,
    process: Option<ServerProcess>,
}

impl Ensemble {
    /// Starts `count` servers at once, on empty directories, and waits until all serve.
    ///
    /// # Errors
    /// When one of them does not start.
    pub fn start(
        software: Software,
        count: usize,
        settings: &[(String, String)],
    ) -> Result<Self, ProcessError> {
        let mut ensemble = Self::prepare(software, count, settings)?;
        ensemble.start_all()?;
        Ok(ensemble)
    }

    /// Starts a server on each of these hosts, and waits until all serve.
    ///
    /// # Errors
    /// When one of them does not start.
    pub fn start_on(
        software: Software,
        hosts: &Hosts,
        settings: &[(String, String)],
    ) -> Result<Self, ProcessError> {
        let places: Vec<_> = (0..hosts.len())
            .map(|index| (hosts.address(index), Some(hosts.name(index).to_owned())))
            .collect();
        let mut ensemble = Self::prepare_at(software, &places, 0, settings)?;
        ensemble.start_all()?;
        Ok(ensemble)
    }

    /// Starts all servers at once and waits until all serve.
    ///
    /// # Errors
    /// When one of them does not start.
    pub fn start_all(&mut self) -> Result<(), ProcessError> {
        for index in 0..self.len() {
            self.spawn(index)?;
        }
        for member in &mut self.members {
            if let Some(process) = &mut member.process {
                process.wait_until_answering()?;
            }
        }
        Ok(())
    }

    /// Chooses ports and directories for `count` servers and starts none.
    ///
    /// # Errors
    /// When there are no ports or directories to be had.
    pub fn prepare(
        software: Software,
        count: usize,
        settings: &[(String, String)],
    ) -> Result<Self, ProcessError> {
        Self::prepare_with_observers(software, count, 0, settings)
    }

    /// The same, with `observers` more servers that do not vote, behind the others.
    ///
    /// # Errors
    /// When there are no ports or directories to be had.
    pub fn prepare_with_observers(
        software: Software,
        participants: usize,
        observers: usize,
        settings: &[(String, String)],
    ) -> Result<Self, ProcessError> {
        let place = (IpAddr::from(Ipv4Addr::LOCALHOST), None);
        let places = vec![place; participants + observers];
        Self::prepare_at(software, &places, observers, settings)
    }

    /// The same, with each server at an address and in a network namespace of its own.
    fn prepare_at(
        software: Software,
        places: &[(IpAddr, Option<String>)],
        observers: usize,
        settings: &[(String, String)],
    ) -> Result<Self, ProcessError> {
        let failed = |what: &str| {
            let what = what.to_owned();
            move |error| ProcessError::Io { what, error }
        };
        let dir = TempDir::with_prefix("ensemble-").map_err(failed("a directory"))?;
        let mut settings = settings.to_vec();
        for (key, value) in [("initLimit", "10"), ("syncLimit", "5")] {
            settings.push((key.to_owned(), value.to_owned()));
        }
        let mut members = Vec::new();
        for (id, (ip, namespace)) in (1..).zip(places) {
            let port = || free_address().map(|address| address.port()).map_err(failed("a port"));
            let (client, peer, election) = (port()?, port()?, port()?);
            let observes = id > places.len() - observers;
            let role = if observes { ":observer" } else { "" };
            settings.push((format!("server.{id}"), format!("{ip}:{peer}:{election}{role}")));
            let client = SocketAddr::new(*ip, client);
            let mut own = Vec::new();
            if observes {
                own.push(("peerType".to_owned(), "observer".to_owned()));
            }
            members.push(Member { client, own, namespace: namespace.clone(), process: None });
            let data = dir.path().join(usize::to_string(&id)).join("data");
            fs::create_dir_all(&data).map_err(failed("a data directory"))?;
            fs::write(data.join("myid"), format!("{id}\n")).map_err(failed("myid"))?;
        }
        Ok(Self { software, settings, members, dir })
    }

    /// Gives one server a setting of its own, from its next start on.
    pub fn set(&mut self, index: usize, key: &str, value: &str) {
        self.members[index].own.push((key.to_owned(), value.to_owned()));
    }

    /// Starts a server that does not run, and does not wait for it.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn spawn(&mut self, index: usize) -> Result<(), ProcessError> {
        let dir = self.dir_of(index);
        let member = &mut self.members[index];
        let settings = [&self.settings[..], &member.own[..]].concat();
        let spawned = ServerProcess::spawn_at(
            self.software,
            &dir,
            member.client,
            member.namespace.as_deref(),
            &settings,
        )?;
        member.process = Some(spawned);
        Ok(())
    }

    /// Starts a server that does not run, and waits until it serves.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_again(&mut self, index: usize) -> Result<(), ProcessError> {
        self.spawn(index)?;
        match &mut self.members[index].process {
            Some(process) => process.wait_until_answering(),
            None => Ok(()),
        }
    }

    /// Ends a server as a power failure would.
    pub fn kill(&mut self, index: usize) {
        if let Some(process) = self.members[index].process.take() {
            process.kill();
        }
    }

    /// Asks a server to end and waits until it has; it is killed when it takes too long.
    pub fn stop(&mut self, index: usize, within: Duration) {
        let Some(mut process) = self.members[index].process.take() else { return };
        if let Some(pid) = i32::try_from(process.pid()).ok().and_then(Pid::from_raw) {
            // An error means that it has ended already.
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = process.wait_exit(within);
    }

    /// Sends a signal to a server that runs: stops it where it is, or lets it go on.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, index: usize, signal: Signal) {
        let process = self.members[index].process.as_ref().expect("the server runs");
        let pid = i32::try_from(process.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), signal).expect("a signal can be sent");
    }

    /// Deletes the data of a server that does not run; its `myid` stays, as operators leave it.
    ///
    /// # Panics
    /// When the server runs, or the files cannot be deleted.
    pub fn wipe(&self, index: usize) {
        assert!(self.members[index].process.is_none(), "wiping a server that runs");
        let data = self.dir_of(index).join("data");
        fs::remove_dir_all(&data).expect("the data directory can be deleted");
        fs::create_dir_all(&data).expect("the data directory can be made");
        fs::write(data.join("myid"), format!("{}\n", index + 1)).expect("myid can be written");
    }

    /// How many servers there are, running or not.
    pub const fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Where clients of one server connect.
    pub fn address(&self, index: usize) -> SocketAddr {
        self.members[index].client
    }

    /// The process of a server that runs.
    pub fn process(&self, index: usize) -> Option<&ServerProcess> {
        self.members[index].process.as_ref()
    }

    /// A connect string with all servers.
    pub fn connect_string(&self) -> String {
        let hosts: Vec<String> = self.members.iter().map(|one| one.client.to_string()).collect();
        hosts.join(",")
    }

    /// Which server leads now, if one says so.
    pub fn leader(&self) -> Option<usize> {
        (0..self.len()).find(|index| self.mode(*index).as_deref() == Some("leader"))
    }

    /// What a server says it is; `None` while it does not serve.
    pub fn mode(&self, index: usize) -> Option<String> {
        self.process(index)?.mode()
    }

    /// A value that `mntr` shows for a server, its name without the `zk_`.
    ///
    /// # Panics
    /// When the server does not show it.
    pub fn figure(&self, index: usize, name: &str) -> String {
        let text = four_letter_word(self.address(index), "mntr").unwrap_or_default();
        let value = text.lines().find_map(|line| {
            let (key, value) = line.strip_prefix("zk_")?.split_once('\t')?;
            (key == name).then(|| value.to_owned())
        });
        value.unwrap_or_else(|| panic!("no {name} in mntr of server {}:\n{text}", index + 1))
    }

    /// Waits until a server says that it is `mode`; `None` for one that does not serve.
    ///
    /// # Panics
    /// When it does not in time.
    pub fn wait_for_mode(&self, index: usize, mode: Option<&str>, within: Duration) {
        let deadline = Instant::now() + within;
        while self.mode(index).as_deref() != mode {
            let late = Instant::now() > deadline;
            assert!(!late, "server {} is not {mode:?}: {}", index + 1, self.outputs());
            thread::sleep(POLL_EVERY);
        }
    }

    /// Waits until a server leads.
    ///
    /// # Panics
    /// When none does in time.
    pub fn wait_for_leader(&self, within: Duration) -> usize {
        let deadline = Instant::now() + within;
        loop {
            if let Some(leader) = self.leader() {
                return leader;
            }
            assert!(Instant::now() < deadline, "no leader within {within:?}: {}", self.outputs());
            thread::sleep(POLL_EVERY);
        }
    }

    /// All that a server said since it was started last.
    pub fn output(&self, index: usize) -> String {
        let said = fs::read(self.dir_of(index).join("output")).unwrap_or_default();
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Whose servers they are.
    pub const fn software(&self) -> Software {
        self.software
    }

    /// The ends of what all servers said, for the message of a test that fails.
    pub fn outputs(&self) -> String {
        let mut all = String::new();
        for index in 0..self.len() {
            let said = self.output(index);
            let tail: Vec<&str> = said.lines().rev().take(30).collect();
            all += &format!("\n--- server {}\n", index + 1);
            for line in tail.iter().rev() {
                all += line;
                all.push('\n');
            }
        }
        all
    }

    /// The data directory of a server.
    pub fn data_dir(&self, index: usize) -> PathBuf {
        self.dir_of(index).join("data")
    }

    /// The directory of a server: `zoo.cfg`, `output` and `data` are in it.
    pub fn dir_of(&self, index: usize) -> PathBuf {
        self.dir.path().join((index + 1).to_string())
    }
}
