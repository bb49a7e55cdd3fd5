//! One case of the walk, and the file that arms it.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use compat_tests::oracle::process::ARMED;
use fault_points::Point;

use crate::plan::Scene;

/// How long a point may take to be reached, on a slow disk, too.
pub(crate) const WITHIN: Duration = Duration::from_secs(180);
/// How long a step stalls among others: longer than an election takes.
const STALL: Duration = Duration::from_millis(2500);
/// How long a step of a lone server stalls.
const STALL_ALONE: Duration = Duration::from_millis(500);

/// Longer than a log waits before it rests, and shorter than an election takes.
const PAUSE: Duration = Duration::from_millis(300);

/// What happens at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The process is gone, as by kill -9.
    Crash,
    /// The step gives an error.
    Fail,
    /// The step takes long.
    Stall,
}

/// A point, the scene in which it is reached, and at which pass what happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) point: Point,
    pub(crate) scene: Scene,
    /// How often it is passed before.
    pub(crate) before: u32,
    pub(crate) action: Action,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { point, scene, before, action } = self;
        write!(f, "{action:?} at {} in {scene:?} after {before}", point.name())
    }
}

impl Case {
    /// How long it stalls.
    pub(crate) fn stall(&self) -> Duration {
        if self.scene.is_lone() { STALL_ALONE } else { STALL }
    }

    /// What happens, in the words of the file.
    pub(crate) fn word(&self) -> String {
        match self.action {
            Action::Crash => "crash".to_owned(),
            Action::Fail => "fail".to_owned(),
            Action::Stall => format!("stall {}", self.stall().as_millis()),
        }
    }

    /// Arms the server of a directory, whether it runs or is to be started.
    pub(crate) fn arm(&self, dir: &Path) {
        arm(dir, &[(self.point, self.before, &self.word())]);
    }

    /// Whether the server has said that it came to the point.
    pub(crate) fn is_reached(&self, output: &str) -> bool {
        output.contains(&format!("fault point at {}: ", self.point.name()))
    }
}

/// Arms points: each with how often it is passed before, and what happens then, once.
pub(crate) fn arm(dir: &Path, points: &[(Point, u32, &str)]) {
    let lines: Vec<String> = points
        .iter()
        .map(|(point, before, word)| {
            let off = if *before == 0 { String::new() } else { format!("{before}*off->") };
            format!("{}={off}1*return({word})", point.name())
        })
        .collect();
    arm_lines(dir, &lines.iter().map(String::as_str).collect::<Vec<_>>());
}

/// The same in the file's own words.
pub(crate) fn arm_lines(dir: &Path, lines: &[&str]) {
    static TIMES: AtomicU32 = AtomicU32::new(0);
    let time = format!("# {}", TIMES.fetch_add(1, Ordering::Relaxed));
    // In one step: the server may look at any time.
    let part = dir.join("armed.part");
    fs::write(&part, [&[time.as_str()], lines].concat().join("\n")).unwrap();
    fs::rename(part, dir.join(ARMED)).unwrap();
}

/// Arms a server to take no commands now and then, for longer than its log goes on before it
/// rests; with another point, if one is given. More than once: a log that has said all when it
/// comes to rest has nothing to say.
pub(crate) fn arm_pauses(dir: &Path, case: Option<&Case>) {
    let pause = format!("5*off->1*return(stall {})", PAUSE.as_millis());
    let pauses = format!("{}={}", Point::ProposeAppend.name(), vec![pause; 20].join("->"));
    let point = case.map(|case| format!("{}=1*return({})", case.point.name(), case.word()));
    let lines: Vec<&str> =
        point.as_deref().into_iter().chain(std::iter::once(pauses.as_str())).collect();
    arm_lines(dir, &lines);
}

/// Makes the server of a directory a healthy one again.
pub(crate) fn disarm(dir: &Path) {
    arm(dir, &[]);
}

/// Waits until a server that runs has seen how it is armed.
pub(crate) fn until_seen(dir: &Path, output: impl Fn() -> String) {
    let text = fs::read_to_string(dir.join(ARMED)).unwrap();
    let seen = format!("fault points are armed: {}\n", text.lines().next().unwrap());
    until(&seen, || output().contains(&seen));
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn until(what: &dyn fmt::Display, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
