//! Reconfigurations that are done and such that are refused, and looks at what came of them.
//!
//! Who joins is named and never runs, so that nothing depends on how fast servers come and go;
//! the servers that run stay what they are, for another leader is elected by chance. Left out
//! is what `docs/compatibility.md` lists as different on purpose: groups and weights, numbers
//! beyond 1 to 255, hosts that cannot be, several addresses of one server, two reconfigurations
//! at once, members without a quorum for those who may not change them, and a configuration
//! that a client writes with `setData`.

use super::{Generator, bytes, request, text};
use crate::oracle::worlds::PHANTOMS;
use crate::script::{Action, Arg, Request};

const CONFIG: &str = "/zookeeper/config";

/// Servers as a request describes them, behind `server.N=`: `{}` is the number.
const OBSERVERS: &[&str] = &[
    "127.0.0.1:9{}1:9{}2:observer;127.0.0.1:9{}3",
    "127.0.0.1:9{}1:9{}2:observer;127.0.0.1:9{}3",
    "127.0.0.1:9{}1:9{}2:observer;127.0.0.1:9{}4",
    "127.0.0.1:9{}5:9{}6:observer;9{}3",
    "localhost:9{}1:9{}2:OBSERVER;localhost:9{}3",
    "127.0.0.1:+9{}1:09{}2: observer ;9{}3",
    "[::1]:9{}1:9{}2:observer;[::1]:9{}3",
    "127.0.0.1:9{}1:9{}2:observer:::;9{}3:",
    "127.0.0.1:1:2:observer;127.0.0.1:3",
];
const PARTICIPANTS: &[&str] = &[
    "127.0.0.1:9{}1:9{}2;127.0.0.1:9{}3",
    "127.0.0.1:9{}1:9{}2:participant;9{}3",
    "127.0.0.1:9{}1:9{}2::;127.0.0.1:9{}3",
];
/// What a list of all members takes and a list of new ones does not.
const WITHOUT_CLIENTS: &[&str] = &[
    "127.0.0.1:9{}1:9{}2:observer",
    "127.0.0.1:9{}1:9{}2:observer;",
    "127.0.0.1:9{}1:9{}2:observer;;",
];
const WRONG: &[&str] = &[
    "",
    "a=b",
    "localhost",
    "localhost:9{}1",
    "localhost:9{}1:9{}2:observer;x",
    "localhost:9{}1:9{}2:observer;",
    "localhost:9{}1:9{}2:observer; 9{}3",
    "localhost:9{}1:9{}2:observer;9{}3:1:2",
    "localhost:9{}1:9{}2:observer;9{}3;9{}4",
    "localhost:9{}1:9{}2:observer;x;9{}4",
    "localhost:9{}1:9{}2:observer;99999;9{}4",
    "localhost:9{}1:9{}1:observer;9{}3",
    "localhost:9{}1:9{}1:observer;99999",
    "localhost:9{}1:9{}2 ;9{}3",
    "localhost: 9{}1:9{}2;9{}3",
    "localhost:x:9{}2:observer;9{}3",
    "localhost:99999:9{}2:observer;9{}3",
    "localhost:9{}1:-1:observer;9{}3",
    "localhost:9{}1:9{}2:observer;65536",
    "localhost:9{}1:9{}2:follower;9{}3",
    "localhost:9{}1:9{}2:observer:x;9{}3",
    "[::1:9{}1:9{}2:observer;9{}3",
    "[::1]:",
    "[::1]",
];
/// Two servers with the same address, which is looked for where servers join, but not on this
/// machine.
const TAKEN: &[&str] = &[
    "server.4=10.9.9.9:1:2:observer;3,server.5=10.9.9.9:1:9:observer;8",
    "server.4=10.9.9.9:1:2:observer;10.9.9.9:3,server.5=10.9.9.9:4:3:observer;8",
    "server.4=10.9.9.9:1:2:observer;10.9.9.9:3,server.5=10.9.9.8:4:3;10.9.9.9:2",
];
const WRONG_LISTS: &[&str] = &[
    " ",
    "#",
    "foo",
    "foo=1",
    "{server.1}",
    "{server.1},{server.2},{server.3},tickTime=2000",
    "{server.1},{server.2},{server.3},version=x",
    "{server.1},{server.2},{server.3},server.x=localhost:941:942:observer;943",
    "{server.1},server.5=127.0.0.1:951:952:observer;953",
    "server.5=127.0.0.1:951:952:observer;953",
];
const WRONG_LEAVING: &[&str] = &["x", "server.4", "4,x", "1 2", "9223372036854775808"];
const VERSIONS: &[i64] = &[0, 5, -2, i64::MIN, i64::MAX];

