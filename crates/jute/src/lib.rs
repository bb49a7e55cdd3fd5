//! The Jute encoding: primitives, null rules, and the [`Record`] trait.
//!
//! Everything is big-endian, fields follow each other in the order of the schema, without
//! tags, padding or length:
//!
//! | type | encoding |
//! |---|---|
//! | `byte`, `boolean` | one byte; any but 0 is true |
//! | `int`, `long` | 4 or 8 bytes, two's complement |
//! | `buffer`, `ustring` | an `int` length and that many bytes; -1 is null |
//! | `vector<T>` | an `int` count and that many items; -1 is null |
//! | a record | its fields |
//!
//! Decoding borrows from a frame that was cut before: there is no such thing as "more
//! bytes needed" here. A length from the peer is compared with what is left before
//! anything is reserved. What this crate does not know is ZooKeeper.

mod decode;
mod encode;
mod error;
#[cfg(test)]
mod tests;

pub use decode::{
    boolean, buffer, byte, int, long, nullable_buffer, nullable_ustring, nullable_vector, ustring,
    vector,
};
pub use encode::{
    Fixed, put_boolean, put_buffer, put_byte, put_fixed, put_int, put_long, put_nullable_buffer,
    put_nullable_ustring, put_nullable_vector, put_ustring, put_vector,
};
pub use error::{DecodeError, DecodeErrorKind};

use bytes::BytesMut;

/// The bytes that are left to decode.
pub type Input<'a> = &'a [u8];

/// What decoding gives: the bytes that are left, and the value.
pub type Decoded<'a, T> = nom::IResult<Input<'a>, T, DecodeError>;

/// A record of a schema, borrowing from the bytes it was decoded from.
pub trait Record<'a>: Sized {
    /// The fewest bytes that a value can take: what bounds a vector's count.
    const BYTES_MIN: usize;

    /// Takes one record from the front of `input`.
    ///
    /// # Errors
    /// [`DecodeError`], naming the field, when it is cut short or not valid.
    fn decode(input: Input<'a>) -> Decoded<'a, Self>;

    /// Appends the record.
    fn encode(&self, out: &mut BytesMut);

    /// Decodes a record that stands at the front of `bytes`.
    ///
    /// Compat(trailing-bytes): what follows the record is ignored, as ZooKeeper does.
    ///
    /// # Errors
    /// As [`Record::decode`].
    #[inline]
    fn from_bytes(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        finish(Self::decode(bytes)).map(|(_, record)| record)
    }

    /// Decodes a record that is all of `bytes`.
    ///
    /// # Errors
    /// As [`Record::decode`], and when bytes are left over.
    fn from_exact_bytes(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (rest, record) = finish(Self::decode(bytes))?;
        if rest.is_empty() {
            return Ok(record);
        }
        Err(DecodeError { field: "", kind: DecodeErrorKind::LeftOver, remaining: rest.len() })
    }
}

/// Takes the error out of nom's wrapping.
///
/// # Errors
/// The error of `decoded`.
#[inline]
pub fn finish<T>(decoded: Decoded<'_, T>) -> Result<(Input<'_>, T), DecodeError> {
    match decoded {
        Ok(done) => Ok(done),
        Err(nom::Err::Error(error) | nom::Err::Failure(error)) => Err(error),
        Err(nom::Err::Incomplete(_)) => unreachable!("frames are cut before they are decoded"),
    }
}
