//! The walk of one server among three, with clients at all of them.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use compat_tests::digests;
use compat_tests::ensemble::Ensemble;
use compat_tests::load::Load;
use compat_tests::oracle::process::Software;
use compat_tests::raw::{Answer, Session};
use fault_points::{Failing, Kind};
use rustix::process::Signal;

use crate::armed::{Action, Case, WITHIN, arm_lines, arm_pauses, disarm, until, until_seen};
use crate::plan::Scene;
use crate::{cases, walk};

/// Longer than any case takes on a slow disk: some clients know only the server that is away.
const SESSION_MS: i32 = 300_000;
const SYNC: i32 = 9;
/// Between the writes of a writer: the walk is about many moments, not many writes.
const REST: Duration = Duration::from_millis(6);
/// How long a writer waits before it tries another server.
const PATIENCE: Duration = Duration::from_secs(3);
/// The server whose log has a directory of its own.
const WITH_LOG_DIR: usize = 2;
/// How often a scene that depends on who comes first is played again.
pub(crate) const TRIES: u32 = 10;

/// Three servers under load.
pub(crate) struct Trio {
    pub(crate) ensemble: Ensemble,
    pub(crate) load: Load,
}

fn prepare(settings: &[(&str, &str)]) -> Ensemble {
    let settings: Vec<_> =
        settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let mut ensemble = Ensemble::prepare(Software::Faulty, 3, &settings).unwrap();
    let log_dir = ensemble.dir_of(WITH_LOG_DIR).join("log").display().to_string();
    ensemble.set(WITH_LOG_DIR, "dataLogDir", &log_dir);
    ensemble
}

impl Trio {
    /// Starts servers with these settings, and writers that rest so long after each answer.
    pub(crate) fn start(settings: &[(&str, &str)], rest: Duration) -> Self {
        let longer = [settings, &[("maxSessionTimeout", "300000")]].concat();
        let mut ensemble = prepare(&longer);
        ensemble.start_all().unwrap();
        ensemble.wait_for_leader(WITHIN);
        // Some go from server to server, and each server has one that waits for it.
        let address = |index: usize| ensemble.address(index % 3);
        let roaming = (0..3).map(|first| (first..first + 3).map(address).collect());
        let faithful = (0..3).map(|only| vec![address(only)]);
        let servers: Vec<Vec<_>> = roaming.chain(faithful).collect();
        let load = Load::start_with(servers, SESSION_MS, |writer| {
            writer.with_rest(rest).with_patience(PATIENCE)
        });
        Self { ensemble, load }
    }

    /// A server that leads, and one that follows.
    pub(crate) fn roles(&self) -> (usize, usize) {
        let leader = self.ensemble.wait_for_leader(WITHIN);
        (leader, (leader + 1) % 3)
    }

