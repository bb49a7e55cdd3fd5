//! What takes several steps: quotas, reconfigurations, long frames, and what is waited for.

use super::arguments::PATHS;
use super::{Generator, bytes, request, text};
use crate::oracle::worlds::FRAME_BYTES_MAX;
use crate::script::{Action, Arg, Connect, Known, Request, Step};

const QUOTA: &str = "/zookeeper/quota/a";
const LIMITS: &str = "/zookeeper/quota/a/zookeeper_limits";
const STATS: &str = "/zookeeper/quota/a/zookeeper_stats";
const SOFT: &[&str] = &[
    "count=3,bytes=20",
    "count=-1,bytes=-1",
    "count=1,bytes=-1",
    "count=-1,bytes=-1=;byteHardLimit=20;countHardLimit=4",
    "",
    "garbage",
];
const HARD: &[&str] = &[
    "count=-1,bytes=-1=;byteHardLimit=20;countHardLimit=4",
    "count=-1,bytes=-1=;byteHardLimit=12",
    "count=-1,bytes=-1=;countHardLimit=3",
    "count=2,bytes=9=;byteHardLimit=0;countHardLimit=0",
    "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=-1",
];
/// Shorter than a machine may take between two steps, it would end a program by chance.
const SHORT_TIMEOUT_MS: i32 = 1500;

