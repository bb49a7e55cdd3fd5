//! Sessions that come, go, move, and are refused.

use super::{Client, Generator, Habit, bytes, request, text};
use crate::script::{Action, Arg, Connect, Password, Request, SeenZxid};

const USERS: &[&str] = &["alice:a", "bob:b", "alice:a", "bob:b", "super:super", "carol", "dave:"];
/// Requested timeouts: none may run out while a program is under way.
const TIMEOUTS_MS: &[i32] = &[30_000, 30_000, 30_000, 20_001, 39_999, 99_999_999, i32::MAX];
/// A name that no connection has: its session is one that never was.
const NOBODY: &str = "nobody";

impl Generator<'_> {
    /// One more connection, with a session of its own.
    pub(super) fn open_new(&mut self) {
        let client = Client { name: self.new_name(), server: 1, is_behind: false };
        self.clients.push(client);
        let last = self.clients.len() - 1;
        self.open(last);
    }

    pub(super) fn new_name(&mut self) -> String {
        let letter = char::from(b'a' + u8::try_from(self.names % 26).expect("below 26"));
        let round = self.names / 26;
        self.names += 1;
        if round == 0 { letter.to_string() } else { format!("{letter}{round}") }
    }

    fn any_server(&mut self) -> usize {
        1 + self.random.below(self.world.servers)
    }

    /// Opens a new session under the client's name.
    fn open(&mut self, client: usize) {
        let server = self.any_server();
        let connect = self.handshake();
        self.connect(client, Connect { server, ..connect });
        // Where a session was made just now, everything before it has been seen.
        self.clients[client].is_behind = false;
    }

    fn handshake(&mut self) -> Connect {
        Connect {
            timeout_ms: self.random.pick(TIMEOUTS_MS),
            read_only: self.random.pick(&[Some(false), Some(false), Some(true), None]),
            protocol: self.random.pick(&[0, 0, 0, 1, -1]),
            ..Connect::default()
        }
    }

    /// Shakes hands, and says who the client is where nobody else is served.
    fn connect(&mut self, client: usize, connect: Connect) {
        self.clients[client].server = connect.server;
        self.clients[client].is_behind = true;
        self.push(client, Action::Connect(connect));
        if self.world.habit == Habit::Authenticates {
            self.push_as(client, Action::Request(digest("alice:a")));
        }
    }

    /// Goes on with a session, at its server or another.
    fn resume(&mut self, client: usize, session: String) {
        let has_local_sessions =
            self.world.settings.iter().any(|&(key, _)| key == "localSessionsEnabled");
        let moves = !has_local_sessions && self.random.percent(50);
        let server = if moves { self.any_server() } else { self.clients[client].server };
        let zxid = self.random.pick(&[SeenZxid::Zero, SeenZxid::Seen]);
        let connect = self.handshake();
        self.connect(client, Connect { session: Some(session), zxid, server, ..connect });
    }

    /// Ends the session and opens another.
    pub(super) fn reopen(&mut self, client: usize) {
        self.ask(client, request("close"));
        self.open(client);
    }

    /// Loses the socket, comes back, and asks for its watches again.
    pub(super) fn come_back(&mut self, client: usize) {
        self.push(client, Action::Drop);
        if self.random.percent(70) {
            let other = self.other(client);
            for _ in 0..3 {
                let request = self.request();
                self.ask(other, request);
            }
        }
        let session = self.clients[client].name.clone();
        self.resume(client, session);
        self.set_watches_again(client);
    }

    pub(super) fn set_watches_again(&mut self, client: usize) {
        let mut watches = request(self.random.pick(&["setWatches", "setWatches2"]));
        for index in 0..watches.args.len() {
            watches.args[index] = match index {
                0 if self.random.percent(80) => Arg::Seen,
                0 => Arg::Long(self.random.pick(&[0, -1, i64::MAX])),
                _ => self.paths(),
            };
        }
        self.ask(client, watches);
    }

    /// Does what closes the connection, and comes back.
    pub(super) fn be_thrown_out(&mut self, client: usize) {
        let action = match self.random.below(7) {
            0 => {
                let code = self.random.pick(&[0, 10, 99, 108, 1000, -1, -2, i32::MIN]);
                let body = vec![0; self.random.below(12)];
                Action::Request(Request::raw(code, body))
            }
            1 => Action::Request(request("check").with("path", text("/a"))),
            2 => Action::Request(request("auth").with("scheme", text("nobody"))),
            3 => Action::Request(request("auth").with("scheme", text("world"))),
            4 => Action::Request(
                request("auth").with("scheme", text("digest")).with("auth", Arg::Buffer(None)),
            ),
            5 => Action::Request(request("sasl").with("token", Arg::Buffer(None))),
            _ => Action::Frame(vec![0; self.random.below(8)]),
        };
        self.push(client, action);
        self.push_as(client, Action::Eof);
        let session = self.clients[client].name.clone();
        self.resume(client, session);
    }

    /// A handshake that the server turns down.
    pub(super) fn be_refused(&mut self, client: usize) {
        let stranger = self.new_name();
        let server = self.clients[client].server;
        let name = self.clients[client].name.clone();
        let session = Some(name.clone());
        let connect = Connect { server, ..self.handshake() };
        let tries = |steps: &mut Vec<_>, connect| {
            for action in [Action::Connect(connect), Action::Eof] {
                steps.push(crate::script::Step { connection: stranger.clone(), action });
            }
        };
        match self.random.below(3) {
            0 => {
                let connect = Connect { session, zxid: SeenZxid::Ahead, ..connect };
                tries(&mut self.steps, connect);
            }
            1 => {
                let connect = Connect { session: Some(NOBODY.to_owned()), ..connect };
                tries(&mut self.steps, connect);
            }
            // ZooKeeper ends the live connection before it looks at the password.
            _ => {
                let wrong = [Password::Wrong, Password::Short, Password::Empty, Password::Null];
                let password = self.random.pick(&wrong);
                self.push(client, Action::Drop);
                tries(&mut self.steps, Connect { session, password, ..connect });
                self.resume(client, name);
            }
        }
    }

    /// A second connection takes the session of a live one.
    pub(super) fn take_over(&mut self, client: usize) {
        // A sync, so that no event is under way to the connection that ends.
        self.ask(client, request("sync").with("path", text("/")));
        let old = self.clients[client].clone();
        self.clients[client].name = self.new_name();
        self.resume(client, old.name.clone());
        let mut push = |action| {
            let connection = old.name.clone();
            self.steps.push(crate::script::Step { connection, action });
        };
        if self.clients[client].server != old.server {
            // The server that it was at may not know yet; the next write tells it.
            push(Action::Request(request("setData").with("path", text("/a"))));
        }
        push(Action::Eof);
    }

    pub(super) fn authenticate(&mut self, client: usize) {
        let made = match self.random.below(20) {
            0 => request("auth").with("scheme", text("ip")).with("auth", bytes("10.0.0.1")),
            1 => request("sasl").with("token", bytes("token")),
            _ => digest(self.random.pick(USERS)),
        };
        self.ask(client, made);
    }

    /// Asks without having said who it is, where that is not served.
    pub(super) fn be_unknown(&mut self, client: usize) {
        self.ask(client, request("close"));
        let connect = self.handshake();
        self.push_as(client, Action::Connect(connect));
        let asked = self.request();
        self.push_as(client, Action::Request(asked));
        self.push_as(client, Action::Eof);
        let session = self.clients[client].name.clone();
        self.resume(client, session);
    }
}

fn digest(user: &str) -> Request {
    request("auth").with("scheme", text("digest")).with("auth", bytes(user))
}
