//! Every operation: its code, what it is asked with, and what the reply consists of.
//!
//! One table serves parsing, printing, encoding, decoding and generating, so that an
//! operation cannot be known to one and not to another.

use super::request::{AclEntry, Arg};

/// One operation of the protocol.
#[derive(Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name in scripts.
    pub name: &'static str,
    /// Its number on the wire.
    pub code: i32,
    /// The arguments, in wire order.
    pub fields: &'static [Field],
    /// The parts of a successful reply, in wire order.
    pub reply: &'static [Part],
    /// Whether it takes a zxid of its own.
    pub is_write: bool,
    /// The xid that clients use for it; otherwise they count.
    pub xid: Option<i32>,
}

/// One argument.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in scripts.
    pub name: &'static str,
    /// Its type, and the value when a script does not say.
    pub kind: Kind,
}

/// The type of an argument, and its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A nullable string; null by default.
    Text,
    /// A nullable buffer; empty by default.
    Buffer,
    /// A four-byte number.
    Int(i32),
    /// An eight-byte number.
    Long(i64),
    /// One byte; false by default.
    Flag,
    /// A nullable list of ACL entries; open to the world by default.
    Acl,
    /// A nullable list of strings; empty by default.
    Texts,
}

impl Kind {
    /// The argument when a script does not say.
    pub fn default_arg(self) -> Arg {
        match self {
            Self::Text => Arg::Text(None),
            Self::Buffer => Arg::Buffer(Some(Vec::new())),
            Self::Int(value) => Arg::Int(value),
            Self::Long(value) => Arg::Long(value),
            Self::Flag => Arg::Flag(false),
            Self::Acl => Arg::Acl(Some(vec![AclEntry::open()])),
            Self::Texts => Arg::Texts(Some(Vec::new())),
        }
    }

    /// Whether scripts may give it without its name.
    pub const fn is_positional(self) -> bool {
        matches!(self, Self::Text | Self::Buffer)
    }
}

/// One part of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A path.
    Path,
    /// Data, null or not.
    Data,
    /// A Stat.
    Stat,
    /// A list of ACL entries.
    Acl,
    /// Names or paths, whose order means nothing.
    Names,
    /// A number.
    Number,
    /// Who the connection is.
    Identities,
    /// Bytes of a negotiation.
    Token,
    /// The results of a multi.
    Results,
}

const fn text(name: &'static str) -> Field {
    Field { name, kind: Kind::Text }
}
const fn buffer(name: &'static str) -> Field {
    Field { name, kind: Kind::Buffer }
}
const fn int(name: &'static str, default: i32) -> Field {
    Field { name, kind: Kind::Int(default) }
}
const fn long(name: &'static str, default: i64) -> Field {
    Field { name, kind: Kind::Long(default) }
}
const PATH: Field = text("path");
const WATCH: Field = Field { name: "watch", kind: Kind::Flag };
const ACL: Field = Field { name: "acl", kind: Kind::Acl };
const VERSION: Field = int("version", -1);
const fn texts(name: &'static str) -> Field {
    Field { name, kind: Kind::Texts }
}

const fn read(
    name: &'static str,
    code: i32,
    fields: &'static [Field],
    reply: &'static [Part],
) -> Operation {
    Operation { name, code, fields, reply, is_write: false, xid: None }
}
const fn write(
    name: &'static str,
    code: i32,
    fields: &'static [Field],
    reply: &'static [Part],
) -> Operation {
    Operation { name, code, fields, reply, is_write: true, xid: None }
}
const fn with_xid(
    xid: i32,
    name: &'static str,
    code: i32,
    fields: &'static [Field],
    reply: &'static [Part],
) -> Operation {
    Operation { name, code, fields, reply, is_write: false, xid: Some(xid) }
}