    /// Waits until the fault has come to one of these servers, and says to which.
    pub(crate) fn wait_for_fault(&mut self, servers: &[usize], case: &Case) -> usize {
        let deadline = Instant::now() + WITHIN;
        loop {
            let ensemble = &self.ensemble;
            let reached = |index: &&usize| case.is_reached(&ensemble.output(**index));
            if let Some(found) = servers.iter().find(reached) {
                return *found;
            }
            let late = Instant::now() > deadline;
            assert!(!late, "{case}: not reached: {}", self.ensemble.outputs());
            assert!(!self.load.has_failed(), "{case}: a writer failed");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// The server that the fault has come to must end, or go on, as it should.
    pub(crate) fn check(&mut self, victim: usize, case: &Case) {
        match (case.action, case.point.failing()) {
            (Action::Crash, _) | (Action::Fail, Failing::Fatal) => {
                let status = self.ensemble.wait_exit(victim, WITHIN);
                let said = self.ensemble.output(victim);
                let status = status.unwrap_or_else(|| panic!("{case}: it goes on: {said}"));
                assert!(!status.success(), "{case}: {status}");
                if case.action == Action::Fail {
                    assert!(status.code().is_some(), "{case}: {status}: {said}");
                    let why = said.lines().rev().find(|line| line.starts_with("rookery: "));
                    let known = why.is_some_and(|why| why.contains("armed to fail"));
                    assert!(known, "{case}: it does not say why: {said}");
                }
            }
            (Action::Fail | Action::Stall, _) => {
                // One that was told to stop may have.
                if case.scene != Scene::LeaderHandsOver {
                    let ended = self.ensemble.wait_exit(victim, Duration::ZERO);
                    let said = self.ensemble.output(victim);
                    assert!(ended.is_none(), "{case}: {ended:?}: {said}");
                }
                if case.action == Action::Stall {
                    thread::sleep(case.stall());
                }
            }
        }
    }

    /// Makes all servers healthy: all run, all serve, and clients at all of them write.
    pub(crate) fn heal(&mut self, case: &Case) {
        for index in 0..3 {
            disarm(&self.ensemble.dir_of(index));
        }
        for index in 0..3 {
            if self.ensemble.process(index).is_none() {
                self.ensemble.spawn(index).unwrap();
            }
        }
        let deadline = Instant::now() + WITHIN;
        while (0..3).any(|index| self.ensemble.mode(index).is_none()) {
            let late = Instant::now() > deadline;
            assert!(!late, "{case}: one does not serve: {}", self.ensemble.outputs());
            for index in 0..3 {
                // A second one that was armed may end later than the first.
                let was_armed = case.is_reached(&self.ensemble.output(index));
                if was_armed && self.ensemble.wait_exit(index, Duration::ZERO).is_some() {
                    let ends = case.action == Action::Crash
                        || case.point.failing() == Failing::Fatal
                        || case.scene == Scene::LeaderHandsOver;
                    assert!(ends, "{case}: it ended: {}", self.ensemble.outputs());
                    self.ensemble.spawn(index).unwrap();
                }
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.wait_for_each(case);
    }

    /// Waits until every writer has gone on, also those of one server.
    fn wait_for_each(&self, case: &Case) {
        let before = self.load.acknowledged_each();
        let deadline = Instant::now() + WITHIN;
        loop {
            let now = self.load.acknowledged_each();
            if now.iter().zip(&before).all(|(now, before)| *now >= before + 3) {
                return;
            }
            let fine = !self.load.has_failed() && Instant::now() < deadline;
            assert!(fine, "{case}: {before:?} and then {now:?}: {}", self.ensemble.outputs());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends the load, and compares: what is there with what was acknowledged, and the trees.
    pub(crate) fn finish(self) {
        let Self { ensemble, load } = self;
        load.stop_and_verify();
        digests::until_equal(&ensemble);
        let figures = |index: usize| {
            ["znode_count", "ephemerals_count", "approximate_data_size"]
                .map(|name| ensemble.figure(index, name))
        };
        // Sessions expire meanwhile, on one server a moment before the others.
        until(&"equal figures", || figures(0) == figures(1) && figures(0) == figures(2));
    }
}

/// Waits until a server has all that was decided before.
fn sync(ensemble: &Ensemble, index: usize) -> std::io::Result<Answer> {
    let mut session = Session::open(ensemble.address(index), SESSION_MS)?;
    session.ask(SYNC, |out| {
        out.text(Some("/"));
    })
}

/// Walks all scenes of three servers but those of one that is far behind.
pub(crate) fn walk_all(action: Action) {
    let what = format!("three, {action:?}");
    walk(&what, &cases(&[Scene::Founding], action), found);
    let cases = cases(
        &[
            Scene::LeaderWorks,
            Scene::FollowerWorks,
            Scene::FollowerRests,
            Scene::LeaderIsRejoined,
            Scene::LeaderIsAsked,
            Scene::Election,
            Scene::LeaderHandsOver,
            Scene::FollowerTakesOver,
            Scene::Conflict,
            Scene::Damaged,
        ],
        action,
    );
    if cases.is_empty() {
        return;
    }
    let mut trio =
        Trio::start(&[("tickTime", "1000"), ("snapCount", "200"), ("commitLogCount", "500")], REST);
    walk(&what, &cases, |case| {
        trio.load.wait_for(20);
        trio.play(case);
        trio.heal(case);
    });
    trio.finish();
}

/// Three empty servers, one of which has the fault.
fn found(case: &Case) {
    let mut ensemble = prepare(&[("tickTime", "1000")]);
    case.arm(&ensemble.dir_of(0));
    for index in 0..3 {
        ensemble.spawn(index).unwrap();
    }
    until(case, || case.is_reached(&ensemble.output(0)));
    if case.action != Action::Stall {
        let status = ensemble.wait_exit(0, WITHIN).unwrap_or_else(|| panic!("{case}: it goes on"));
        assert!(!status.success(), "{case}: {status}");
        disarm(&ensemble.dir_of(0));
        ensemble.start_again(0).unwrap();
    }
    until(case, || (0..3).all(|index| ensemble.mode(index).is_some()));
    let mut session = Session::open(ensemble.address(0), SESSION_MS).unwrap();
    assert!(matches!(session.create("/first", b"x").unwrap(), Answer::Reply(0, _)), "{case}");
}

impl Trio {
    /// Arms servers that run.
    pub(crate) fn arm(&self, servers: &[usize], case: &Case) {
        for server in servers {
            let dir = self.ensemble.dir_of(*server);
            case.arm(&dir);
            until_seen(&dir, || self.ensemble.output(*server));
        }
    }

    fn play(&mut self, case: &Case) {
        let (leader, follower) = self.roles();
        let others = [follower, (leader + 2) % 3];
        match case.scene {
            Scene::LeaderWorks | Scene::FollowerWorks => self.work(case),
            Scene::FollowerRests => {
                self.arm(&[follower], case);
                arm_pauses(&self.ensemble.dir_of(leader), None);
                let victim = self.wait_for_fault(&[follower], case);
                self.check(victim, case);
            }
            Scene::LeaderIsRejoined => {
                self.ensemble.kill(follower);
                self.arm(&[leader], case);
                self.ensemble.spawn(follower).unwrap();
                let victim = self.wait_for_fault(&[leader], case);
                self.check(victim, case);
            }
            Scene::LeaderIsAsked => {
                self.arm(&[leader], case);
                // Whatever is answered: the one that is asked may crash.
                drop(sync(&self.ensemble, follower));
                let victim = self.wait_for_fault(&[leader], case);
                self.check(victim, case);
            }
            Scene::Election => {
                self.arm(&others, case);
                self.ensemble.kill(leader);
                let victim = self.wait_for_fault(&others, case);
                self.check(victim, case);
            }
            Scene::LeaderHandsOver => self.hand_over(case),
            Scene::FollowerTakesOver => {
                self.arm(&others, case);
                self.ensemble.signal(leader, Signal::TERM);
                let victim = self.wait_for_fault(&others, case);
                self.check(victim, case);
                let _ = self.ensemble.wait_exit(leader, WITHIN);
            }
            Scene::Conflict => self.conflict(case),
            Scene::Damaged => self.damage(case),
            Scene::LoneFirstStart
            | Scene::LoneStart
            | Scene::LoneWorks
            | Scene::LoneRests
            | Scene::Founding
            | Scene::Behind
            | Scene::BehindLeader
            | Scene::BehindAgain => panic!("{case}: played elsewhere"),
        }
    }

    fn work(&mut self, case: &Case) {
        let on_disk = matches!(case.point.kind(), Kind::Write | Kind::Sync | Kind::Rename);
        for _ in 0..TRIES {
            let (leader, follower) = self.roles();
            let index = if case.scene == Scene::LeaderWorks { leader } else { follower };
            let term = self.term(leader);
            self.arm(&[index], case);
            let victim = self.wait_for_fault(&[index], case);
            if case.action == Action::Crash || on_disk {
                // The others go on without it: this is more than was under way.
                self.load.wait_for(200);
            }
            self.check(victim, case);
            // Signs of life do not wait for a disk: a stall is longer than anybody waits for
            // them, so that they would cost the lead every time. A busy processor may, too, but
            // not every time.
            let keeps_the_lead = case.action == Action::Stall && on_disk;
            if !keeps_the_lead || (term.is_some() && self.term(leader) == term) {
                return;
            }
            self.heal(case);
        }
        panic!("{case}: another leads, each time: {}", self.ensemble.outputs());
    }

    /// The term of a server that leads: the epoch of its zxids.
    fn term(&self, leader: usize) -> Option<u64> {
        let leads = self.ensemble.mode(leader).as_deref() == Some("leader");
        self.ensemble.zxid(leader).filter(|_| leads).map(|zxid| zxid >> 32)
    }

    /// Until a command comes to the one that handed over, after it did.
    fn hand_over(&mut self, case: &Case) {
        for _ in 0..TRIES {
            let (leader, _) = self.roles();
            self.arm(&[leader], case);
            self.ensemble.signal(leader, Signal::TERM);
            let status = self.ensemble.wait_exit(leader, WITHIN);
            assert!(status.is_some(), "{case}: it does not end");
            if case.is_reached(&self.ensemble.output(leader)) {
                return;
            }
            self.heal(case);
        }
        panic!("{case}: not reached");
    }

    /// A leader writes what it cannot send, and dies; when it comes back, others have led.
    fn conflict(&mut self, case: &Case) {
        for _ in 0..TRIES {
            let (leader, _) = self.roles();
            let dir = self.ensemble.dir_of(leader);
            arm_lines(
                &dir,
                &["append.send=return(stall 60000)", "log.tell=3*off->1*return(crash)"],
            );
            if self.ensemble.wait_exit(leader, Duration::from_secs(5)).is_none() {
                self.ensemble.kill(leader);
            }
            self.load.wait_for(20);
            case.arm(&dir);
            self.ensemble.spawn(leader).unwrap();
            let deadline = Instant::now() + Duration::from_secs(20);
            while !case.is_reached(&self.ensemble.output(leader)) && Instant::now() < deadline {
                if self.ensemble.mode(leader).is_some() {
                    break;
                }
                thread::sleep(Duration::from_millis(5));
            }
            if case.is_reached(&self.ensemble.output(leader)) {
                self.check(leader, case);
                return;
            }
            self.heal(case);
        }
        panic!("{case}: not reached: {}", self.ensemble.outputs());
    }

    fn damage(&mut self, case: &Case) {
        let victim = WITH_LOG_DIR;
        self.ensemble.kill(victim);
        let (data, log) =
            (self.ensemble.data_dir(victim), self.ensemble.dir_of(victim).join("log"));
        // They are kept nine times at most.
        for folder in [&data, &log] {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_name().to_string_lossy().starts_with("rookery.damaged") {
                    fs::remove_dir_all(entry.path()).unwrap();
                }
            }
        }
        fs::remove_file(log.join("rookery/mark")).unwrap();
        case.arm(&self.ensemble.dir_of(victim));
        self.ensemble.spawn(victim).unwrap();
        let reached = self.wait_for_fault(&[victim], case);
        self.check(reached, case);
    }
}
