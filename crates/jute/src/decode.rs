//! The primitives as nom parsers over a cut frame. Each names its field in its error.

use nom::number::complete::{be_i32, be_i64, u8};

use crate::{DecodeError, DecodeErrorKind, Decoded, Input};

/// A `byte`.
#[inline]
pub fn byte<'a>(field: &'static str, input: Input<'a>) -> Decoded<'a, u8> {
    u8(input).map_err(|error| named(field, error))
}

/// A `boolean`: any byte but 0 is true.
#[inline]
pub fn boolean<'a>(field: &'static str, input: Input<'a>) -> Decoded<'a, bool> {
    byte(field, input).map(|(rest, value)| (rest, value != 0))
}

/// An `int`.
#[inline]
pub fn int<'a>(field: &'static str, input: Input<'a>) -> Decoded<'a, i32> {
    be_i32(input).map_err(|error| named(field, error))
}

/// A `long`.
#[inline]
pub fn long<'a>(field: &'static str, input: Input<'a>) -> Decoded<'a, i64> {
    be_i64(input).map_err(|error| named(field, error))
}

/// A `buffer` that may be null.
#[inline]
pub fn nullable_buffer<'a>(field: &'static str, input: Input<'a>) -> Decoded<'a, Option<&'a [u8]>> {
    let (rest, length) = int(field, input)?;
    match usize::try_from(length) {
        Ok(length) => match rest.split_at_checked(length) {
            Some((value, rest)) => Ok((rest, Some(value))),
            None => Err(DecodeError::at(field, DecodeErrorKind::Truncated, rest)),
        },
        Err(_) if length == -1 => Ok((rest, None)),
        Err(_) => Err(DecodeError::at(field, DecodeErrorKind::Length(length), input)),
    }
}

/// A `buffer` that may not be null.
#[inline]
pub fn buffer<'a>(field: &'static str, input: Input<'a>) -> Decoded<'a, &'a [u8]> {
    let (rest, value) = nullable_buffer(field, input)?;
    match value {
        Some(value) => Ok((rest, value)),
        None => Err(DecodeError::at(field, DecodeErrorKind::Null, input)),
    }
}

/// A `ustring` that may be null.
#[inline]
pub fn nullable_ustring<'a>(field: &'static str, input: Input<'a>) -> Decoded<'a, Option<&'a str>> {
    let (rest, value) = nullable_buffer(field, input)?;
    match value.map(str::from_utf8).transpose() {
        Ok(text) => Ok((rest, text)),
        Err(_) => Err(DecodeError::at(field, DecodeErrorKind::NotUtf8, input)),
    }
}

/// A `ustring` that may not be null.
#[inline]
pub fn ustring<'a>(field: &'static str, input: Input<'a>) -> Decoded<'a, &'a str> {
    let (rest, value) = nullable_ustring(field, input)?;
    match value {
        Some(value) => Ok((rest, value)),
        None => Err(DecodeError::at(field, DecodeErrorKind::Null, input)),
    }
}

/// A `vector` that may be null, of items that take at least `item_bytes_min` bytes each.
///
/// Compat(negative-count): a count below -1 reads as empty.
#[inline]
pub fn nullable_vector<'a, T>(
    field: &'static str,
    item_bytes_min: usize,
    input: Input<'a>,
    mut item: impl FnMut(Input<'a>) -> Decoded<'a, T>,
) -> Decoded<'a, Option<Vec<T>>> {
    let (mut rest, count) = int(field, input)?;
    let Ok(length) = usize::try_from(count) else {
        return Ok((rest, if count == -1 { None } else { Some(Vec::new()) }));
    };
    if length.saturating_mul(item_bytes_min.max(1)) > rest.len() {
        return Err(DecodeError::at(field, DecodeErrorKind::Length(count), input));
    }
    let mut items = Vec::with_capacity(length);
    for _ in 0..length {
        let (after, value) = item(rest)?;
        items.push(value);
        rest = after;
    }
    Ok((rest, Some(items)))
}

/// A `vector` that may not be null.
#[inline]
pub fn vector<'a, T>(
    field: &'static str,
    item_bytes_min: usize,
    input: Input<'a>,
    item: impl FnMut(Input<'a>) -> Decoded<'a, T>,
) -> Decoded<'a, Vec<T>> {
    let (rest, items) = nullable_vector(field, item_bytes_min, input, item)?;
    match items {
        Some(items) => Ok((rest, items)),
        None => Err(DecodeError::at(field, DecodeErrorKind::Null, input)),
    }
}

#[inline]
fn named(field: &'static str, error: nom::Err<DecodeError>) -> nom::Err<DecodeError> {
    error.map(|error| DecodeError { field, ..error })
}
