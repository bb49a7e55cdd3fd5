//! A small language for driving a state, so that tests are data: one command a line,
//! one line of answer and one for each change.
//!
//! `[s1[.OWNER]] [as=SCHEME:ID,..] OP ARGS`, where `s1` is the session (its owner is 1
//! unless given), and OP is one of
//!
//! - `create PATH [DATA] [MODE] [acl=LIST]`: MODE is `p e ps es c ttl=MS sttl=MS`; LIST is
//!   `scheme:id:perms`, comma-separated, `none` or `null`; DATA `-` is null;
//! - `delete PATH [VERSION]`, `set PATH DATA [VERSION]`, `setacl PATH LIST [VERSION]`,
//!   `check PATH VERSION`, `multi OP ; OP ; ..`, `reject`;
//! - `open MS`, `attach MS [from=OWNER|from=unknown]`, `close`,
//!   `expire SESSION.OWNER [TERM]`, `reap PATH`;
//! - `members SERVER..`, what the log says of them; `reconfig VERSION [refused]`, the version
//!   that the configuration had in decimal digits;
//! - `get`, `stat`, `ls`, `getacl`, `count` with a PATH (`""` is the empty path), and
//!   `ephemerals [PREFIX]`;
//! - `time MS`, `term N`, `flags [skip] [quota] [limits] [digest] [sasl] [x509] [local]`, `due`.

use std::fmt::Write as _;

use tree::{
    AclEntry, Answer, Change, Command, CommandFlags, CreateMode, Former, Identity, Millis,
    MultiOutcome, Op, Outcome, Owner, Permissions, Query, Reject, Reply, SessionId, Stat, State,
    Zxid,
};

/// A state and the circumstances of the next command.
pub(crate) struct Scene {
    pub(crate) state: State,
    time: Millis,
    flags: CommandFlags,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let flags = CommandFlags::SCHEME_DIGEST;
        Self { state: State::new(), time: Millis(1000), flags }
    }

    /// Runs every line; gives each with its answer.
    pub(crate) fn run(&mut self, script: &str) -> String {
        let mut trace = String::new();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if line.starts_with('#') {
                continue;
            }
            writeln!(trace, "{line}").expect("to a String");
            for answer in self.line(line).lines() {
                writeln!(trace, "    {answer}").expect("to a String");
            }
        }
        trace
    }

    fn line(&mut self, line: &str) -> String {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let (session, owner) = take_session(&mut words);
        let identities = take_identities(&mut words);
        let path = words.get(1).map(|path| if *path == "\"\"" { "" } else { path });
        let query = match (words[0], path) {
            ("get", Some(path)) => Query::GetData { path },
            ("stat", Some(path)) => Query::Exists { path },
            ("ls", Some(path)) => Query::GetChildren { path },
            ("getacl", Some(path)) => Query::GetAcl { path },
            ("count", Some(path)) => Query::CountDescendants { path },
            ("ephemerals", prefix) => Query::Ephemerals { session, prefix },
            _ if self.set_up(&words) => return String::new(),
            ("members", _) => {
                let servers: String = words[1..].iter().map(|word| format!("{word}\n")).collect();
                let outcome = self.state.set_config(&servers);
                return show_outcome(&outcome);
            }
            ("due", _) => return self.state.containers_and_ttls(self.time).join(" "),
            _ => {
                let op = parse_op(&words);
                let flags = self.flags;
                let command = Command { session, owner, xid: 0, flags, identities, op };
                return self.apply(&command);
            }
        };
        match self.state.query(&query, &identities, self.flags) {
            Ok(answer) => show_answer(answer),
            Err(reject) => format!("{reject:?}"),
        }
    }

    fn apply(&mut self, command: &Command<'_>) -> String {
        show_outcome(&self.state.apply(self.time, command))
    }

    fn set_up(&mut self, words: &[&str]) -> bool {
        match words {
            ["time", ms] => self.time = Millis(number(ms)),
            ["term", term] => self.state.enter_term(number(term)),
            ["flags", names @ ..] => {
                let flags = names.iter().map(|name| match *name {
                    "skip" => CommandFlags::SKIP_ACL,
                    "quota" => CommandFlags::ENFORCE_QUOTA,
                    "limits" => CommandFlags::JUDGE_LIMITS,
                    "digest" => CommandFlags::SCHEME_DIGEST,
                    "sasl" => CommandFlags::SCHEME_SASL,
                    "x509" => CommandFlags::SCHEME_X509,
                    "local" => CommandFlags::LOCAL_SESSION,
                    other => panic!("no flag {other}"),
                });
                self.flags = flags.fold(CommandFlags::default(), CommandFlags::with);
            }
            _ => return false,
        }
        true
    }
}

/// A command of the script as the state takes it.
pub(crate) fn parse_command(line: &str, flags: CommandFlags) -> Command<'_> {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let (session, owner) = take_session(&mut words);
    let identities = take_identities(&mut words);
    Command { session, owner, xid: 0, flags, identities, op: parse_op(&words) }
}

