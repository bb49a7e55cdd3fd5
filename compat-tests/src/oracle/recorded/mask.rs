//! Takes out of a reply's bytes what may differ from server to server, and nothing else.

use std::ops::Range;

use crate::raw::{Malformed, Reader};
use crate::script::catalogue::{self, Part, result_parts};

const MULTI_READ: i32 = 22;
/// Where the zxid of a header is.
const HEADER_ZXID: Range<usize> = 4..12;
/// Where the session id and the password of a handshake's answer are, after its length.
const WELCOME_SESSION: Range<usize> = 8..16;
const WELCOME_PASSWORD: Range<usize> = 20..36;

/// The answer to a handshake: session id and password are 1 or 0 for something or nothing.
pub(super) fn welcome(frame: &[u8]) -> Vec<u8> {
    let mut masked = frame.to_vec();
    set_or_not(&mut masked, WELCOME_SESSION);
    set_or_not(&mut masked, WELCOME_PASSWORD);
    masked
}

/// An event: only its zxid may differ.
pub(super) fn event(frame: &[u8]) -> Vec<u8> {
    let mut masked = frame.to_vec();
    number(&mut masked, HEADER_ZXID);
    masked
}

/// The reply to an operation: zxids, times and owners are 1 where they are something; names
/// are sorted.
pub(super) fn reply(code: i32, frame: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut masked = frame.to_vec();
    number(&mut masked, HEADER_ZXID);
    let mut reader = Reader::new(frame);
    reader.int("xid")?;
    reader.long("zxid")?;
    let err = reader.int("error code")?;
    if err == 0 {
        let parts = catalogue::with_code(code).map_or(&[][..], |operation| operation.reply);
        let mut masker = Masker { frame, masked: &mut masked, reader };
        for part in parts {
            masker.part(*part)?;
        }
        masker.reader.finish()?;
    } else if code == MULTI_READ {
        // What ZooKeeper had read until then follows, which no client looks at.
        masked.truncate(16);
    }
    Ok(masked)
}

struct Masker<'a, 'm> {
    frame: &'a [u8],
    masked: &'m mut [u8],
    reader: Reader<'a>,
}

impl Masker<'_, '_> {
    fn part(&mut self, part: Part) -> Result<(), Malformed> {
        match part {
            Part::Path => self.reader.buffer("path").map(|_| ()),
            Part::Data => self.reader.buffer("data").map(|_| ()),
            Part::Token => self.reader.buffer("token").map(|_| ()),
            Part::Number => self.reader.int("number").map(|_| ()),
            Part::Stat => self.stat(),
            Part::Acl => self.list(|reader| {
                reader.int("permissions")?;
                reader.buffer("scheme")?;
                reader.buffer("id").map(|_| ())
            }),
            Part::Names => self.sorted(|reader| reader.buffer("name").map(|_| ())),
            Part::Identities => self.sorted(|reader| {
                reader.buffer("scheme")?;
                reader.buffer("user").map(|_| ())
            }),
            Part::Results => self.results(),
        }
    }

    /// How far the reader is.
    fn at(&self) -> usize {
        self.frame.len() - self.reader.malformed("place").remaining
    }

    fn stat(&mut self) -> Result<(), Malformed> {
        let start = self.at();
        for _ in 0..4 {
            self.reader.long("zxid or time")?;
        }
        for _ in 0..3 {
            self.reader.int("version")?;
        }
        self.reader.long("owner")?;
        self.reader.int("length")?;
        self.reader.int("children")?;
        self.reader.long("pzxid")?;
        for offset in [0, 8, 16, 24, 44, 60] {
            number(self.masked, start + offset..start + offset + 8);
        }
        Ok(())
    }

    fn results(&mut self) -> Result<(), Malformed> {
        loop {
            let code = self.reader.int("element type")?;
            let is_done = self.reader.flag("element done")?;
            self.reader.int("element error")?;
            if is_done {
                return Ok(());
            }
            let parts = result_parts(code).ok_or_else(|| self.reader.malformed("element type"))?;
            for part in parts {
                self.part(*part)?;
            }
        }
    }

    fn list(
        &mut self,
        item: impl Fn(&mut Reader<'_>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        for _ in 0..self.reader.count("count")?.unwrap_or(0) {
            item(&mut self.reader)?;
        }
        Ok(())
    }

    /// The order of the items means nothing: they are put in the order of their bytes.
    fn sorted(
        &mut self,
        item: impl Fn(&mut Reader<'_>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let count = self.reader.count("count")?.unwrap_or(0);
        let start = self.at();
        let mut items = Vec::new();
        for _ in 0..count {
            let begin = self.at();
            item(&mut self.reader)?;
            items.push(&self.frame[begin..self.at()]);
        }
        items.sort_unstable();
        let sorted = items.concat();
        self.masked[start..start + sorted.len()].copy_from_slice(&sorted);
        Ok(())
    }
}

/// A number above 0 becomes 1; 0 and -1 mean something.
fn number(bytes: &mut [u8], range: Range<usize>) {
    if let Some(place) = bytes.get_mut(range)
        && let Some((first, _)) = place.split_first()
        && *first < 0x80
    {
        let is_something = place.iter().any(|&byte| byte != 0);
        place.fill(0);
        place[7] = u8::from(is_something);
    }
}

fn set_or_not(bytes: &mut [u8], range: Range<usize>) {
    if let Some(place) = bytes.get_mut(range) {
        let is_something = place.iter().any(|&byte| byte != 0);
        place.fill(u8::from(is_something));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::Writer;

    const GET_CHILDREN_2: i32 = 12;

    fn children(zxid: i64, names: [&str; 2], version: i32) -> Vec<u8> {
        let mut out = Writer::new();
        out.int(7).long(zxid).int(0).count(2).text(Some(names[0])).text(Some(names[1]));
        out.long(zxid).long(zxid).long(1000 + zxid).long(0);
        out.int(version).int(2).int(3).long(0).int(5).int(6).long(zxid);
        out.into_bytes()
    }

    #[test]
    fn only_what_may_differ_is_masked() {
        let mask = |frame: &[u8]| reply(GET_CHILDREN_2, frame).unwrap();
        let one = mask(&children(5, ["a", "bb"], 1));
        assert_eq!(one, mask(&children(9, ["bb", "a"], 1)));
        assert_ne!(one, mask(&children(9, ["bb", "a"], 2)));
        assert_ne!(one, mask(&children(9, ["bb", "b"], 1)));
        assert_ne!(one, mask(&children(0, ["bb", "a"], 1)));
    }

    #[test]
    fn a_reply_with_a_byte_too_many_is_no_reply() {
        let mut frame = children(5, ["a", "bb"], 1);
        frame.push(0);
        assert!(reply(GET_CHILDREN_2, &frame).is_err());
    }
}
