//! A client's bytes, cut into frames: every byte belongs to one, and none is longer than it
//! may be.

use bytes::{BufMut, BytesMut};
use proto::{first_frame, put_frame};

use crate::{Seed, recordings::recordings};

/// What a frame may hold: the default of `jute.maxbuffer`.
const BYTES_MAX: usize = 0xf_ffff;

/// Cuts and puts together again.
///
/// # Panics
/// When what was cut does not make up what came.
pub fn check(input: &[u8]) {
    let mut rest = input;
    let mut again = BytesMut::new();
    while let Ok(Some(frame)) = first_frame(rest, BYTES_MAX) {
        assert!(frame.len() <= BYTES_MAX);
        put_frame(&mut again, |out| out.put_slice(frame));
        rest = &rest[4 + frame.len()..];
    }
    assert_eq!(&again[..], &input[..input.len() - rest.len()]);
    // What is refused, is refused whatever comes behind it; what is missing may come.
    for cut in rest.len().saturating_sub(9)..rest.len() {
        let earlier = first_frame(&rest[..cut], BYTES_MAX);
        let later = first_frame(rest, BYTES_MAX);
        assert!(earlier == Ok(None) || earlier == later, "{cut} of {} bytes", rest.len());
    }
}

/// What was recorded, each by itself and all together.
pub fn seeds() -> Vec<Seed> {
    let mut all = BytesMut::new();
    let mut seeds = Vec::new();
    for recorded in recordings().iter().step_by(9) {
        let mut out = BytesMut::new();
        put_frame(&mut out, |out| out.put_slice(&recorded.payload));
        all.put_slice(&out);
        seeds.push((recorded.name.clone(), out.to_vec()));
    }
    seeds.push(("all".to_owned(), all.to_vec()));
    seeds
}
