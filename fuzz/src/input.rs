//! The fuzzer's bytes as a list of pieces: numbers, and texts behind their length.
//!
//! What is missing reads as zero or as nothing, so that every input is one.

/// Takes pieces off the front.
#[derive(Clone, Copy, Debug)]
pub struct Input<'i>(&'i [u8]);

impl<'i> Input<'i> {
    /// All of it.
    pub const fn new(bytes: &'i [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *byte
    }

    /// As many bytes as the next two say, or all that are left.
    pub fn bytes(&mut self) -> &'i [u8] {
        let length = usize::from(u16::from_be_bytes([self.byte(), self.byte()]));
        let (bytes, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// The rest.
    pub const fn rest(self) -> &'i [u8] {
        self.0
    }
}

/// Appends what [`Input::bytes`] takes: at most 65,535 bytes.
///
/// # Panics
/// When there are more.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).expect("a seed is short");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}
