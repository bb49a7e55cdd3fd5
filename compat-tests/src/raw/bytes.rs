//! The primitives of the encoding: big-endian integers, and lengths where -1 is null.

/// Builds a request.
#[derive(Clone, Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Nothing written yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One byte: 0 or 1.
    pub fn flag(&mut self, value: bool) -> &mut Self {
        self.0.push(u8::from(value));
        self
    }

    /// Four bytes.
    pub fn int(&mut self, value: i32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Eight bytes.
    pub fn long(&mut self, value: i64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// A buffer or a string; they are encoded alike.
    pub fn buffer(&mut self, value: Option<&[u8]>) -> &mut Self {
        match value {
            None => self.int(-1),
            Some(bytes) => self.count(bytes.len()).raw(bytes),
        }
    }

    /// A string.
    pub fn text(&mut self, value: Option<&str>) -> &mut Self {
        self.buffer(value.map(str::as_bytes))
    }

    /// The length in front of a vector.
    pub fn count(&mut self, length: usize) -> &mut Self {
        self.int(i32::try_from(length).expect("tests send far less than 2 GiB"))
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// What was written, with its length in front.
    pub fn into_frame(self) -> Vec<u8> {
        frame(&self.0)
    }
}

/// A payload with its length in front.
pub(crate) fn frame(payload: &[u8]) -> Vec<u8> {
    let mut framed = Writer::new();
    framed.buffer(Some(payload));
    framed.into_bytes()
}

/// A reply is not what its operation promises.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {what} with {remaining} bytes remaining")]
pub struct Malformed {
    /// What was being read.
    pub what: &'static str,
    /// Bytes that were left at that point.
    pub remaining: usize,
}

impl From<Malformed> for std::io::Error {
    fn from(malformed: Malformed) -> Self {
        Self::other(malformed)
    }
}

/// Takes a reply apart.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads `bytes` from the start.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// One byte, which must be 0 or 1.
    pub fn flag(&mut self, what: &'static str) -> Result<bool, Malformed> {
        match self.take(1, what)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(self.malformed(what)),
        }
    }

    /// Four bytes.
    pub fn int(&mut self, what: &'static str) -> Result<i32, Malformed> {
        let bytes = self.take(4, what)?;
        Ok(i32::from_be_bytes(bytes.try_into().expect("four bytes were taken")))
    }

    /// Eight bytes.
    pub fn long(&mut self, what: &'static str) -> Result<i64, Malformed> {
        let bytes = self.take(8, what)?;
        Ok(i64::from_be_bytes(bytes.try_into().expect("eight bytes were taken")))
    }

    /// A length: `None` for -1, an error for any other negative number.
    pub fn count(&mut self, what: &'static str) -> Result<Option<usize>, Malformed> {
        match self.int(what)? {
            -1 => Ok(None),
            length => usize::try_from(length).map(Some).map_err(|_| self.malformed(what)),
        }
    }

    /// A buffer.
    pub fn buffer(&mut self, what: &'static str) -> Result<Option<&'a [u8]>, Malformed> {
        match self.count(what)? {
            None => Ok(None),
            Some(length) => self.take(length, what).map(Some),
        }
    }

    /// A string of valid UTF-8.
    pub fn text(&mut self, what: &'static str) -> Result<Option<&'a str>, Malformed> {
        match self.buffer(what)? {
            None => Ok(None),
            Some(bytes) => std::str::from_utf8(bytes).map(Some).map_err(|_| self.malformed(what)),
        }
    }

    /// Everything must have been read.
    pub fn finish(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(self.malformed("end of the reply")) }
    }

    /// An error about what is read at this point.
    pub const fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { what, remaining: self.0.len() }
    }

    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(|| self.malformed(what))?;
        self.0 = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let mut writer = Writer::new();
        writer.int(-7).long(1 << 40).flag(true).text(Some("/p")).buffer(None).count(2);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.int("int"), Ok(-7));
        assert_eq!(reader.long("long"), Ok(1 << 40));
        assert_eq!(reader.flag("flag"), Ok(true));
        assert_eq!(reader.text("text"), Ok(Some("/p")));
        assert_eq!(reader.buffer("buffer"), Ok(None));
        assert_eq!(reader.count("count"), Ok(Some(2)));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn leftovers_and_short_input_are_errors() {
        assert_eq!(Reader::new(&[0]).finish().map_err(|e| e.remaining), Err(1));
        assert_eq!(Reader::new(&[0, 0]).int("x").map_err(|e| e.remaining), Err(2));
        assert!(Reader::new(&[0, 0, 0, 9, 1]).buffer("x").is_err());
        assert!(Reader::new(&[2]).flag("x").is_err());
    }
}
