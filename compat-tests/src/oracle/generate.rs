//! Makes up programs from a seed: several sessions over a handful of paths, so that they
//! meet; most of it valid, some of it not.
//!
//! Left out is what `docs/compatibility.md` lists as different on purpose.

use crate::script::catalogue;
use crate::script::{AclEntry, Action, Arg, Connect, Program, Request, SeenZxid, Step};

const CONNECTIONS: &[&str] = &["a", "b", "c"];
const PATHS: &[&str] =
    &["/a", "/b", "/a/x", "/a/y", "/a/x/d", "/a/x/e", "/b/x", "/b/x/deep", "/a/s-0000000001"];
const ODD_PATHS: &[&str] = &[
    "/",
    "",
    "relative",
    "/a/",
    "/a//x",
    "/a/.",
    "/a/../b",
    "/missing/x",
    "/zookeeper",
    "/zookeeper/config",
    "/zookeeper/quota",
    "/zookeeper/x",
    "/a/\u{1}",
    "/a/\u{e9}",
    "/a/ b",
];
const USERS: &[&str] = &["alice:a", "bob:b"];
const ACLS: &[&[(&str, &str, i32)]] = &[
    &[("world", "anyone", 31)],
    &[("world", "anyone", 31)],
    &[("world", "anyone", 31)],
    &[("world", "anyone", 1)],
    &[("world", "anyone", 15)],
    &[("world", "anyone", 30)],
    &[("auth", "", 31)],
    &[("ip", "127.0.0.1", 31)],
    &[("ip", "10.0.0.0/8", 31), ("world", "anyone", 5)],
    &[("digest", "alice:NRMTVcmFJZVFSV5zyN8yG3Q9BjM=", 31), ("world", "anyone", 1)],
    &[("world", "someone", 31)],
    &[],
];

/// The program of this seed, with about `steps` steps.
pub fn program(seed: u64, steps: usize) -> Program {
    let mut generator = Generator { random: Random(seed), steps: Vec::new() };
    for name in CONNECTIONS {
        generator.push(name, Action::Connect(Connect::default()));
    }
    while generator.steps.len() < steps {
        generator.grow();
    }
    let settings = vec![("extendedTypesEnabled".to_owned(), "true".to_owned())];
    Program { settings, steps: generator.steps }
}

/// A small generator of well mixed numbers (SplitMix64): a seed means the same for ever.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).expect("lists are short");
        usize::try_from(self.next() % limit).expect("less than the length of a list")
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }
}

struct Generator {
    random: Random,
    steps: Vec<Step>,
}

impl Generator {
    fn push(&mut self, connection: &str, action: Action) {
        self.steps.push(Step { connection: connection.to_owned(), action });
    }

    fn grow(&mut self) {
        let name = self.random.pick(CONNECTIONS);
        match self.random.below(100) {
            0..=1 => self.reopen(name),
            2..=4 => self.come_back(name),
            5 => self.be_thrown_out(name),
            6..=7 => {
                let user = self.random.pick(USERS);
                let auth = request("auth")
                    .with("scheme", text("digest"))
                    .with("auth", Arg::Buffer(Some(user.as_bytes().to_vec())));
                self.push(name, Action::Request(auth));
            }
            8..=13 => self.pipeline(name),
            14 => self.quota(name),
            _ => {
                let request = self.request();
                self.push(name, Action::Request(request));
            }
        }
    }

    /// Ends the session and opens another.
    fn reopen(&mut self, name: &str) {
        self.push(name, Action::Request(request("close")));
        self.push(name, Action::Connect(Connect::default()));
    }

    /// Loses the socket, comes back, and asks for its watches again.
    fn come_back(&mut self, name: &str) {
        self.push(name, Action::Drop);
        let other = self.random.pick(CONNECTIONS);
        if other != name {
            for _ in 0..3 {
                let request = self.request();
                self.push(other, Action::Request(request));
            }
        }
        let session = Some(name.to_owned());
        let zxid = self.random.pick(&[SeenZxid::Zero, SeenZxid::Seen]);
        self.push(name, Action::Connect(Connect { session, zxid, ..Connect::default() }));
        let mut watches = request(self.random.pick(&["setWatches", "setWatches2"]));
        for index in 0..watches.args.len() {
            watches.args[index] = if index == 0 { Arg::Seen } else { self.paths() };
        }
        self.push(name, Action::Request(watches));
    }

    /// Does what closes the connection, and comes back.
    fn be_thrown_out(&mut self, name: &str) {
        let auth = request("auth").with("scheme", text("nobody"));
        let action = match self.random.below(4) {
            0 => Action::Request(Request::raw(self.random.pick(&[0, 10, 99, 1000]), vec![0; 4])),
            1 => Action::Request(request("check").with("path", text("/a"))),
            2 => Action::Request(auth),
            _ => Action::Frame(vec![0; self.random.below(8)]),
        };
        self.push(name, action);
        self.push(name, Action::Eof);
        let session = Some(name.to_owned());
        self.push(name, Action::Connect(Connect { session, ..Connect::default() }));
    }

    fn pipeline(&mut self, name: &str) {
        for _ in 0..2 + self.random.below(6) {
            let request = self.request();
            // What follows a setACL closely is judged by ZooKeeper by the old list or the new
            // one, as it happens.
            if request.code != 7 {
                self.push(name, Action::Queue(request));
            }
        }
        self.push(name, Action::Flush);
    }

