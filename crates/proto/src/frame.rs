//! Frames: a length of four bytes, then that many bytes.

use bytes::{BufMut, BytesMut};
use thiserror::Error;

/// A length that no frame of this connection may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Below zero.
    #[error("a length of {0} bytes")]
    Negative(i32),
    /// Above the limit.
    #[error("a length of {bytes} bytes, more than the {max} allowed")]
    TooLong {
        /// The length that came.
        bytes: i32,
        /// The limit.
        max: usize,
    },
}

/// The payload of the frame at the front of `input`; `None` when it is not whole yet.
///
/// The frame itself is four bytes longer than what is returned.
///
/// # Errors
/// [`FrameError`] as soon as the length is known and is negative or above `max_bytes`.
pub fn first_frame(input: &[u8], max_bytes: usize) -> Result<Option<&[u8]>, FrameError> {
    let Some((length, rest)) = input.split_first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(*length);
    let bytes = usize::try_from(length).map_err(|_| FrameError::Negative(length))?;
    if bytes > max_bytes {
        return Err(FrameError::TooLong { bytes: length, max: max_bytes });
    }
    Ok(rest.get(..bytes))
}

/// Appends a frame whose payload is what `payload` appends.
pub fn put_frame(out: &mut BytesMut, payload: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_i32(0);
    payload(out);
    let bytes = out.len() - start - 4;
    let length = i32::try_from(bytes).expect("a frame is shorter than 2 GiB");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_whole_or_not_there_yet() {
        let mut out = BytesMut::new();
        put_frame(&mut out, |out| out.put_slice(b"abc"));
        put_frame(&mut out, |_| {});
        assert_eq!(&out[..], b"\0\0\0\x03abc\0\0\0\0");
        for cut in 0..7 {
            assert_eq!(first_frame(&out[..cut], 3), Ok(None), "{cut} bytes are no frame");
        }
        assert_eq!(first_frame(&out, 3), Ok(Some(&b"abc"[..])));
        assert_eq!(first_frame(&out[7..], 3), Ok(Some(&b""[..])));
    }

    #[test]
    fn lengths_are_judged_before_the_bytes_are_there() {
        assert_eq!(first_frame(b"\0\0\0\x04", 3), Err(FrameError::TooLong { bytes: 4, max: 3 }));
        assert_eq!(first_frame(&[0xff; 4], 3), Err(FrameError::Negative(-1)));
    }
}
