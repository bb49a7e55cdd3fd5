//! Why bytes are not a record.

use nom::error::{ErrorKind, ParseError};
use thiserror::Error;

/// Bytes that are not what the schema says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("field `{field}`: {kind} ({remaining} bytes left)")]
pub struct DecodeError {
    /// The field that could not be read.
    pub field: &'static str,
    /// What is wrong with it.
    pub kind: DecodeErrorKind,
    /// How many bytes were left when it was tried.
    pub remaining: usize,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeErrorKind {
    /// The bytes end within it.
    #[error("the bytes end too early")]
    Truncated,
    /// A length below -1, or one that cannot fit into what is left.
    #[error("impossible length {0}")]
    Length(i32),
    /// Null where the schema does not allow it.
    #[error("unexpected null")]
    Null,
    /// Text that is not UTF-8.
    ///
    /// Compat(not-utf8): Apache replaces what it cannot decode by U+FFFD, which no valid
    /// path contains; here the request is refused as undecodable.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// A value that the schema's users do not know.
    #[error("unknown value {0}")]
    Unknown(i32),
    /// Bytes follow where the record should end.
    #[error("bytes left over")]
    LeftOver,
}

impl DecodeError {
    /// An error at `field`, with `remaining` bytes left, for nom.
    #[cold]
    pub fn at(field: &'static str, kind: DecodeErrorKind, remaining: &[u8]) -> nom::Err<Self> {
        nom::Err::Error(Self { field, kind, remaining: remaining.len() })
    }
}

impl<'a> ParseError<&'a [u8]> for DecodeError {
    #[cold]
    fn from_error_kind(input: &'a [u8], _: ErrorKind) -> Self {
        Self { field: "", kind: DecodeErrorKind::Truncated, remaining: input.len() }
    }

    fn append(_: &'a [u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}
