//! What Apache's own client and server said to each other (`golden/*.hex`, recorded by
//! `golden/Record.java`): all of it is understood, and encoded again to the same bytes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use bytes::BytesMut;
use expect_test::{expect, expect_file};
use jute_codegen::Source;
use proto::{
    ConnectRequest, ConnectResponse, ErrorCode, EventType, OpCode, Record, ReplyHeader, Request,
    RequestHeader, Response, WatcherEvent, xid,
};

/// No client sends this, and it has no other place: an operation of servers.
const NOT_RECORDED: &[&str] = &["DeleteContainerRequest"];
/// In every multi, and not kept in what is decoded from it.
const WITHIN_MULTIS: &[&str] = &["MultiHeader"];

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn recorded() -> Vec<PathBuf> {
    let files = fs::read_dir(here().join("tests/golden")).expect("the recordings");
    let files = files.map(|entry| entry.expect("a recording").path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "hex")).collect();
    files.sort();
    files
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex digits");
    (0..text.len()).step_by(2).map(digits).collect()
}

/// Decodes a message, encodes it again, and says what it is.
fn request(frame: &[u8], asked: &mut BTreeMap<i32, i32>) -> (String, BytesMut) {
    let mut again = BytesMut::new();
    if frame.starts_with(&[0; 4]) {
        let connect = ConnectRequest::decode(frame).expect("a connect request");
        connect.encode(&mut again);
        return (format!("{connect:?}"), again);
    }
    let (body, header) = RequestHeader::decode(frame).expect("a request header");
    asked.insert(header.xid, header.op);
    if header.op == OpCode::Multi.code() && Request::decode(header.op, body).is_err() {
        again.extend_from_slice(frame);
        return (format!("{header:?} undecodable"), again);
    }
    let request = Request::decode(header.op, body).expect("a request");
    request.encode(header.xid, &mut again);
    (format!("{header:?} {request:?}"), again)
}

fn reply(frame: &[u8], asked: &BTreeMap<i32, i32>) -> (String, BytesMut) {
    let mut again = BytesMut::new();
    if frame.starts_with(&[0; 4]) {
        let connect = ConnectResponse::decode(frame).expect("a connect response");
        connect.encode(&mut again);
        return (format!("{connect:?}"), again);
    }
    let (body, header) = ReplyHeader::decode(frame).expect("a reply header");
    header.encode(&mut again);
    if header.xid == xid::EVENT {
        let event = WatcherEvent::from_exact_bytes(body).expect("an event");
        event.encode(&mut again);
        return (format!("{header:?} {event:?}"), again);
    }
    if header.err != 0 {
        assert!(body.is_empty(), "a refusal has no body");
        return (format!("{header:?}"), again);
    }
    let response = Response::decode(asked[&header.xid], body).expect("a reply");
    response.encode(&mut again);
    (format!("{header:?} {response:?}"), again)
}

/// Every message of one exchange in words, each checked to be encoded as it was.
fn exchange(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a recording");
    let mut asked = BTreeMap::new();
    let mut words = String::new();
    for line in text.lines() {
        let (mark, rest) = line.split_at(2);
        let frame = from_hex(if mark == "# " { "" } else { rest });
        let (said, again) = match mark {
            "# " => (rest.to_owned(), BytesMut::new()),
            "> " => request(&frame, &mut asked),
            "< " => reply(&frame, &asked),
            _ => panic!("{}: {line}", path.display()),
        };
        assert_eq!(again, frame, "{}: {said}", path.display());
        words += &format!("{mark}{said}\n");
    }
    words
}

#[test]
fn what_was_said_is_understood_and_encoded_the_same() {
    for path in recorded() {
        expect_file![path.with_extension("txt")].assert_eq(&exchange(&path));
    }
}

#[test]
fn every_record_was_recorded() {
    let said: String = recorded().iter().map(|path| exchange(path)).collect();
    let schemas = here().join("../../jute-schemas");
    let mut missing = BTreeSet::new();
    for name in ["data.jute", "proto.jute"] {
        let text = fs::read_to_string(schemas.join(name)).unwrap();
        let module = jute_codegen::parse(&Source { name, text: &text }).unwrap();
        missing.extend(module.classes.into_iter().map(|class| class.name).filter(|class| {
            !said.contains(&format!("{class} {{"))
                && !NOT_RECORDED.contains(&class.as_str())
                && !WITHIN_MULTIS.contains(&class.as_str())
        }));
    }
    assert!(missing.is_empty(), "no exchange has {missing:?}");
}

/// Every number that is named here and by Apache has the same name; what only one of the
/// two names is listed: `+` ours, `-` Apache's.
#[test]
fn numbers_are_those_of_apache() {
    let text = fs::read_to_string(here().join("tests/golden/numbers.txt")).unwrap();
    let apache: BTreeSet<String> =
        text.lines().skip(1).map(|line| line.to_lowercase().replace('_', "")).collect();
    let line = |kind, name: String, code| format!("{kind} {name} {code}").to_lowercase();
    let errors = ErrorCode::ALL.iter().map(|it| line("error", format!("{it:?}"), it.code()));
    let ops = OpCode::ALL.iter().map(|it| line("op", format!("{it:?}"), it.code()));
    let events = EventType::ALL.iter().map(|it| line("event", format!("{it:?}"), it.code()));
    let ours: BTreeSet<String> = errors.chain(ops).chain(events).collect();
    let only_ours = ours.difference(&apache).map(|line| format!("+ {line}\n"));
    let only_apache = apache.difference(&ours).map(|line| format!("- {line}\n"));
    // The C client's own codes; a name that has become wider; what servers never send.
    expect![[r#"
        + error closing -116
        + error invalidstate -9
        + error nothing -117
        + error sessionclosedrequireauth -124
        + error sslconnectionerror -15
        - error sessionclosedrequiresaslauth -124
        - event childwatchremoved 6
        - event datawatchremoved 5
        - event none -1
        - event persistentwatchremoved 7
        - op notification 0
    "#]]
    .assert_eq(&only_ours.chain(only_apache).collect::<String>());
}