impl Generator<'_> {
    /// Reads or changes the members, by whoever may or may not.
    pub(super) fn meet_the_members(&mut self, client: usize) {
        match self.random.below(20) {
            0..=7 => {
                let made = self.look_at_members();
                self.ask(client, made);
            }
            8 => {
                self.become_super(client);
                let made = self.work_on_members();
                self.ask(client, made);
            }
            9 => self.change_and_go_on(client),
            10..=12 => {
                let made = self.change(false);
                self.ask(client, made);
            }
            _ => {
                self.become_super(client);
                let made = self.change(true);
                self.ask(client, made);
            }
        }
    }

    fn become_super(&mut self, client: usize) {
        let auth = request("auth").with("scheme", text("digest"));
        self.ask(client, auth.with("auth", bytes("super:super")));
    }

    fn look_at_members(&mut self) -> Request {
        let name = self.random.pick(&[
            "getData",
            "getData",
            "getData",
            "getData",
            "exists",
            "exists",
            "getACL",
            "getChildren",
            "getChildren2",
            "addWatch",
            "addWatch",
            "removeWatches",
            "checkWatches",
            "setWatches2",
            "multiRead",
        ]);
        let config = || text(CONFIG);
        match name {
            "multiRead" => {
                let mut made = request("multiRead");
                made.elements.push(request("getData").with("path", config()));
                made
            }
            "setWatches2" => {
                let paths = || Arg::Texts(Some(vec![CONFIG.to_owned()]));
                let made = request("setWatches2").with("data", paths()).with("zxid", Arg::Seen);
                let kind = self.random.pick(&["exist", "persistent", "recursive", "child"]);
                made.with(kind, paths())
            }
            name => self.filled(name).with("path", config()),
        }
    }

    /// Works on the znode as on any other.
    fn work_on_members(&mut self) -> Request {
        let name = self.random.pick(&["setACL", "setACL", "delete", "create", "multi"]);
        if name == "multi" {
            let mut made = request("multi");
            for (name, path) in [("check", CONFIG), ("setData", "/b")] {
                made.elements.push(self.filled(name).with("path", text(path)));
            }
            return made;
        }
        self.filled(name).with("path", text(CONFIG))
    }

    /// A change, with requests right behind it.
    fn change_and_go_on(&mut self, client: usize) {
        self.become_super(client);
        let made = self.change(true);
        self.push(client, Action::Queue(made));
        for _ in 0..self.random.below(4) {
            let made = match self.random.below(3) {
                0 => request("getData").with("path", text(CONFIG)),
                1 => self.filled("setData"),
                _ => self.filled("exists"),
            };
            self.push(client, Action::Queue(made));
        }
        self.push(client, Action::Flush);
    }

    /// Any reconfiguration; what may fail for want of a quorum only where that is looked at
    /// first by both.
    fn change(&mut self, by_super: bool) -> Request {
        let made = request("reconfig");
        let made = match self.random.below(20) {
            0..=7 => made.with("joining", self.joining(by_super)),
            8..=10 => made.with("leaving", self.leaving(by_super)),
            11..=13 => {
                let made = made.with("leaving", self.leaving(by_super));
                made.with("joining", self.joining(by_super))
            }
            14..=18 => made.with("members", self.all_members(by_super)),
            _ => made,
        };
        let version = match self.random.below(20) {
            0..=13 => return made,
            14..=16 => Arg::ConfigVersion,
            17 | 18 => Arg::FormerConfigVersion,
            _ => Arg::Long(self.random.pick(VERSIONS)),
        };
        made.with("id", version)
    }

    fn phantom(&mut self) -> i64 {
        let numbers: Vec<i64> = PHANTOMS.collect();
        self.random.pick(&numbers)
    }

    /// A server that never runs, with what stands before its number.
    fn phantom_line(&mut self, forms: &[&str]) -> String {
        let number = self.phantom();
        let form = self.random.pick(forms).replace("{}", &number.to_string());
        format!("server.{number}={form}")
    }

    fn phantom_lines(&mut self, by_super: bool) -> Vec<String> {
        let count = self.random.below(4);
        let lines = (0..count).map(|_| {
            let votes = by_super && self.random.percent(30);
            self.phantom_line(if votes { PARTICIPANTS } else { OBSERVERS })
        });
        lines.collect()
    }

    fn joining(&mut self, by_super: bool) -> Arg {
        let mut lines = self.phantom_lines(by_super);
        for line in &mut lines {
            if self.random.percent(10) {
                *line = self.phantom_line(WRONG);
            }
        }
        match self.random.below(20) {
            0 => lines.push(self.random.pick(&["some thing", "server.4", "=", "server.=1"]).into()),
            1 => lines.push(self.phantom_line(WITHOUT_CLIENTS)),
            2 => lines.push(self.random.pick(&["{server.1}", "{server.2}", "{server.3}"]).into()),
            3 => lines.push(self.phantom_line(OBSERVERS).replace("server", "")),
            4 => lines.push(self.phantom_line(OBSERVERS).replace("server.", " any.thing.+0")),
            5 => lines.push(self.phantom_line(OBSERVERS).replace('=', " = ")),
            6 => lines.push(self.random.pick(TAKEN).to_owned()),
            _ => {}
        }
        text(&lines.join(self.random.pick(&[",", ",", " , ", ",,"])))
    }

    fn leaving(&mut self, by_super: bool) -> Arg {
        if self.random.percent(15) {
            return text(self.random.pick(WRONG_LEAVING));
        }
        // With others that vote and never run, the two may be spared, and then there is no
        // quorum.
        if by_super && self.random.percent(8) {
            return text(self.random.pick(&["1,2", "1,2,3"]));
        }
        let odd = ["77", "+4", "05", " 6 ", "", "-4"];
        let numbers = (0..1 + self.random.below(4)).map(|_| match self.random.below(10) {
            0 => self.random.pick(&odd).to_owned(),
            _ => self.phantom().to_string(),
        });
        text(&numbers.collect::<Vec<_>>().join(","))
    }

    fn all_members(&mut self, by_super: bool) -> Arg {
        if self.random.percent(10) {
            return text("");
        }
        if self.random.percent(10) {
            return text(self.random.pick(WRONG_LISTS));
        }
        let mut lines = self.phantom_lines(by_super);
        if self.random.percent(20) {
            lines.push(self.phantom_line(WITHOUT_CLIENTS));
        }
        for own in ["{server.1}", "{server.2}", "{server.3}"] {
            let at = self.random.below(lines.len() + 1);
            lines.insert(at, own.to_owned());
        }
        // One fault at most: of several, ZooKeeper tells that which a hash table has first.
        match self.random.below(20) {
            0..=2 => lines.push(self.phantom_line(WRONG)),
            3..=6 => {
                let more = ["version=5", "version=1a", "version = 1a ", "# a comment", ""];
                lines.push(self.random.pick(&more).to_owned());
            }
            // A blank at the end of a port is a fault.
            7 | 8 => return text(&lines.join(" \n ")),
            _ => {}
        }
        text(&lines.join(self.random.pick(&[",", "\n", ",\n"])))
    }
}
