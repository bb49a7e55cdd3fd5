//! Requests: every operation that clients send, often enough to meet the others.

use super::{Generator, Habit, text};
use crate::script::{Arg, Request};

/// Everything that only looks.
const READS: &[&str] = &[
    "exists",
    "getData",
    "getChildren",
    "getChildren2",
    "getACL",
    "getAllChildrenNumber",
    "getEphemerals",
];
/// What a ZooKeeper that follows never answers: the whole multi is one that cannot be decoded.
fn spoils_its_multi(element: &Request) -> bool {
    let is_plain = matches!(element.name(), "create" | "create2" | "createContainer");
    let is_of_a_multi =
        is_plain || matches!(element.name(), "createTTL" | "delete" | "setData" | "check");
    let has_odd_argument =
        element.args.iter().zip(element.fields()).any(|(arg, field)| match arg {
            Arg::Text(None) | Arg::Acl(None) => true,
            Arg::Int(flags) => is_plain && field.name == "flags" && !(0..=4).contains(flags),
            Arg::Text(Some(_)) | Arg::Acl(Some(_)) | Arg::Buffer(_) | Arg::Long(_) => false,
            Arg::Seen | Arg::ConfigVersion | Arg::FormerConfigVersion => false,
            Arg::Flag(_) | Arg::Texts(_) => false,
        });
    !is_of_a_multi || has_odd_argument
}

const HOUR_MS: i64 = 3_600_000;
const TTL_MS_MAX: i64 = (1 << 40) - 1;

impl Generator<'_> {
    pub(super) fn request(&mut self) -> Request {
        let mut made = match self.random.below(100) {
            0..=29 => self.create(),
            30..=36 => self.filled("delete"),
            37..=48 => self.filled("setData"),
            49..=52 => self.filled("setACL"),
            53..=63 => self.multi(),
            64..=67 => self.multi_read(),
            68..=70 => {
                let name = self.random.pick(&["ping", "whoAmI", "sync"]);
                self.filled(name)
            }
            71..=79 => {
                let name = self.random.pick(&["addWatch", "removeWatches", "checkWatches"]);
                self.filled(name)
            }
            _ => {
                let name = self.random.pick(READS);
                self.filled(name)
            }
        };
        // A write that cannot be decoded is never answered by a ZooKeeper that follows.
        let is_write = made.operation.is_some_and(|operation| operation.is_write);
        if self.random.percent(1) && (self.world.servers == 1 || !is_write) {
            self.damage(&mut made);
        }
        if self.random.percent(1) && made.operation.is_some_and(|op| op.xid.is_none()) {
            made.xid = Some(self.random.pick(&[0, 7, i32::MAX, i32::MIN, -3]));
        }
        made
    }

    fn create(&mut self) -> Request {
        let waits = self.world.habit == Habit::Waits;
        let names: &[&str] = if waits {
            &["create", "create2"]
        } else {
            &["create", "create", "create2", "createContainer", "createTTL"]
        };
        match self.random.pick(names) {
            // Sequential flags are refused on purpose, and an ephemeral one of a local session
            // comes to nothing in ZooKeeper.
            "createContainer" => {
                let flags = self.random.pick(&[4, 4, 4, 4, 0, 5, 7, -1]);
                self.filled("createContainer").with("flags", Arg::Int(flags))
            }
            "createTTL" => {
                let (flags, ttl) = self.random.pick(&[
                    (5, HOUR_MS),
                    (5, HOUR_MS),
                    (6, HOUR_MS),
                    (0, HOUR_MS),
                    (99, HOUR_MS),
                    (5, TTL_MS_MAX),
                    (5, TTL_MS_MAX + 1),
                    (6, 0),
                    (5, -1),
                ]);
                let made = self.filled("createTTL").with("flags", Arg::Int(flags));
                self.perhaps_sequential(made, flags).with("ttl", Arg::Long(ttl))
            }
            name => {
                // Within a multi the last makes a container, which would be reaped.
                let some = if waits { 11 } else { 12 };
                let flags = self.random.pick(&[0, 0, 0, 0, 1, 1, 2, 3, 5, 9, -1, 4][..some]);
                let made = self.filled(name).with("flags", Arg::Int(flags));
                self.perhaps_sequential(made, flags)
            }
        }
    }

    fn perhaps_sequential(&mut self, made: Request, flags: i32) -> Request {
        if matches!(flags, 2 | 3 | 6) && self.random.percent(80) {
            let path = self.random.pick(&["/a/s-", "/b/s-", "/a/x/s-", "/a/", "/s-"]);
            return made.with("path", text(path));
        }
        made
    }

    fn multi(&mut self) -> Request {
        let mut made = super::request("multi");
        // What a multi does to a hard quota is judged otherwise on purpose.
        let count = if self.world.habit == Habit::HardQuotas { 2 } else { 6 };
        for _ in 0..self.random.below(count) {
            let element = match self.random.below(20) {
                0..=7 => self.create(),
                8..=11 => self.filled("delete"),
                12..=15 => self.filled("setData"),
                16..=18 => self.filled("check"),
                _ => {
                    let name = self.random.pick(&["getData", "exists", "setACL", "sync"]);
                    self.filled(name)
                }
            };
            let is_left_out = self.world.servers > 1 && spoils_its_multi(&element);
            made.elements.push(if is_left_out { self.filled("check") } else { element });
        }
        made.elements.retain(|element| self.world.servers == 1 || !spoils_its_multi(element));
        made
    }

    fn multi_read(&mut self) -> Request {
        let mut made = super::request("multiRead");
        for _ in 0..self.random.below(4) {
            let name = self.random.pick(&["getData", "getChildren"]);
            made.elements.push(self.filled(name));
        }
        if self.random.percent(5) {
            made.elements.push(self.filled("setData"));
        }
        made
    }
}
