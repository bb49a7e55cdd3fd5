//! Stored values: a checksum, then what was to be stored.

/// Puts a checksum of `key` and `value` in front of `value`.
pub(crate) fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(4 + value.len());
    sealed.extend_from_slice(&checksum(key, value).to_be_bytes());
    sealed.extend_from_slice(value);
    sealed
}

/// What was sealed under `key`; `None` when it is not that.
///
/// The key is part of the checksum: a value at the wrong place is as bad as a wrong value.
pub(crate) fn open<'v>(key: &[u8], sealed: &'v [u8]) -> Option<&'v [u8]> {
    let (sum, value) = sealed.split_first_chunk::<4>()?;
    (u32::from_be_bytes(*sum) == checksum(key, value)).then_some(value)
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_what_was_sealed_at_its_place() {
        let sealed = seal(b"key", b"value");
        assert_eq!(open(b"key", &sealed), Some(&b"value"[..]));
        assert_eq!(open(b"yek", &sealed), None, "a value of another key");
        assert_eq!(open(b"key", &sealed[..3]), None, "too short for a checksum");
        for byte in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[byte] ^= 1;
            assert_eq!(open(b"key", &damaged), None, "a flipped bit in byte {byte}");
        }
    }
}
