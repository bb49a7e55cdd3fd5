//! Several servers as one service, each of which can be killed and started again.
//!
//! Works with either software, so that what is expected of Rookery can be seen on ZooKeeper.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::hosts::Hosts;
use crate::http;
use crate::oracle::process::{
    Place, ProcessError, ServerProcess, Software, four_letter_word, free_address,
};

/// How often a condition is looked at again.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// What makes servers keep their clients for longer than an election takes on the busiest
/// machine, and lets sessions last for longer than any test is silent.
const PATIENT: [(&str, &str); 3] =
    [("tickTime", "1000"), ("minSessionTimeout", "15000"), ("maxSessionTimeout", "60000")];

/// Settings of servers whose clients are to keep their connections when another one leads, and
/// more.
pub fn patient(more: &[(&str, &str)]) -> Vec<(String, String)> {
    let all = PATIENT.iter().chain(more);
    all.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

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
    place: Place,
    /// How the configuration describes it, clients' address included.
    described: String,
    /// Settings of its own, beyond those of all.
    settings: Vec<(String, String)>,
    process: Option<ServerProcess>,
}

/// Where a server is: its address, and its network namespace if it has its own.
type Host = (IpAddr, Option<String>);

fn here(count: usize) -> Vec<Host> {
    vec![(IpAddr::from(Ipv4Addr::LOCALHOST), None); count]
}