fn take_session(words: &mut Vec<&str>) -> (SessionId, Owner) {
    let Some(rest) = words[0].strip_prefix('s') else { return (SessionId::NONE, Owner(0)) };
    if !rest.starts_with(|char: char| char.is_ascii_digit()) {
        return (SessionId::NONE, Owner(0));
    }
    words.remove(0);
    parse_session(rest)
}

fn parse_session(text: &str) -> (SessionId, Owner) {
    let (session, owner) = text.split_once('.').unwrap_or((text, "1"));
    (SessionId(number(session)), Owner(number(owner)))
}

fn take_identities<'a>(words: &mut Vec<&'a str>) -> Vec<Identity<'a>> {
    let Some(list) = words[0].strip_prefix("as=") else { return Vec::new() };
    words.remove(0);
    let parse = |who: &'a str| {
        let (scheme, id) = who.split_once(':').expect("scheme:id");
        Identity { scheme, id }
    };
    list.split(',').map(parse).collect()
}

fn parse_op<'a>(words: &[&'a str]) -> Op<'a> {
    match words {
        ["create", path, rest @ ..] => parse_create(path, rest),
        ["delete", path] => Op::Delete { path, version: -1 },
        ["delete", path, version] => Op::Delete { path, version: number(version) },
        ["set", path, data] => Op::SetData { path: Some(path), data: bytes(data), version: -1 },
        ["set", path, data, version] => {
            Op::SetData { path: Some(path), data: bytes(data), version: number(version) }
        }
        ["setacl", path, acl] => Op::SetAcl { path: Some(path), acl: Some(list(acl)), version: -1 },
        ["setacl", path, acl, version] => {
            Op::SetAcl { path: Some(path), acl: Some(list(acl)), version: number(version) }
        }
        ["check", path, version] => Op::Check { path: Some(path), version: number(version) },
        ["multi", rest @ ..] => {
            let parts = rest.split(|word| *word == ";").filter(|part| !part.is_empty());
            Op::Multi(parts.map(parse_op).collect())
        }
        ["reject"] => Op::Reject(Reject::BadArguments),
        ["open", ms] => Op::OpenSession { timeout_ms: number(ms) },
        ["attach", ms] => Op::AttachSession { timeout_ms: number(ms), former: Former::Anybody },
        ["attach", ms, former] => {
            let owner = former.strip_prefix("from=").expect("from=OWNER or from=unknown");
            let former = match owner {
                "unknown" => Former::Unknown,
                owner => Former::Owner(Owner(number(owner))),
            };
            Op::AttachSession { timeout_ms: number(ms), former }
        }
        ["close"] => Op::CloseSession,
        ["expire", who] => {
            let (session, owner) = parse_session(who);
            Op::ExpireSession { session, owner, term: None }
        }
        ["expire", who, term] => {
            let (session, owner) = parse_session(who);
            Op::ExpireSession { session, owner, term: Some(number(term)) }
        }
        ["reap", path] => Op::Reap { path },
        ["reconfig", before] => Op::Reconfig { refused: None, before: Zxid(number(before)) },
        ["reconfig", before, "refused"] => {
            Op::Reconfig { refused: Some(Reject::NewConfigNoQuorum), before: Zxid(number(before)) }
        }
        other => panic!("not a command: {other:?}"),
    }
}

fn parse_create<'a>(path: &'a str, rest: &[&'a str]) -> Op<'a> {
    let open = AclEntry { perms: Permissions::ALL, scheme: "world", id: "anyone" };
    let (mut data, mut mode, mut acl) = (Some(&b""[..]), CreateMode::Persistent, Some(vec![open]));
    for word in rest {
        match (*word, word.split_once('=')) {
            ("p", _) => mode = CreateMode::Persistent,
            ("e", _) => mode = CreateMode::Ephemeral,
            ("ps", _) => mode = CreateMode::PersistentSequential,
            ("es", _) => mode = CreateMode::EphemeralSequential,
            ("c", _) => mode = CreateMode::Container,
            (_, Some(("ttl", ms))) => mode = CreateMode::PersistentWithTtl { ttl_ms: number(ms) },
            (_, Some(("sttl", ms))) => {
                mode = CreateMode::PersistentSequentialWithTtl { ttl_ms: number(ms) };
            }
            (_, Some(("acl", "null"))) => acl = None,
            (_, Some(("acl", text))) => acl = Some(list(text)),
            (text, _) => data = bytes(text),
        }
    }
    Op::Create { path, data, acl, mode }
}

fn list(text: &str) -> Vec<AclEntry<'_>> {
    let parse = |entry| -> AclEntry<'_> {
        let (rest, perms) = str::rsplit_once(entry, ':').expect("scheme:id:perms");
        let (scheme, id) = rest.split_once(':').expect("scheme:id:perms");
        let bits = perms.chars().map(|perm| match perm {
            'r' => 1,
            'w' => 2,
            'c' => 4,
            'd' => 8,
            'a' => 16,
            other => panic!("no permission {other}"),
        });
        AclEntry { perms: Permissions(bits.sum()), scheme, id }
    };
    text.split(',').filter(|entry| *entry != "none").map(parse).collect()
}