/// All operations.
pub static OPERATIONS: &[Operation] = &[
    write("create", 1, &[PATH, buffer("data"), ACL, int("flags", 0)], &[Part::Path]),
    write("create2", 15, &[PATH, buffer("data"), ACL, int("flags", 0)], &[Part::Path, Part::Stat]),
    write(
        "createContainer",
        19,
        &[PATH, buffer("data"), ACL, int("flags", 4)],
        &[Part::Path, Part::Stat],
    ),
    write(
        "createTTL",
        21,
        &[PATH, buffer("data"), ACL, int("flags", 5), long("ttl", 3_600_000)],
        &[Part::Path, Part::Stat],
    ),
    write("delete", 2, &[PATH, VERSION], &[]),
    read("exists", 3, &[PATH, WATCH], &[Part::Stat]),
    read("getData", 4, &[PATH, WATCH], &[Part::Data, Part::Stat]),
    write("setData", 5, &[PATH, buffer("data"), VERSION], &[Part::Stat]),
    read("getACL", 6, &[PATH], &[Part::Acl, Part::Stat]),
    write("setACL", 7, &[PATH, ACL, VERSION], &[Part::Stat]),
    read("getChildren", 8, &[PATH, WATCH], &[Part::Names]),
    read("sync", 9, &[PATH], &[Part::Path]),
    with_xid(-2, "ping", 11, &[], &[]),
    read("getChildren2", 12, &[PATH, WATCH], &[Part::Names, Part::Stat]),
    read("check", 13, &[PATH, VERSION], &[]),
    write("multi", 14, &[], &[Part::Results]),
    write(
        "reconfig",
        16,
        &[text("joining"), text("leaving"), text("members"), long("id", -1)],
        &[Part::Data, Part::Stat],
    ),
    read("checkWatches", 17, &[PATH, int("type", 3)], &[]),
    read("removeWatches", 18, &[PATH, int("type", 3)], &[]),
    read("deleteContainer", 20, &[PATH], &[]),
    read("multiRead", 22, &[], &[Part::Results]),
    with_xid(-4, "auth", 100, &[int("type", 0), text("scheme"), buffer("auth")], &[]),
    with_xid(
        -8,
        "setWatches",
        101,
        &[long("zxid", 0), texts("data"), texts("exist"), texts("child")],
        &[],
    ),
    read("sasl", 102, &[buffer("token")], &[Part::Token]),
    read("getEphemerals", 103, &[text("prefix")], &[Part::Names]),
    read("getAllChildrenNumber", 104, &[PATH], &[Part::Number]),
    with_xid(
        -8,
        "setWatches2",
        105,
        &[
            long("zxid", 0),
            texts("data"),
            texts("exist"),
            texts("child"),
            texts("persistent"),
            texts("recursive"),
        ],
        &[],
    ),
    read("addWatch", 106, &[PATH, int("mode", 0)], &[Part::Number]),
    read("whoAmI", 107, &[], &[Part::Identities]),
    read("createSession", -10, &[int("timeout", 10_000)], &[]),
    write("close", -11, &[], &[]),
];

/// The operation of that name.
pub fn named(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

/// The operation with that number.
pub fn with_code(code: i32) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.code == code)
}

/// The parts of an element's result in a multi, by the type that the element carries.
pub fn result_parts(code: i32) -> Option<&'static [Part]> {
    match code {
        1 => Some(&[Part::Path]),
        15 => Some(&[Part::Path, Part::Stat]),
        2 | 13 => Some(&[]),
        4 => Some(&[Part::Data, Part::Stat]),
        5 => Some(&[Part::Stat]),
        8 => Some(&[Part::Names]),
        -1 => Some(&[Part::Number]),
        _ => None,
    }
}

/// The name that the protocol's documentation gives an error code.
pub const fn error_name(code: i32) -> &'static str {
    match code {
        0 => "ok",
        -2 => "RuntimeInconsistency",
        -5 => "MarshallingError",
        -6 => "Unimplemented",
        -8 => "BadArguments",
        -13 => "NewConfigNoQuorum",
        -14 => "ReconfigInProgress",
        -101 => "NoNode",
        -102 => "NoAuth",
        -103 => "BadVersion",
        -108 => "NoChildrenForEphemerals",
        -110 => "NodeExists",
        -111 => "NotEmpty",
        -112 => "SessionExpired",
        -114 => "InvalidACL",
        -115 => "AuthFailed",
        -119 => "NotReadOnly",
        -121 => "NoWatcher",
        -123 => "ReconfigDisabled",
        -124 => "SessionClosedRequireAuth",
        -125 => "QuotaExceeded",
        -127 => "ThrottledOp",
        _ => "unknown error",
    }
}