/// What the `server.N` lines say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// Where servers reach each other; clients' ports stand elsewhere.
    Peers,
    /// Where clients connect as well.
    PeersAndClients,
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
        Self::start_described(software, count, settings, Lines::Peers)
    }

    /// As [`Self::start`]; `lines` says what the servers' lines tell.
    ///
    /// # Errors
    /// When one of them does not start.
    pub fn start_described(
        software: Software,
        count: usize,
        settings: &[(String, String)],
        lines: Lines,
    ) -> Result<Self, ProcessError> {
        Self::start_below(&std::env::temp_dir(), software, count, settings, lines)
    }

    /// As [`Self::start_described`], with all data in a directory below `parent`.
    ///
    /// # Errors
    /// When one of them does not start.
    pub fn start_below(
        parent: &Path,
        software: Software,
        count: usize,
        settings: &[(String, String)],
        lines: Lines,
    ) -> Result<Self, ProcessError> {
        let dir = TempDir::with_prefix_in("ensemble-", parent).map_err(failed("a directory"))?;
        let mut ensemble = Self::prepare_at(software, &here(count), 0, settings, (lines, dir))?;
        ensemble.start_all()?;
        Ok(ensemble)
    }

    /// As [`Self::start_described`], and starts none.
    ///
    /// # Errors
    /// When there are no ports or directories to be had.
    pub fn prepare_described(
        software: Software,
        count: usize,
        settings: &[(String, String)],
        lines: Lines,
    ) -> Result<Self, ProcessError> {
        let dir = TempDir::with_prefix("ensemble-").map_err(failed("a directory"))?;
        Self::prepare_at(software, &here(count), 0, settings, (lines, dir))
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
        let places: Vec<Host> = (0..hosts.len())
            .map(|index| (hosts.address(index), Some(hosts.name(index).to_owned())))
            .collect();
        let dir = TempDir::with_prefix("ensemble-").map_err(failed("a directory"))?;
        let mut ensemble = Self::prepare_at(software, &places, 0, settings, (Lines::Peers, dir))?;
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
        let places = here(participants + observers);
        let dir = TempDir::with_prefix("ensemble-").map_err(failed("a directory"))?;
        Self::prepare_at(software, &places, observers, settings, (Lines::Peers, dir))
    }

    /// The same, with each server at an address and in a network namespace of its own.
    fn prepare_at(
        software: Software,
        places: &[Host],
        observers: usize,
        settings: &[(String, String)],
        (lines, dir): (Lines, TempDir),
    ) -> Result<Self, ProcessError> {
        let mut settings = settings.to_vec();
        for (key, value) in [("initLimit", "10"), ("syncLimit", "5")] {
            settings.push((key.to_owned(), value.to_owned()));
        }
        let mut ensemble = Self { software, settings, members: Vec::new(), dir };
        for (id, place) in (1..).zip(places) {
            let role = if id > places.len() - observers { "observer" } else { "participant" };
            let mut member = ensemble.new_member(id, place, role)?;
            let described = match lines {
                Lines::Peers => member.described.split(';').next().unwrap_or_default(),
                Lines::PeersAndClients => &member.described,
            };
            ensemble.settings.push((format!("server.{id}"), described.to_owned()));
            if role == "observer" {
                member.settings.push(("peerType".to_owned(), "observer".to_owned()));
            }
            ensemble.members.push(member);
        }
        Ok(ensemble)
    }

    /// Prepares one more server, which does not run yet. Its configuration is that of the
    /// first servers and its own line, as ZooKeeper's manual has it for one that is to be
    /// added. Returns its index.
    ///
    /// # Errors
    /// When there are no ports or directories to be had.
    pub fn add(&mut self) -> Result<usize, ProcessError> {
        let id = self.members.len() + 1;
        let place = (IpAddr::from(Ipv4Addr::LOCALHOST), None);
        let mut member = self.new_member(id, &place, "participant")?;
        member.settings.push((format!("server.{id}"), member.described.clone()));
        self.members.push(member);
        Ok(id - 1)
    }

    fn new_member(
        &self,
        id: usize,
        (ip, namespace): &Host,
        role: &str,
    ) -> Result<Member, ProcessError> {
        let port = || free_address().map(|address| address.port()).map_err(failed("a port"));
        let (client, peer, election) = (port()?, port()?, port()?);
        let client = SocketAddr::new(*ip, client);
        let described = format!("{ip}:{peer}:{election}:{role};{client}");
        let data = self.dir.path().join(id.to_string()).join("data");
        fs::create_dir_all(&data).map_err(failed("a data directory"))?;
        fs::write(data.join("myid"), format!("{id}\n")).map_err(failed("myid"))?;
        let place = Place { namespace: namespace.clone(), ..Place::here(client) };
        Ok(Member { place, described, settings: Vec::new(), process: None })
    }

    /// How the configuration describes a server: `server.N=…`, with its clients' port.
    pub fn line(&self, index: usize) -> String {
        format!("server.{}={}", index + 1, self.members[index].described)
    }

    /// Gives one server a setting of its own, from its next start on.
    pub fn set(&mut self, index: usize, key: &str, value: &str) {
        self.members[index].settings.push((key.to_owned(), value.to_owned()));
    }

    /// Gives each server an admin server on a port of its own, from its next start on; returns
    /// the ports.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn with_admin_servers(&mut self) -> io::Result<Vec<u16>> {
        let ports = (0..self.len()).map(|_| free_address().map(|address| address.port()));
        let ports: Vec<u16> = ports.collect::<io::Result<_>>()?;
        for (index, port) in ports.iter().enumerate() {
            self.set(index, "admin.enableServer", "true");
            self.set(index, "admin.serverAddress", "127.0.0.1");
            self.set(index, "admin.serverPort", &port.to_string());
        }
        Ok(ports)
    }

    /// Asks a server that has an admin server to hand the lead to another one; the status and the
    /// body of its answer.
    ///
    /// # Errors
    /// When it has none, or it does not answer.
    pub fn hand_over(&self, asked: usize, to: usize) -> io::Result<(u16, String)> {
        let settings = &self.members[asked].settings;
        let port = settings.iter().rfind(|(key, _)| key == "admin.serverPort");
        let port = port.and_then(|(_, port)| port.parse().ok());
        let port = port.ok_or_else(|| io::Error::other("no admin server"))?;
        let headers = "Content-Length: 0\r\nAuthorization: ip 127.0.0.1\r\n";
        http::ask("POST", port, &format!("/commands/hand_over?to={}", to + 1), headers)
    }

    /// Gives one server another build of Rookery, from its next start on; `None` for the one
    /// under test.
    pub fn set_program(&mut self, index: usize, program: Option<PathBuf>) {
        self.members[index].place.program = program;
    }

    /// Starts a server that does not run, and does not wait for it.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn spawn(&mut self, index: usize) -> Result<(), ProcessError> {
        let dir = self.dir_of(index);
        let member = &mut self.members[index];
        let settings = [&self.settings[..], &member.settings[..]].concat();
        let spawned = ServerProcess::spawn_at(self.software, &dir, &member.place, &settings)?;
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

    /// How a server ended by itself; `None` when it goes on running, or did not run.
    pub fn wait_exit(&mut self, index: usize, within: Duration) -> Option<ExitStatus> {
        let member = &mut self.members[index];
        let status = member.process.as_mut()?.wait_exit(within)?;
        member.process = None;
        Some(status)
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
        self.members[index].place.client
    }

    /// The process of a server that runs.
    pub fn process(&self, index: usize) -> Option<&ServerProcess> {
        self.members[index].process.as_ref()
    }

    /// A connect string with all servers.
    pub fn connect_string(&self) -> String {
        let hosts: Vec<String> =
            self.members.iter().map(|one| one.place.client.to_string()).collect();
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

    /// The last zxid of a server; `None` while it does not serve.
    pub fn zxid(&self, index: usize) -> Option<u64> {
        let text = four_letter_word(self.address(index), "srvr").ok()?;
        let zxid = text.lines().find_map(|line| line.strip_prefix("Zxid: 0x"))?;
        u64::from_str_radix(zxid, 16).ok()
    }

    /// A value that `mntr` shows for a server, its name without the `zk_`.
    ///
    /// # Panics
    /// When the server does not show it.
    pub fn figure(&self, index: usize, name: &str) -> String {
        self.figure_if_shown(index, name).unwrap_or_else(|| {
            panic!("no {name} in mntr of server {}: {}", index + 1, self.output(index))
        })
    }

    /// The same; none from a server that does not serve.
    pub fn figure_if_shown(&self, index: usize, name: &str) -> Option<String> {
        let text = four_letter_word(self.address(index), "mntr").ok()?;
        text.lines().find_map(|line| {
            let (key, value) = line.strip_prefix("zk_")?.split_once('\t')?;
            (key == name).then(|| value.to_owned())
        })
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

    /// Waits until all servers are in the configuration that they were started with. One that
    /// comes late is taken in by those that founded the cluster without it: a change of the
    /// members, and a reconfig that meets it is refused.
    ///
    /// # Panics
    /// When that takes longer.
    pub fn wait_until_settled(&self, within: Duration) {
        let count = |text: &str| -> usize {
            (0..self.len()).map(|index| self.output(index).matches(text).count()).sum()
        };
        let deadline = Instant::now() + within;
        while count("the members have changed") < count("taking in a server") {
            assert!(Instant::now() < deadline, "it is not taken in: {}", self.outputs());
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

fn failed(what: &str) -> impl Fn(io::Error) -> ProcessError {
    let what = what.to_owned();
    move |error| ProcessError::Io { what: what.clone(), error }
}