fn bytes(text: &str) -> Option<&[u8]> {
    (text != "-").then_some(text.as_bytes())
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a number")
}

fn show_outcome(outcome: &Outcome) -> String {
    let mut out = match &outcome.result {
        Ok(reply) => format!("{} {}", outcome.zxid, show_reply(reply)),
        Err(reject) => format!("{} {reject:?}", outcome.zxid),
    };
    for Change { kind, path, acl: _, parent_acl: _ } in &outcome.changes {
        write!(out, "\n! {kind:?} {path}").expect("to a String");
    }
    out
}

fn show_reply(reply: &Reply) -> String {
    match reply {
        Reply::Created { path, stat: _ } => format!("created {path}"),
        Reply::Done => "done".to_owned(),
        Reply::Config { data, stat } => {
            format!("{:?} {}", String::from_utf8_lossy(data), show_stat(stat))
        }
        Reply::Stat(stat) => show_stat(stat),
        Reply::Multi(MultiOutcome::Applied(replies)) => {
            let replies: Vec<String> = replies.iter().map(show_reply).collect();
            format!("[{}]", replies.join("; "))
        }
        Reply::Multi(MultiOutcome::Failed { index, len, reject }) => {
            format!("failed at {index} of {len}: {reject:?}")
        }
        Reply::Attached { timeout_ms } => format!("attached for {timeout_ms} ms"),
        Reply::Closed(session) => format!("closed {session}"),
    }
}

/// Every field; zxids in hex.
pub(crate) fn show_stat(stat: &Stat) -> String {
    format!(
        "cz={} mz={} pz={} ct={} mt={} v={} cv={} av={} eo={} len={} children={}",
        stat.czxid,
        stat.mzxid,
        stat.pzxid,
        stat.ctime.0,
        stat.mtime.0,
        stat.version,
        stat.cversion,
        stat.aversion,
        stat.ephemeral_owner,
        stat.data_length,
        stat.num_children
    )
}

fn show_answer(answer: Answer<'_>) -> String {
    match answer {
        Answer::Stat(stat) => show_stat(&stat),
        Answer::Data { data, stat } => {
            let data = data.map_or(std::borrow::Cow::Borrowed("null"), String::from_utf8_lossy);
            format!("{data:?} v={}", stat.version)
        }
        Answer::Children { mut names, stat } => {
            names.sort_unstable();
            format!("[{}] cv={}", names.join(" "), stat.cversion)
        }
        Answer::Acl { entries, stat } => {
            let show = |(perms, scheme, id): &(Permissions, &str, std::borrow::Cow<'_, str>)| {
                format!("{scheme}:{id}:{}", perms.0)
            };
            let entries: Vec<String> = entries.iter().map(show).collect();
            format!("[{}] av={}", entries.join(" "), stat.aversion)
        }
        Answer::Count(count) => count.to_string(),
        Answer::Paths(paths) => format!("[{}]", paths.join(" ")),
    }
}

/// Everything a state shows, in order of paths: what two equal states agree in.
pub(crate) fn dump(state: &State) -> String {
    let mut out = format!(
        "zxid {} term {} digest {:#x} nodes {} size {} ephemerals {}\n",
        state.last_zxid(),
        state.last_term(),
        state.digest(),
        state.node_count(),
        state.approximate_data_size(),
        state.ephemerals_count()
    );
    for node in 0..8 {
        if let Some(last) = state.last_sequence(node) {
            writeln!(out, "origin {last:?}").expect("to a String");
        }
    }
    for (id, session) in state.sessions() {
        writeln!(out, "session {id} {session:?}").expect("to a String");
    }
    writeln!(out, "ephemerals {:?}", state.ephemerals_by_session()).expect("to a String");
    writeln!(out, "due {:?}", state.containers_and_ttls(Millis(i64::MAX))).expect("to a String");
    let mut pending = vec!["/".to_owned()];
    while let Some(path) = pending.pop() {
        dump_node(state, &path, &mut out, &mut pending);
    }
    out
}

fn dump_node(state: &State, path: &str, out: &mut String, pending: &mut Vec<String>) {
    let ask = |query| state.query(&query, &[], CommandFlags::SKIP_ACL).expect("it is there");
    let Answer::Data { data, stat } = ask(Query::GetData { path }) else { panic!("data") };
    let Answer::Acl { entries, .. } = ask(Query::GetAcl { path }) else { panic!("an ACL") };
    let Answer::Children { mut names, .. } = ask(Query::GetChildren { path }) else {
        panic!("children")
    };
    names.sort_unstable();
    writeln!(out, "{path:?} {data:?} {} {entries:?}", show_stat(&stat)).expect("to a String");
    let base = if path == "/" { "" } else { path };
    pending.extend(names.iter().rev().map(|name| format!("{base}/{name}")));
}
