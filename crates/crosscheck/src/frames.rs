//! Cuts a stream of chunks into frames, without copying those that came in one piece.

use bytes::{Buf, Bytes, BytesMut};
use proto::{FrameError, first_frame};

/// The longest frame that is taken, in bytes: `ZooKeeper` limits requests to about a mebibyte,
/// but no replies; a listing of a million children fits.
pub(crate) const FRAME_BYTES_MAX: usize = 64 << 20;

/// A stream in one direction.
#[derive(Debug, Default)]
pub(crate) struct Cutter {
    input: BytesMut,
}

impl Cutter {
    /// Adds what came.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.input.extend_from_slice(chunk);
    }

    /// The payload of the next whole frame.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(payload) = first_frame(&self.input, FRAME_BYTES_MAX)? else { return Ok(None) };
        let bytes = payload.len();
        self.input.advance(4);
        Ok(Some(self.input.split_to(bytes).freeze()))
    }

    /// The bytes that are not a frame yet.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.input
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_whole_however_they_were_cut() {
        let stream = b"\0\0\0\x03abc\0\0\0\0\0\0\0\x01d";
        for step in 1..=stream.len() {
            let mut cutter = Cutter::default();
            let mut frames = Vec::new();
            for chunk in stream.chunks(step) {
                cutter.push(chunk);
                while let Some(frame) = cutter.next().expect("all lengths are good") {
                    frames.push(frame);
                }
            }
            assert_eq!(frames, [&b"abc"[..], b"", b"d"], "in steps of {step}");
            assert!(cutter.rest().is_empty());
        }
    }

    #[test]
    fn a_bad_length_is_an_error() {
        let mut cutter = Cutter::default();
        cutter.push(b"ruok");
        assert!(cutter.next().is_err());
    }
}