    /// Limits, changes or lifts a quota that only warns, and looks at what it counted.
    fn quota(&mut self, name: &str) {
        let limits = "/zookeeper/quota/a/zookeeper_limits";
        let stats = "/zookeeper/quota/a/zookeeper_stats";
        let text_data = Arg::Buffer(Some(b"count=3,bytes=20".to_vec()));
        for path in ["/zookeeper/quota/a", limits, stats] {
            let create = request("create").with("path", text(path)).with("data", text_data.clone());
            self.push(name, Action::Request(create));
        }
        if self.random.percent(30) {
            let path = self.random.pick(&[limits, stats]);
            self.push(name, Action::Request(request("delete").with("path", text(path))));
        }
        self.push(name, Action::Request(request("getData").with("path", text(stats))));
    }

    fn request(&mut self) -> Request {
        let mut made = match self.random.below(100) {
            0..=24 => self.create(),
            25..=36 => self.filled("delete"),
            37..=48 => self.filled("setData"),
            49..=52 => self.filled("setACL"),
            53..=64 => self.multi(),
            65..=68 => self.multi_read(),
            69..=72 => {
                let name = self.random.pick(&["ping", "whoAmI", "sync", "getEphemerals"]);
                self.filled(name)
            }
            73..=80 => {
                let name = self.random.pick(&["addWatch", "removeWatches", "checkWatches"]);
                self.filled(name)
            }
            _ => {
                let name = self.random.pick(&[
                    "exists",
                    "getData",
                    "getChildren",
                    "getChildren2",
                    "getACL",
                    "getAllChildrenNumber",
                ]);
                self.filled(name)
            }
        };
        if self.random.percent(1) {
            made.cut = 1 + self.random.below(8);
        }
        made
    }

    fn create(&mut self) -> Request {
        let name = self.random.pick(&[
            "create",
            "create",
            "create",
            "create2",
            "createContainer",
            "createTTL",
        ]);
        let mut made = self.filled(name);
        if name == "createTTL" {
            made = made.with("flags", Arg::Int(self.random.pick(&[5, 5, 6, 0])));
        } else if name != "createContainer" {
            let flags = self.random.pick(&[0, 0, 0, 0, 1, 1, 2, 3, 5, 9]);
            made = made.with("flags", Arg::Int(flags));
            if matches!(flags, 2 | 3) && self.random.percent(80) {
                let path = self.random.pick(&["/a/s-", "/b/s-", "/a/x/s-", "/a/"]);
                made = made.with("path", text(path));
            }
        }
        made
    }

    fn multi(&mut self) -> Request {
        let mut made = request("multi");
        for _ in 0..self.random.below(5) {
            let element = match self.random.below(20) {
                0..=7 => self.create(),
                8..=11 => self.filled("delete"),
                12..=15 => self.filled("setData"),
                16..=18 => self.filled("check"),
                _ => {
                    let name = self.random.pick(&["getData", "exists", "setACL"]);
                    self.filled(name)
                }
            };
            made.elements.push(element);
        }
        made
    }

    fn multi_read(&mut self) -> Request {
        let mut made = request("multiRead");
        for _ in 0..self.random.below(4) {
            let name = self.random.pick(&["getData", "getChildren"]);
            made.elements.push(self.filled(name));
        }
        made
    }

    /// The operation with arguments that fit its fields.
    fn filled(&mut self, name: &str) -> Request {
        let mut made = request(name);
        for (index, field) in made.fields().iter().enumerate() {
            let arg = match field.name {
                "path" | "prefix" => self.path(),
                "data" => self.data(),
                "watch" => Arg::Flag(self.random.percent(30)),
                "acl" => self.acl(),
                "version" => Arg::Int(self.random.pick(&[-1, -1, -1, 0, 0, 1, 2, 7])),
                "type" => Arg::Int(self.random.pick(&[1, 2, 3, 3, 4, 5, 6])),
                "mode" => Arg::Int(self.random.pick(&[0, 1, 0, 1, 0, 1, 2])),
                _ => continue,
            };
            made.args[index] = arg;
        }
        made
    }

    fn path(&mut self) -> Arg {
        match self.random.below(100) {
            0 => Arg::Text(None),
            1..=5 => text(self.random.pick(ODD_PATHS)),
            _ => text(self.random.pick(PATHS)),
        }
    }

    fn paths(&mut self) -> Arg {
        let count = self.random.below(4);
        Arg::Texts(Some((0..count).map(|_| self.random.pick(PATHS).to_owned()).collect()))
    }

    fn data(&mut self) -> Arg {
        match self.random.below(10) {
            0 => Arg::Buffer(None),
            1 => Arg::Buffer(Some(Vec::new())),
            length => Arg::Buffer(Some(vec![b'x'; length])),
        }
    }

    fn acl(&mut self) -> Arg {
        if self.random.percent(70) {
            return Arg::Acl(Some(vec![AclEntry::open()]));
        }
        let entries = self.random.pick(ACLS).iter().map(|(scheme, id, perms)| AclEntry {
            scheme: (*scheme).to_owned(),
            id: (*id).to_owned(),
            perms: *perms,
        });
        Arg::Acl(Some(entries.collect()))
    }
}

fn request(name: &str) -> Request {
    Request::new(catalogue::named(name).expect("the catalogue has it"))
}

fn text(text: &str) -> Arg {
    Arg::Text(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::program;
    use crate::script::Program;

    #[test]
    fn a_seed_means_one_program_and_its_text_means_the_same() {
        for seed in 0..50 {
            let made = program(seed, 200);
            assert_eq!(made, program(seed, 200));
            assert_eq!(Program::parse(&made.to_string()).unwrap(), made, "seed {seed}");
        }
    }
}
