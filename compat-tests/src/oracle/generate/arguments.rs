//! Arguments for the fields of an operation: mostly such as meet what other requests did.

use super::{Generator, Habit, request, text};
use crate::script::catalogue::Kind;
use crate::script::{AclEntry, Arg, Request};

pub(super) const PATHS: &[&str] =
    &["/a", "/b", "/a/x", "/a/y", "/a/x/d", "/a/x/e", "/b/x", "/b/x/deep", "/a/s-0000000001"];
const ODD_PATHS: &[&str] = &[
    "/",
    "",
    "relative",
    "/a/",
    "/a//x",
    "//",
    "/a/.",
    "/a/..",
    "/a/../b",
    "/a/...",
    "/missing/x",
    "/zookeeper",
    "/zookeeper/config",
    "/zookeeper/quota",
    "/zookeeper/x",
    "/a/\u{0}",
    "/a/\u{1}",
    "/a/\u{7f}",
    "/a/\u{e9}",
    "/a/\u{4e2d}\u{6587}",
    "/a/\u{fff0}",
    "/a/ b",
];
const ACLS: &[&[(&str, &str, i32)]] = &[
    &[("world", "anyone", 31)],
    &[("world", "anyone", 31)],
    &[("world", "anyone", 31)],
    &[("world", "anyone", 1)],
    &[("world", "anyone", 15)],
    &[("world", "anyone", 30)],
    &[("world", "anyone", 95), ("world", "anyone", 95)],
    &[("auth", "", 31)],
    &[("auth", "whatever", 3), ("world", "anyone", 28)],
    &[("ip", "127.0.0.1", 31)],
    &[("ip", "127.0.0.0/8", 31)],
    &[("ip", "10.0.0.0/8", 31), ("world", "anyone", 5)],
    &[("ip", "127.0.0.1/33", 31)],
    &[("ip", "localhost", 31)],
    &[("digest", "alice:NRMTVcmFJZVFSV5zyN8yG3Q9BjM=", 31), ("world", "anyone", 1)],
    &[("digest", "bob:1", 31)],
    &[("digest", "nobody", 31)],
    &[("world", "someone", 31)],
    &[("super", "", 31)],
    &[("", "", 31)],
    &[("nobody", "x", 31)],
    &[],
];
const LENGTHS: &[i32] = &[-1, -2, -7, i32::MIN, i32::MAX, 0, 1, 3, 1 << 20, 1 << 24];

impl Generator<'_> {
    /// The operation with arguments that fit its fields.
    pub(super) fn filled(&mut self, name: &str) -> Request {
        let mut made = request(name);
        for (index, field) in made.fields().iter().enumerate() {
            let arg = match field.name {
                "path" | "prefix" => self.path_for(name),
                "data" => self.data(),
                "watch" => Arg::Flag(self.random.percent(30)),
                "acl" => self.acl(),
                "version" => {
                    let odd = self.random.percent(3);
                    let versions: &[i32] =
                        if odd { &[-2, i32::MIN, i32::MAX] } else { &[-1, -1, -1, 0, 0, 1, 2, 7] };
                    Arg::Int(self.random.pick(versions))
                }
                "type" => Arg::Int(self.random.pick(&[1, 2, 3, 3, 4, 5, 6, 0, -1])),
                "mode" => Arg::Int(self.random.pick(&[0, 1, 0, 1, 0, 1, 2, -1])),
                _ => continue,
            };
            made.args[index] = arg;
        }
        made
    }

    /// Makes a request one that cannot be decoded, or not as it was meant.
    pub(super) fn damage(&mut self, made: &mut Request) {
        let with_length: Vec<usize> = (0..made.fields().len())
            .filter(|&index| {
                matches!(
                    made.fields()[index].kind,
                    Kind::Text | Kind::Buffer | Kind::Acl | Kind::Texts
                )
            })
            .collect();
        match self.random.below(4) {
            0 => made.cut = 1 + self.random.below(8),
            1 => made.pad = 1 + self.random.below(8),
            _ if with_length.is_empty() => made.cut = 1,
            _ => made.length = Some((self.random.pick(&with_length), self.random.pick(LENGTHS))),
        }
    }

    fn path_for(&mut self, operation: &str) -> Arg {
        let path = self.path();
        // A configuration that a client wrote is looked at otherwise on purpose.
        let is_left_out = operation == "setData" && self.world.servers > 1;
        if is_left_out && path == text("/zookeeper/config") { text("/zookeeper") } else { path }
    }

    pub(super) fn path(&mut self) -> Arg {
        match self.random.below(100) {
            0 => Arg::Text(None),
            1..=6 => match self.random.pick(ODD_PATHS) {
                // The version, which differs on purpose.
                "/zookeeper/config" if !self.world.compares_members() => text("/zookeeper"),
                path => text(path),
            },
            _ => text(self.random.pick(PATHS)),
        }
    }

    pub(super) fn paths(&mut self) -> Arg {
        if self.random.percent(2) {
            return Arg::Texts(None);
        }
        let count = self.random.below(4);
        Arg::Texts(Some((0..count).map(|_| self.random.pick(PATHS).to_owned()).collect()))
    }

    pub(super) fn data(&mut self) -> Arg {
        match self.random.below(10) {
            0 => Arg::Buffer(None),
            1 => Arg::Buffer(Some(Vec::new())),
            2 if self.world.habit == Habit::Usual && self.random.percent(5) => {
                Arg::Buffer(Some(vec![b'y'; 1 << (8 + self.random.below(8))]))
            }
            length => Arg::Buffer(Some(vec![b'x'; length])),
        }
    }

    pub(super) fn acl(&mut self) -> Arg {
        match self.random.below(100) {
            0 => Arg::Acl(None),
            1..=29 => {
                let entries = self.random.pick(ACLS).iter().map(|(scheme, id, perms)| AclEntry {
                    scheme: (*scheme).to_owned(),
                    id: (*id).to_owned(),
                    perms: *perms,
                });
                Arg::Acl(Some(entries.collect()))
            }
            _ => Arg::Acl(Some(vec![AclEntry::open()])),
        }
    }
}
