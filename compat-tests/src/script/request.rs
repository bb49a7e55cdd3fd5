//! A request: an operation with its arguments, and its bytes.

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
    pub fn body(&self, seen_zxid: i64) -> Vec<u8> {
        let mut out = Writer::new();
        if self.operation.is_none() {
            if let [Arg::Buffer(Some(body))] = self.args.as_slice() {
                out.raw(body);
            }
        } else {
            for (index, arg) in self.args.iter().enumerate() {
                let mut encoded = Writer::new();
                arg.put(&mut encoded, seen_zxid);
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
                out.int(element.code).flag(false).int(-1).raw(&element.body(seen_zxid));
            }
            out.int(-1).flag(true).int(-1);
        }
        let mut body = out.into_bytes();
        body.truncate(body.len().saturating_sub(self.cut));
        body.resize(body.len() + self.pad, 0);
        body
    }

    /// The whole frame.
    pub fn frame(&self, xid: i32, seen_zxid: i64) -> Vec<u8> {
        let mut out = Writer::new();
        out.int(xid).int(self.code).raw(&self.body(seen_zxid));
        out.into_frame()
    }
}

impl Arg {
    fn put(&self, out: &mut Writer, seen_zxid: i64) {
        match self {
            Self::Text(text) => {
                out.text(text.as_deref());
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
                out.long(seen_zxid);
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