impl Generator<'_> {
    /// Limits, changes or lifts a quota that only warns, and looks at what it counted.
    pub(super) fn quota(&mut self, client: usize) {
        let limits = self.random.pick(SOFT);
        self.limit(client, limits);
    }

    /// The same with a quota that refuses, and meets it.
    pub(super) fn hard_quota(&mut self, client: usize) {
        let limits = self.random.pick(HARD);
        self.limit(client, limits);
        for _ in 0..8 {
            let name = self.random.pick(&["create", "create", "setData", "delete"]);
            let path = self.random.pick(PATHS);
            let made = self.filled(name).with("path", text(path));
            self.ask(client, made);
        }
        self.ask(client, request("getData").with("path", text(STATS)));
    }

    fn limit(&mut self, client: usize, limits: &str) {
        for path in [QUOTA, LIMITS, STATS] {
            let create = request("create").with("path", text(path)).with("data", bytes(limits));
            self.ask(client, create);
        }
        match self.random.below(10) {
            0..=2 => {
                let path = self.random.pick(&[LIMITS, STATS]);
                self.ask(client, request("delete").with("path", text(path)));
            }
            3..=6 => {
                let set = request("setData").with("path", text(LIMITS));
                self.ask(client, set.with("data", bytes(limits)));
            }
            _ => {}
        }
        self.ask(client, request("getData").with("path", text(STATS)));
    }

    /// Reconfigurations that are refused, whoever asks.
    pub(super) fn reconfigure(&mut self, client: usize) {
        let made = request("reconfig");
        let odd = self.random.pick(&["nonsense", "server.9=", "server.x=h:1:2;3", "server.1=h"]);
        let made = match self.random.below(6) {
            0 => made.with("joining", text(odd)),
            1 => made.with("members", text(odd)),
            2 => made.with("leaving", text("1,2")),
            3 => made.with("leaving", text("x")),
            4 => made.with("leaving", text("2")).with("id", Arg::Long(5)),
            _ => made.with("leaving", text("2")).with("members", text("server.1=h:1:2;3")),
        };
        self.ask(client, made);
    }

    /// Frames of about the longest that is taken.
    pub(super) fn long_frame(&mut self, client: usize) {
        let name = self.random.pick(&["create", "setData", "sync", "setWatches"]);
        let wanted = FRAME_BYTES_MAX + 2 - self.random.below(5);
        let made = match name {
            "sync" => filled_up(request(name), "path", wanted, |length| {
                text(&format!("/{}", "a".repeat(length - 1)))
            }),
            "setWatches" => filled_up(request(name), "data", wanted, |length| {
                Arg::Texts(Some(vec![format!("/{}", "a".repeat(length - 5))]))
            }),
            _ => filled_up(request(name).with("path", text("/a")), "data", wanted, |length| {
                Arg::Buffer(Some(vec![b'z'; length]))
            }),
        };
        self.ask(client, made);
        if wanted > FRAME_BYTES_MAX {
            self.push_as(client, Action::Eof);
            let again =
                Connect { session: Some(self.clients[client].name.clone()), ..Connect::default() };
            self.push_as(client, Action::Connect(again));
        }
    }

    /// Something that happens by itself, after a while.
    pub(super) fn wait(&mut self, client: usize) {
        match self.random.below(4) {
            0 => self.be_reaped(client),
            1 => self.outlive_its_time(client),
            _ => self.fall_silent(client),
        }
        // It happened at one server, and may not have arrived at the others.
        for client in &mut self.clients {
            client.is_behind = self.world.servers > 1;
        }
    }

    /// A container whose last child goes.
    fn be_reaped(&mut self, client: usize) {
        let path = format!("/container-{}", self.steps.len());
        let child = format!("{path}/child");
        self.ask(client, request("createContainer").with("path", text(&path)));
        self.ask(client, request("create").with("path", text(&child)));
        let watched = request("exists").with("path", text(&path)).with("watch", Arg::Flag(true));
        self.ask(client, watched);
        self.ask(client, request("delete").with("path", text(&child)));
        self.push(client, Action::Event);
        self.ask(client, request("exists").with("path", text(&path)));
    }

    /// A znode that is older than it may become.
    fn outlive_its_time(&mut self, client: usize) {
        let path = format!("/short-lived-{}", self.steps.len());
        self.ask(client, request("addWatch").with("path", text(&path)));
        let ttl = self.random.pick(&[1, 50, 300]);
        let made = request("createTTL").with("path", text(&path)).with("ttl", Arg::Long(ttl));
        self.ask(client, made);
        self.push(client, Action::Event);
        self.ask(client, request("exists").with("path", text(&path)));
        let kind = Arg::Int(self.random.pick(&[3, 4]));
        let gone = request("removeWatches").with("path", text(&path)).with("type", kind);
        self.ask(client, gone);
    }

    /// A session that expires, its client there or away, while another watches.
    fn fall_silent(&mut self, client: usize) {
        let silent = self.new_name();
        let server = 1 + self.random.below(self.world.servers);
        let stays = self.random.percent(50);
        let path = format!("/silent-{}", self.steps.len());
        let watched = request("exists").with("path", text(&path)).with("watch", Arg::Flag(true));
        self.ask(client, watched);
        let connect = Connect { timeout_ms: SHORT_TIMEOUT_MS, server, ..Connect::default() };
        let ephemeral =
            |path: &str| request("create").with("path", text(path)).with("flags", Arg::Int(1));
        let mut steps = vec![Action::Connect(connect.clone())];
        steps.push(Action::Request(ephemeral(&format!("/a/{silent}"))));
        steps.push(Action::Request(ephemeral(&path)));
        for action in steps {
            self.steps.push(Step { connection: silent.clone(), action });
        }
        self.clients[client].is_behind = self.world.servers > 1;
        self.ask(
            client,
            request("exists").with("path", text(&path)).with("watch", Arg::Flag(true)),
        );
        let end = if stays { Action::Eof } else { Action::Drop };
        self.steps.push(Step { connection: silent.clone(), action: end });
        self.push_as(client, Action::Event);
        // The other ephemeral's event, if it is watched, before anything else happens.
        self.push_as(client, Action::Request(request("ping")));
        if self.random.percent(50) {
            let again = self.new_name();
            let session = Some(silent);
            let connect = Connect { session, ..connect };
            for action in [Action::Connect(connect), Action::Eof] {
                self.steps.push(Step { connection: again.clone(), action });
            }
        }
    }
}

/// The request with an argument that makes its frame `wanted` bytes long.
fn filled_up(
    made: Request,
    field: &str,
    wanted: usize,
    argument: impl Fn(usize) -> Arg,
) -> Request {
    const LENGTH: usize = 100;
    let probe = made.clone().with(field, argument(LENGTH));
    // Without its own length in front.
    let rest = probe.frame(0, &Known::default()).len() - 4 - LENGTH;
    made.with(field, argument(wanted - rest))
}
