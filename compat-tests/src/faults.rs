//! What can happen to one server of three, drawn from a seed: kill -9, SIGSTOP, wiped disks, cut
//! links, one way and both ways, and restarts of all, one after the other. At no time is a
//! majority down for long.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;

use crate::ensemble::Ensemble;
use crate::hosts::Hosts;
use crate::oracle::process::{ProcessError, Software};
use crate::random::Random;

/// How long anything may take.
const WITHIN: Duration = Duration::from_secs(60);

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Killed, and started again.
    Killed,
    /// Killed, and started again without its data.
    Wiped,
    /// Stopped where it is, and let go on.
    Stopped,
    /// All of them, one after the other: asked to end, and started again.
    RollingRestart,
    /// Nobody of the others hears it, and it hears nobody.
    CutOff,
    /// It hears the others and they do not hear it.
    Mute,
    /// The others hear it and it does not hear them.
    Deaf,
    /// One link is cut, both ways.
    OneLink,
}

const ANYWHERE: [Fault; 4] = [Fault::Killed, Fault::Wiped, Fault::Stopped, Fault::RollingRestart];
const ON_HOSTS: [Fault; 8] = [
    Fault::Killed,
    Fault::Wiped,
    Fault::Stopped,
    Fault::RollingRestart,
    Fault::CutOff,
    Fault::Mute,
    Fault::Deaf,
    Fault::OneLink,
];

/// A fault that was drawn.
#[derive(Clone, Copy, Debug)]
pub struct Drawn {
    /// What.
    pub fault: Fault,
    /// To which server.
    pub victim: usize,
    /// For how long.
    pub lasts: Duration,
}

/// Faults by seed, and where they happen.
#[derive(Debug)]
pub struct Faults {
    seed: u64,
    random: Random,
    hosts: Option<Hosts>,
    happened: BTreeMap<Fault, u64>,
}

/// A number from the environment.
///
/// # Panics
/// When it is none.
pub fn number_from(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

impl Faults {
    /// Those of the seed in `FAULTS_SEED`, or of any; on hosts of their own if such can be made.
    pub fn from_env() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seed = number_from("FAULTS_SEED", u64::from(now.subsec_nanos()));
        let hosts = Hosts::make(3);
        if let Err(error) = &hosts {
            print(&format!("no links are cut: {error}"));
        }
        let (random, hosts) = (Random::seeded(seed), hosts.ok());
        Self { seed, random, hosts, happened: BTreeMap::new() }
    }

    /// What they are drawn from.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// How often each happened.
    pub const fn happened(&self) -> &BTreeMap<Fault, u64> {
        &self.happened
    }

    /// Three servers to which they can happen.
    ///
    /// # Errors
    /// When one of them does not start.
    pub fn ensemble(
        &self,
        software: Software,
        settings: &[(String, String)],
    ) -> Result<Ensemble, ProcessError> {
        match &self.hosts {
            Some(hosts) => Ensemble::start_on(software, hosts, settings),
            None => Ensemble::start(software, 3, settings),
        }
    }

    /// The next one, of those that can happen here.
    pub fn draw(&mut self, ensemble: &Ensemble) -> Drawn {
        let leader = ensemble.wait_for_leader(WITHIN);
        // Most of what is interesting happens to leaders.
        let victim = if self.random.below(2) == 0 { leader } else { self.random.index(3) };
        let faults = if self.hosts.is_some() { &ON_HOSTS[..] } else { &ANYWHERE[..] };
        let fault = faults[self.random.index(faults.len())];
        let lasts = Duration::from_millis(200 + self.random.below(4000));
        *self.happened.entry(fault).or_default() += 1;
        Drawn { fault, victim, lasts }
    }

    /// Lets it happen. A rolling restart is over when this returns.
    ///
    /// # Panics
    /// When it cannot be made to happen.
    pub fn begin(&self, ensemble: &mut Ensemble, drawn: Drawn) {
        let victim = drawn.victim;
        let others = [(victim + 1) % 3, (victim + 2) % 3];
        let hosts = || self.hosts.as_ref().expect("links are cut between hosts");
        let cut = |pairs: &[(usize, usize)]| {
            for (from, to) in pairs {
                hosts().cut_one_way(*from, *to).expect("a link can be cut");
            }
        };
        match drawn.fault {
            Fault::Killed | Fault::Wiped => ensemble.kill(victim),
            Fault::Stopped => ensemble.signal(victim, Signal::STOP),
            Fault::RollingRestart => rolling_restart(ensemble, victim),
            Fault::CutOff => hosts().cut_off(victim).expect("a host can be cut off"),
            Fault::Mute => cut(&others.map(|other| (victim, other))),
            Fault::Deaf => cut(&others.map(|other| (other, victim))),
            Fault::OneLink => cut(&[(victim, others[0]), (others[0], victim)]),
        }
    }

    /// Ends what [`Self::begin`] began.
    ///
    /// # Panics
    /// When that cannot be done.
    pub fn end(&self, ensemble: &mut Ensemble, drawn: Drawn) {
        let victim = drawn.victim;
        match drawn.fault {
            Fault::Wiped => {
                ensemble.wipe(victim);
                ensemble.spawn(victim).expect("it can be started");
            }
            Fault::Killed => ensemble.spawn(victim).expect("it can be started"),
            Fault::Stopped => ensemble.signal(victim, Signal::CONT),
            Fault::RollingRestart => {}
            Fault::CutOff | Fault::Mute | Fault::Deaf | Fault::OneLink => {
                let hosts = self.hosts.as_ref().expect("links are cut between hosts");
                hosts.heal().expect("links can be healed");
            }
        }
    }
}

/// Restarts all servers, one after the other, each when the one before serves again.
///
/// # Panics
/// When one does not come back.
pub fn rolling_restart(ensemble: &mut Ensemble, first: usize) {
    let count = ensemble.len();
    for index in (0..count).map(|number| (first + number) % count) {
        ensemble.stop(index, Duration::from_secs(10));
        ensemble.start_again(index).expect("it serves again");
    }
}

/// Waits until all serve, so that the next fault does not cost the majority.
///
/// # Panics
/// When one does not.
pub fn wait_until_serving(ensemble: &Ensemble, what: &str) {
    let deadline = Instant::now() + WITHIN;
    while (0..ensemble.len()).any(|index| ensemble.mode(index).is_none()) {
        let late = Instant::now() > deadline;
        assert!(!late, "{what}: one does not serve: {}", ensemble.outputs());
        thread::sleep(Duration::from_millis(20));
    }
}

/// A line of the report.
#[expect(clippy::print_stdout, reason = "what a failure is repeated from must be seen")]
pub fn print(line: &str) {
    println!("{line}");
}
