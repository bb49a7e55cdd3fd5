//! The settings and sizes of service that generated programs run on.

/// One configuration, and what programs may do there.
#[derive(Debug)]
pub struct World {
    /// Its name in commands and failures.
    pub name: &'static str,
    /// Lines of `zoo.cfg`.
    pub settings: &'static [(&'static str, &'static str)],
    /// One server, or an ensemble.
    pub servers: usize,
    /// How much of all generated operations, in percent.
    pub percent: u64,
    /// What programs do here and nowhere else.
    pub habit: Habit,
}

/// What makes the programs of a world different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Nothing.
    Usual,
    /// They wait: for sessions to expire, containers and TTL znodes to be reaped. They make
    /// such znodes nowhere else, for they would go at any time.
    Waits,
    /// They limit and meet hard quotas, one request at a time: what is on its way counts in
    /// Rookery and does not in ZooKeeper.
    HardQuotas,
    /// They send frames of about the longest that is taken, which is short here.
    LongFrames,
    /// They authenticate before they do anything else, mostly.
    Authenticates,
    /// They change the members, by servers that are named and never run.
    Reconfigures,
}

/// The numbers of the servers that are named and never run.
pub const PHANTOMS: std::ops::RangeInclusive<i64> = 4..=9;

/// The longest frame of the world of long frames, in bytes.
pub const FRAME_BYTES_MAX: usize = 4096;

const EXTENDED: (&str, &str) = ("extendedTypesEnabled", "true");
/// Once a day: containers go at no moment that a program could notice.
const UNREAPED: (&str, &str) = ("znode.container.checkIntervalMs", "86400000");

/// All worlds. Their shares are 100 % together.
pub static WORLDS: &[World] = &[
    World {
        name: "extended",
        settings: &[EXTENDED, UNREAPED],
        servers: 1,
        percent: 44,
        habit: Habit::Usual,
    },
    // What is switched off by default, and a reconfig that a lone server cannot do.
    World {
        name: "default",
        settings: &[UNREAPED, ("reconfigEnabled", "true")],
        servers: 1,
        percent: 6,
        habit: Habit::Usual,
    },
    World {
        name: "long-frames",
        settings: &[EXTENDED, UNREAPED, ("jute.maxbuffer", "4096")],
        servers: 1,
        percent: 6,
        habit: Habit::LongFrames,
    },
    World {
        name: "hard-quotas",
        settings: &[EXTENDED, UNREAPED, ("enforceQuota", "true")],
        servers: 1,
        percent: 8,
        habit: Habit::HardQuotas,
    },
    World {
        name: "local-sessions",
        settings: &[
            EXTENDED,
            UNREAPED,
            ("localSessionsEnabled", "true"),
            ("localSessionsUpgradingEnabled", "true"),
        ],
        servers: 1,
        percent: 6,
        habit: Habit::Usual,
    },
    World {
        name: "no-access-checks",
        settings: &[EXTENDED, UNREAPED, ("skipACL", "yes")],
        servers: 1,
        percent: 4,
        habit: Habit::Usual,
    },
    World {
        name: "enforced-auth",
        settings: &[
            EXTENDED,
            UNREAPED,
            ("enforce.auth.enabled", "true"),
            ("enforce.auth.schemes", "digest"),
        ],
        servers: 1,
        percent: 4,
        habit: Habit::Authenticates,
    },
    World {
        name: "waiting",
        settings: &[
            EXTENDED,
            ("tickTime", "200"),
            ("maxSessionTimeout", "60000"),
            ("znode.container.checkIntervalMs", "100"),
        ],
        servers: 1,
        percent: 2,
        habit: Habit::Waits,
    },
    World {
        name: "ensemble",
        settings: &[EXTENDED, UNREAPED, ("reconfigEnabled", "true")],
        servers: 3,
        percent: 14,
        habit: Habit::Usual,
    },
    World {
        name: "ensemble-reconfig",
        settings: &[EXTENDED, UNREAPED, ("reconfigEnabled", "true")],
        servers: 3,
        percent: 2,
        habit: Habit::Reconfigures,
    },
    World {
        name: "ensemble-local-sessions",
        settings: &[
            EXTENDED,
            UNREAPED,
            ("localSessionsEnabled", "true"),
            ("localSessionsUpgradingEnabled", "true"),
        ],
        servers: 3,
        percent: 2,
        habit: Habit::Usual,
    },
    World {
        name: "ensemble-waiting",
        settings: &[
            EXTENDED,
            ("tickTime", "500"),
            ("maxSessionTimeout", "60000"),
            ("znode.container.checkIntervalMs", "200"),
        ],
        servers: 3,
        percent: 2,
        habit: Habit::Waits,
    },
];

impl World {
    /// Whether `/zookeeper/config` shows the same on both sides.
    pub fn compares_members(&self) -> bool {
        self.servers == 1 || self.settings.contains(&("reconfigEnabled", "true"))
    }

    /// Its settings as a program has them.
    pub fn settings(&self) -> Vec<(String, String)> {
        self.settings.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::WORLDS;

    #[test]
    fn the_shares_are_all_there_is() {
        assert_eq!(WORLDS.iter().map(|world| world.percent).sum::<u64>(), 100);
    }
}
