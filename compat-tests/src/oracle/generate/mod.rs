//! Makes up programs from a seed: several sessions over a handful of paths, so that they
//! meet; most of it valid, some of it not.
//!
//! A program is deterministic however fast or slow the servers are: a connection that may be
//! behind what others did at another server syncs before it does anything else, and whatever
//! takes its time is waited for. Left out is what `docs/compatibility.md` lists as different
//! on purpose.

mod arguments;
mod members;
mod random;
mod requests;
mod scenes;
mod sessions;

use self::random::Random;
use super::worlds::{Habit, World};
use crate::script::catalogue;
use crate::script::{Action, Arg, Program, Request, Step};

/// Fewest and most connections that are open at once.
const CONNECTIONS: std::ops::Range<usize> = 2..7;

/// The program of this seed in a world, with about `steps` steps.
pub fn program(world: &World, seed: u64, steps: usize) -> Program {
    let mut generator = Generator {
        world,
        random: Random::seeded(seed),
        steps: Vec::new(),
        clients: Vec::new(),
        names: 0,
    };
    let count = CONNECTIONS.start + generator.random.below(CONNECTIONS.len());
    for _ in 0..count {
        generator.open_new();
    }
    generator.plant();
    while generator.steps.len() < steps {
        generator.grow();
    }
    Program { settings: world.settings(), servers: world.servers, steps: generator.steps }
}

#[derive(Debug)]
struct Generator<'w> {
    world: &'w World,
    random: Random,
    steps: Vec<Step>,
    clients: Vec<Client>,
    /// How many names were given to connections.
    names: usize,
}

/// A connection that is open.
#[derive(Clone, Debug)]
struct Client {
    name: String,
    server: usize,
    /// Something was done at another server that may not have arrived at its own.
    is_behind: bool,
}

impl Generator<'_> {
    /// Makes most of the znodes that requests are about, so that more of them succeed.
    fn plant(&mut self) {
        for path in ["/a", "/b", "/a/x", "/a/y", "/b/x", "/a/x/d"] {
            if self.random.percent(80) {
                let client = self.random.below(self.clients.len());
                self.ask(client, request("create").with("path", text(path)));
            }
        }
    }

    fn grow(&mut self) {
        let client = self.random.below(self.clients.len());
        if self.world.habit == Habit::Reconfigures && self.random.percent(30) {
            return self.meet_the_members(client);
        }
        match self.random.below(1000) {
            0..=14 => self.reopen(client),
            15..=39 => self.come_back(client),
            40..=47 => self.be_thrown_out(client),
            48..=53 => self.be_refused(client),
            54..=61 => self.take_over(client),
            62..=79 => self.authenticate(client),
            80..=139 if self.world.habit != Habit::HardQuotas => self.pipeline(client),
            140..=149 => self.quota(client),
            150..=159 => self.set_watches_again(client),
            160..=174 => self.habit(client),
            _ => {
                let request = self.request();
                self.ask(client, request);
            }
        }
    }

    fn habit(&mut self, client: usize) {
        match self.world.habit {
            Habit::Usual => self.reconfigure(client),
            Habit::Waits => self.wait(client),
            Habit::HardQuotas => self.hard_quota(client),
            Habit::LongFrames => self.long_frame(client),
            Habit::Authenticates => self.be_unknown(client),
            Habit::Reconfigures => self.meet_the_members(client),
        }
    }

    /// A step of a connection, behind a sync if it may be behind.
    fn push(&mut self, client: usize, action: Action) {
        if self.clients[client].is_behind && !matches!(action, Action::Connect(_)) {
            self.clients[client].is_behind = false;
            let sync = request("sync").with("path", text("/"));
            self.push_as(client, Action::Request(sync));
        }
        self.push_as(client, action);
    }

    fn push_as(&mut self, client: usize, action: Action) {
        let connection = self.clients[client].name.clone();
        if may_change_something(&action) {
            let server = self.clients[client].server;
            for other in self.clients.iter_mut().filter(|other| other.server != server) {
                other.is_behind = true;
            }
        }
        self.steps.push(Step { connection, action });
    }

    fn ask(&mut self, client: usize, request: Request) {
        self.push(client, Action::Request(request));
    }

    /// Any of them but this one.
    fn other(&mut self, client: usize) -> usize {
        (client + 1 + self.random.below(self.clients.len() - 1)) % self.clients.len()
    }

    fn pipeline(&mut self, client: usize) {
        for _ in 0..2 + self.random.below(6) {
            let request = self.request();
            // What follows a setACL closely is judged by ZooKeeper by the old list or the new
            // one, as it happens.
            if request.code != 7 {
                self.push(client, Action::Queue(request));
            }
        }
        self.push(client, Action::Flush);
    }
}

fn may_change_something(action: &Action) -> bool {
    match action {
        Action::Request(request) | Action::Queue(request) => {
            request.operation.is_none_or(|operation| operation.is_write)
        }
        Action::Connect(_) | Action::Flush | Action::Frame(_) | Action::Eof => true,
        Action::Event | Action::Drop => false,
    }
}

fn request(name: &str) -> Request {
    Request::new(catalogue::named(name).expect("the catalogue has it"))
}

fn text(text: &str) -> Arg {
    Arg::Text(Some(text.to_owned()))
}

fn bytes(text: &str) -> Arg {
    Arg::Buffer(Some(text.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::worlds::WORLDS;
    use super::program;
    use crate::script::catalogue::OPERATIONS;
    use crate::script::{Action, Program};

    #[test]
    fn a_seed_means_one_program_and_its_text_means_the_same() {
        for world in WORLDS {
            for seed in 0..20 {
                let made = program(world, seed, 200);
                assert_eq!(made, program(world, seed, 200));
                assert_eq!(Program::parse(&made.to_string()).unwrap(), made, "seed {seed}");
            }
        }
    }

    /// `deleteContainer` and `createSession` are left out: no client sends them, and Rookery
    /// refuses them on purpose.
    #[test]
    fn programs_use_every_operation() {
        let mut used = BTreeSet::new();
        for seed in 0..100 {
            for step in program(&WORLDS[0], seed, 300).steps {
                if let Action::Request(request) | Action::Queue(request) = step.action {
                    used.insert(request.name());
                }
            }
        }
        let unused = OPERATIONS.iter().map(|operation| operation.name);
        let unused: Vec<_> = unused.filter(|name| !used.contains(name)).collect();
        assert_eq!(unused, ["deleteContainer", "createSession"]);
    }
}
