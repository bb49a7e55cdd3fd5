//! Frames between servers: length, checksum, payload.
//!
//! A length is compared with the limit before anything is reserved, and room grows with
//! what arrives, so that a wrong length costs nothing.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use jute::Record;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Kind;

/// Most bytes of one frame: the largest entry there can be, and room to spare.
pub(crate) const FRAME_BYTES_MAX: usize = 64 << 20;
/// Most bytes of a frame before the other side has said who it is.
pub(crate) const HELLO_BYTES_MAX: usize = 4096;
/// Bytes before the payload.
const HEAD: usize = 8;
/// What is reserved at once for reading.
const READ_BYTES: usize = 64 << 10;

/// Takes frames from a connection. Cutting [`Self::next`] short loses nothing.
pub(crate) struct FrameReader {
    reader: Box<dyn AsyncRead + Send + Sync + Unpin>,
    buffer: BytesMut,
    bytes_max: usize,
}

impl FrameReader {
    pub(crate) fn new(reader: Box<dyn AsyncRead + Send + Sync + Unpin>) -> Self {
        Self { reader, buffer: BytesMut::new(), bytes_max: HELLO_BYTES_MAX }
    }

    /// From here on frames may have any size.
    pub(crate) fn trust(&mut self) {
        self.bytes_max = FRAME_BYTES_MAX;
    }

    /// Takes bytes that must be exactly these.
    pub(crate) async fn expect(&mut self, magic: &[u8]) -> io::Result<()> {
        while self.buffer.len() < magic.len() {
            self.fill().await?;
        }
        if self.buffer[..magic.len()] != *magic {
            return Err(invalid("it does not speak the protocol of Rookery's servers"));
        }
        self.buffer.advance(magic.len());
        Ok(())
    }

    /// The next frame.
    pub(crate) async fn next(&mut self) -> io::Result<Frame> {
        loop {
            if let Some(frame) = self.cut()? {
                return Ok(frame);
            }
            self.fill().await?;
        }
    }

    /// A frame that is there as a whole.
    fn cut(&mut self) -> io::Result<Option<Frame>> {
        let Some(head) = self.buffer.first_chunk::<HEAD>() else { return Ok(None) };
        let [l0, l1, l2, l3, c0, c1, c2, c3] = *head;
        let length = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        if length > self.bytes_max || length < 4 {
            return Err(invalid("a frame of an impossible length"));
        }
        if self.buffer.len() < HEAD + length {
            return Ok(None);
        }
        self.buffer.advance(HEAD);
        let payload = self.buffer.split_to(length).freeze();
        if crc32c::crc32c(&payload) != u32::from_be_bytes([c0, c1, c2, c3]) {
            return Err(invalid("a frame that was damaged on its way"));
        }
        Frame::parse(payload).map(Some)
    }

    async fn fill(&mut self) -> io::Result<()> {
        self.buffer.reserve(READ_BYTES);
        if self.reader.read_buf(&mut self.buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

/// What a frame holds: its kind, and the record behind it.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) body: Bytes,
}

impl Frame {
    fn parse(mut payload: Bytes) -> io::Result<Self> {
        let kind = payload.get_i32();
        let kind = Kind::from_number(kind)
            .ok_or_else(|| invalid(&format!("a frame of the unknown kind {kind}")))?;
        Ok(Self { kind, body: payload })
    }

    /// The frame, if it is of that kind.
    pub(crate) fn expect(self, kind: Kind) -> io::Result<Self> {
        if self.kind == kind {
            return Ok(self);
        }
        Err(invalid(&format!("{kind:?} was expected, not {:?}", self.kind)))
    }

    /// The record, exactly.
    pub(crate) fn record<'f, R: Record<'f>>(&'f self) -> io::Result<R> {
        R::from_exact_bytes(&self.body).map_err(|error| invalid(&error.to_string()))
    }
}

/// Appends a frame whose record `encode` appends.
pub(crate) fn put_frame(out: &mut BytesMut, kind: Kind, encode: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD]);
    jute::put_int(out, kind.number());
    encode(out);
    let payload = &out[start + HEAD..];
    let length = u32::try_from(payload.len()).expect("frames are far smaller than 4 GiB");
    let checksum = crc32c::crc32c(payload);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    out[start + 4..start + HEAD].copy_from_slice(&checksum.to_be_bytes());
}

/// A frame by itself.
pub(crate) fn frame(kind: Kind, encode: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::new();
    put_frame(&mut out, kind, encode);
    out.freeze()
}

/// Writes whole frames.
pub(crate) struct FrameWriter(pub(crate) Box<dyn AsyncWrite + Send + Sync + Unpin>);

impl FrameWriter {
    /// Writes what [`put_frame`] made.
    pub(crate) async fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        self.0.write_all(frames).await
    }

    /// Writes one frame.
    pub(crate) async fn record<'r>(
        &mut self,
        kind: Kind,
        record: &impl Record<'r>,
    ) -> io::Result<()> {
        self.write(&frame(kind, |out| record.encode(out))).await
    }
}

pub(crate) fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> io::Result<Frame> {
        let mut reader = FrameReader::new(Box::new(io::Cursor::new(bytes.to_vec())));
        reader.next().await
    }

    #[tokio::test]
    async fn a_frame_is_what_was_sent_or_is_refused() {
        let sent = frame(Kind::Probe, |out| jute::put_long(out, 7));
        let got = read(&sent).await.unwrap();
        assert_eq!((got.kind, &got.body[..]), (Kind::Probe, &7_i64.to_be_bytes()[..]));
        for byte in 0..sent.len() {
            let mut damaged = sent.to_vec();
            damaged[byte] ^= 1;
            assert!(read(&damaged).await.is_err(), "a flipped bit in byte {byte}");
            assert!(read(&sent[..byte]).await.is_err(), "cut off after {byte} bytes");
        }
    }

    #[tokio::test]
    async fn a_length_beyond_the_limit_is_refused_before_anything_is_read() {
        let error = read(&[0xff; 8]).await.unwrap_err().to_string();
        assert!(error.contains("impossible length"), "{error}");
    }
}
