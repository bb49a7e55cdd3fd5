//! The primitives as functions that append to a buffer.

use bytes::{BufMut, BytesMut};

/// Fields of fixed size that follow each other, appended at once: a buffer is asked for
/// room once a run instead of once a field. `BYTES` is the length of all of them.
#[derive(Clone, Copy, Debug)]
pub struct Fixed<const BYTES: usize> {
    bytes: [u8; BYTES],
    at: usize,
}

impl<const BYTES: usize> Fixed<BYTES> {
    /// Adds a `byte`.
    #[inline]
    pub fn byte(&mut self, value: u8) {
        self.set([value]);
    }

    /// Adds a `boolean`.
    #[inline]
    pub fn boolean(&mut self, value: bool) {
        self.set([u8::from(value)]);
    }

    /// Adds an `int`.
    #[inline]
    pub fn int(&mut self, value: i32) {
        self.set(value.to_be_bytes());
    }

    /// Adds a `long`.
    #[inline]
    pub fn long(&mut self, value: i64) {
        self.set(value.to_be_bytes());
    }

    #[inline]
    fn set<const N: usize>(&mut self, field: [u8; N]) {
        self.bytes[self.at..self.at + N].copy_from_slice(&field);
        self.at += N;
    }
}

/// Appends a run of fixed fields, `BYTES` long together, that `set` sets one by one.
#[inline]
pub fn put_fixed<const BYTES: usize>(out: &mut BytesMut, set: impl FnOnce(&mut Fixed<BYTES>)) {
    let mut run = Fixed { bytes: [0; BYTES], at: 0 };
    set(&mut run);
    assert_eq!(run.at, BYTES, "every byte of a run is set");
    out.put_slice(&run.bytes);
}

/// Appends a `byte`.
#[inline]
pub fn put_byte(out: &mut BytesMut, value: u8) {
    out.put_u8(value);
}

/// Appends a `boolean`.
#[inline]
pub fn put_boolean(out: &mut BytesMut, value: bool) {
    out.put_u8(u8::from(value));
}

/// Appends an `int`.
#[inline]
pub fn put_int(out: &mut BytesMut, value: i32) {
    out.put_i32(value);
}

/// Appends a `long`.
#[inline]
pub fn put_long(out: &mut BytesMut, value: i64) {
    out.put_i64(value);
}

/// Appends a `buffer`.
#[inline]
pub fn put_buffer(out: &mut BytesMut, value: &[u8]) {
    put_length(out, value.len());
    out.put_slice(value);
}

/// Appends a `buffer` that may be null.
#[inline]
pub fn put_nullable_buffer(out: &mut BytesMut, value: Option<&[u8]>) {
    match value {
        Some(value) => put_buffer(out, value),
        None => out.put_i32(-1),
    }
}

/// Appends a `ustring`.
///
/// Compat(surrogates): Apache writes a character beyond the basic plane as two halves of
/// three bytes each, which is not UTF-8; here it is one of four bytes, as it was sent.
#[inline]
pub fn put_ustring(out: &mut BytesMut, value: &str) {
    put_buffer(out, value.as_bytes());
}

/// Appends a `ustring` that may be null.
#[inline]
pub fn put_nullable_ustring(out: &mut BytesMut, value: Option<&str>) {
    put_nullable_buffer(out, value.map(str::as_bytes));
}

/// Appends a `vector`.
#[inline]
pub fn put_vector<T>(out: &mut BytesMut, items: &[T], mut put: impl FnMut(&mut BytesMut, &T)) {
    put_length(out, items.len());
    for item in items {
        put(out, item);
    }
}

/// Appends a `vector` that may be null.
#[inline]
pub fn put_nullable_vector<T>(
    out: &mut BytesMut,
    items: Option<&[T]>,
    put: impl FnMut(&mut BytesMut, &T),
) {
    match items {
        Some(items) => put_vector(out, items, put),
        None => out.put_i32(-1),
    }
}

#[inline]
fn put_length(out: &mut BytesMut, length: usize) {
    // Values come from frames or from the tree, both far smaller; longer ones are our bug.
    out.put_i32(i32::try_from(length).expect("a value is shorter than 2 GiB"));
}
