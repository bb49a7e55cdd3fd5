//! A request: an operation with its arguments, and its bytes.

use std::borrow::Cow;

use super::catalogue::{Field, Operation};
use crate::raw::Writer;

/// An operation with arguments for all its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which operation; `None` for a number that scripts give themselves.
    pub operation: Option<&'static Operation>,
    /// The number on the wire.
    pub code: i32,
    /// One argument for each field; for a number without an operation, the body as a buffer.
    pub args: Vec<Arg>,
    /// The elements of a multi.
    pub elements: Vec<Self>,
    /// An xid other than the one a client would use.
    pub xid: Option<i32>,
    /// Which argument's length says something else than is true, and what.
    pub length: Option<(usize, i32)>,
    /// How many bytes are missing at the end.
    pub cut: usize,
    /// How many zero bytes are too many at the end.
    pub pad: usize,
}

/// The name of requests whose number scripts give themselves.
pub const UNKNOWN: &str = "unknown operation";

/// The value of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arg {
    /// A string.
    Text(Option<String>),
    /// A buffer.
    Buffer(Option<Vec<u8>>),
    /// A four-byte number.
    Int(i32),
    /// An eight-byte number.
    Long(i64),
    /// The last zxid that the connection saw: another number on each server.
    Seen,
    /// The version of `/zookeeper/config` that the program saw last: likewise.
    ConfigVersion,
    /// The version that it saw before that one.
    FormerConfigVersion,
    /// A boolean.
    Flag(bool),
    /// A list of ACL entries.
    Acl(Option<Vec<AclEntry>>),
    /// A list of strings.
    Texts(Option<Vec<String>>),
}

/// One entry of an ACL list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclEntry {
    /// The scheme.
    pub scheme: String,
    /// The id within the scheme.
    pub id: String,
    /// The permission bits.
    pub perms: i32,
}

/// What a program knows of the servers only while it runs on them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'k> {
    /// The last zxid that the connection saw.
    pub zxid: i64,
    /// The version of the configuration that was seen last.
    pub config_version: i64,
    /// The one that was seen before it.
    pub former_config_version: i64,
    /// How the configuration describes the servers: `server.1=…` and so on.
    pub lines: &'k [String],
}

impl Known<'_> {
    /// The text with the servers' own lines for `{server.1}` and so on.
    fn told<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut told = Cow::Borrowed(text);
        for (placeholder, line) in placeholders(self.lines) {
            if told.contains(&placeholder) {
                told = Cow::Owned(told.replace(&placeholder, line));
            }
        }
        told
    }
}

/// What stands in scripts for the lines of the servers that they run on.
pub fn placeholders(lines: &[String]) -> impl Iterator<Item = (String, &str)> {
    (1..).zip(lines).map(|(number, line)| (format!("{{server.{number}}}"), line.as_str()))
}

impl AclEntry {
    /// Everything to everyone.
    pub fn open() -> Self {
        Self { scheme: "world".to_owned(), id: "anyone".to_owned(), perms: 31 }
    }
}

impl Request {
    /// The operation with its defaults.
    pub fn new(operation: &'static Operation) -> Self {
        Self {
            operation: Some(operation),
            code: operation.code,
            args: operation.fields.iter().map(|field| field.kind.default_arg()).collect(),
            elements: Vec::new(),
            xid: None,
            length: None,
            cut: 0,
            pad: 0,
        }
    }

    /// Any number with any body.
    pub fn raw(code: i32, body: Vec<u8>) -> Self {
        Self {
            operation: None,
            code,
            args: vec![Arg::Buffer(Some(body))],
            elements: Vec::new(),
            xid: None,
            length: None,
            cut: 0,
            pad: 0,
        }
    }

    /// The same with another argument.
    ///
    /// # Panics
    /// When the operation has no such field: a mistake in a test.
    #[must_use]
    pub fn with(mut self, name: &str, arg: Arg) -> Self {
        let index = self.field_index(name).expect("the operation has this field");
        self.args[index] = arg;
        self
    }

    /// Where an argument is.
    pub fn field_index(&self, name: &str) -> Option<usize> {
        self.fields().iter().position(|field| field.name == name)
    }

    /// What it is counted as.
    pub fn name(&self) -> &'static str {
        self.operation.map_or(UNKNOWN, |operation| operation.name)
    }

    /// The fields that the arguments are for.
    pub fn fields(&self) -> &'static [Field] {
        self.operation.map_or(&[], |operation| operation.fields)
    }

    /// Whether it consists of elements.
    pub const fn is_multi(&self) -> bool {
        matches!(self.code, 14 | 22)
    }

    /// The body, after the request's header.
    pub fn body(&self, known: &Known<'_>) -> Vec<u8> {
        let mut out = Writer::new();
        if self.operation.is_none() {
            if let [Arg::Buffer(Some(body))] = self.args.as_slice() {
                out.raw(body);
            }
        } else {
            for (index, arg) in self.args.iter().enumerate() {
                let mut encoded = Writer::new();
                arg.put(&mut encoded, known);
                let encoded = encoded.into_bytes();
                match self.length {
                    Some((lying, length)) if lying == index && encoded.len() >= 4 => {
                        out.int(length).raw(&encoded[4..]);
                    }
                    Some(_) | None => {
                        out.raw(&encoded);
                    }
                }
            }
        }
        if self.is_multi() && self.operation.is_some() {
            for element in &self.elements {
                out.int(element.code).flag(false).int(-1).raw(&element.body(known));
            }
            out.int(-1).flag(true).int(-1);
        }
        let mut body = out.into_bytes();
        body.truncate(body.len().saturating_sub(self.cut));
        body.resize(body.len() + self.pad, 0);
        body
    }

    /// The whole frame.
    pub fn frame(&self, xid: i32, known: &Known<'_>) -> Vec<u8> {
        let mut out = Writer::new();
        out.int(xid).int(self.code).raw(&self.body(known));
        out.into_frame()
    }
}

impl Arg {
    fn put(&self, out: &mut Writer, known: &Known<'_>) {
        match self {
            Self::Text(text) => {
                out.text(text.as_deref().map(|text| known.told(text)).as_deref());
            }
            Self::Buffer(bytes) => {
                out.buffer(bytes.as_deref());
            }
            Self::Int(value) => {
                out.int(*value);
            }
            Self::Long(value) => {
                out.long(*value);
            }
            Self::Seen => {
                out.long(known.zxid);
            }
            Self::ConfigVersion => {
                out.long(known.config_version);
            }
            Self::FormerConfigVersion => {
                out.long(known.former_config_version);
            }
            Self::Flag(value) => {
                out.flag(*value);
            }
            Self::Acl(None) | Self::Texts(None) => {
                out.int(-1);
            }
            Self::Acl(Some(entries)) => {
                out.count(entries.len());
                for entry in entries {
                    out.int(entry.perms).text(Some(&entry.scheme)).text(Some(&entry.id));
                }
            }
            Self::Texts(Some(texts)) => {
                out.count(texts.len());
                for text in texts {
                    out.text(Some(text));
                }
            }
        }
    }
}
