//! The walk of a server that stands alone.

use std::net::SocketAddr;
use std::time::Duration;

use compat_tests::load::Load;
use compat_tests::oracle::process::{Place, ServerProcess, Software, free_address};
use compat_tests::raw::{Answer, Session};
use compat_tests::writer::verify_all;
use fault_points::Failing;
use tempfile::TempDir;

use crate::armed::{Action, Case, WITHIN, arm_pauses, disarm, until};
use crate::plan::Scene;
use crate::{cases, walk};

const SESSION_MS: i32 = 30_000;
/// Between the writes of a writer: the walk is about many moments, not many writes.
const REST: Duration = Duration::from_millis(2);

/// A checkpoint every few moments.
fn settings() -> Vec<(String, String)> {
    let settings = [("snapCount", "150"), ("maxSessionTimeout", "60000")];
    settings.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
}

/// A server that can be started over and over at one address.
struct Lone {
    dir: TempDir,
    address: SocketAddr,
    process: Option<ServerProcess>,
}

impl Lone {
    fn new() -> Self {
        let dir = TempDir::with_prefix("fault-points-").unwrap();
        Self { dir, address: free_address().unwrap(), process: None }
    }

    fn spawn(&mut self) -> &mut ServerProcess {
        let (dir, place) = (self.dir.path(), Place::here(self.address));
        let spawned = ServerProcess::spawn_at(Software::Faulty, dir, &place, &settings());
        self.process.insert(spawned.unwrap())
    }

    fn start(&mut self, case: &Case) {
        if let Err(error) = self.spawn().wait_until_answering() {
            panic!("{case}: it does not start again: {error}");
        }
    }

    /// Waits for the fault, and ends with a server that is healthy and runs.
    fn suffer(&mut self, case: &Case) {
        let mut process = self.process.take().unwrap();
        match (case.action, case.point.failing()) {
            (Action::Crash, _) | (Action::Fail, Failing::Fatal) => {
                let status = process.wait_exit(WITHIN);
                let said = process.output();
                assert!(case.is_reached(&said), "{case}: not reached: {said}");
                let status = status.unwrap_or_else(|| panic!("{case}: it goes on: {said}"));
                assert!(!status.success(), "{case}: {status}");
                if case.action == Action::Fail {
                    assert!(status.code().is_some(), "{case}: {status}: {said}");
                    let why = said.lines().rev().find(|line| line.starts_with("rookery: "));
                    assert!(
                        why.is_some_and(|why| why.contains("armed to fail")),
                        "{case}: it does not say why: {said}"
                    );
                }
                disarm(self.dir.path());
                self.start(case);
            }
            (Action::Fail | Action::Stall, _) => {
                until(case, || case.is_reached(&process.output()));
                let ended = process.wait_exit(Duration::ZERO);
                assert!(ended.is_none(), "{case}: {ended:?}: {}", process.output());
                disarm(self.dir.path());
                if case.action == Action::Stall {
                    std::thread::sleep(case.stall());
                }
                process.wait_until_answering().unwrap();
                self.process = Some(process);
            }
        }
    }
}

fn serves(server: &Lone, case: &Case) {
    let mut session = Session::open(server.address, SESSION_MS).unwrap();
    let answer = session.create("/first", b"x").unwrap();
    assert!(matches!(answer, Answer::Reply(0, _)), "{case}: {answer:?}");
}

/// Walks all scenes of a lone server.
pub(crate) fn walk_all(action: Action) {
    let what = format!("lone, {action:?}");
    walk(&what, &cases(&[Scene::LoneFirstStart], action), |case| {
        let mut server = Lone::new();
        case.arm(server.dir.path());
        server.spawn();
        server.suffer(case);
        serves(&server, case);
    });
    let cases = cases(&[Scene::LoneStart, Scene::LoneWorks, Scene::LoneRests], action);
    let Some(first) = cases.first() else { return };
    let mut server = Lone::new();
    server.start(first);
    let writers = [vec![server.address], vec![server.address]];
    let load = Load::start_with(writers, SESSION_MS, |writer| writer.with_rest(REST));
    walk(&what, &cases, |case| {
        load.wait_for(10);
        if case.scene == Scene::LoneStart {
            server.process.take().unwrap().kill();
            case.arm(server.dir.path());
            server.spawn();
        } else if case.scene == Scene::LoneRests {
            arm_pauses(server.dir.path(), Some(case));
        } else {
            case.arm(server.dir.path());
        }
        server.suffer(case);
        load.wait_for(10);
        assert!(!load.has_failed(), "{case}");
    });
    let mut writers = load.stop();
    server.process.take().unwrap().kill();
    server.start(first);
    verify_all(&mut writers);
}
