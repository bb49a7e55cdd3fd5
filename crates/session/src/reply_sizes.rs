//! How long replies and events are: what ZooKeeper shows as `client_response_size`.
//!
//! Only gathered here, by whoever puts frames into an output; added up where the server counts.

/// Lengths of frames for clients, in bytes, without the four that say the length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplySizes(Option<Sizes>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sizes {
    last: u32,
    min: u32,
    max: u32,
}

impl ReplySizes {
    /// Notes whole frames, in the order in which they are sent; returns how many these are.
    pub fn note_frames(&mut self, mut frames: &[u8]) -> u64 {
        let mut count = 0;
        while let Some((length, rest)) = frames.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length);
            self.note(Sizes { last: length, min: length, max: length });
            count += 1;
            frames = rest.get(length as usize..).unwrap_or_default();
        }
        count
    }

    /// Adds what was sent behind the frames that are noted here.
    pub fn add(&mut self, later: Self) {
        if let Some(later) = later.0 {
            self.note(later);
        }
    }

    fn note(&mut self, later: Sizes) {
        let Some(sizes) = &mut self.0 else {
            self.0 = Some(later);
            return;
        };
        sizes.last = later.last;
        sizes.min = sizes.min.min(later.min);
        sizes.max = sizes.max.max(later.max);
    }

    /// Of the last frame, of the shortest and of the longest; none before the first.
    pub fn last_min_max(&self) -> Option<(u32, u32, u32)> {
        self.0.map(|Sizes { last, min, max }| (last, min, max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(lengths: &[u8]) -> Vec<u8> {
        let frame = |length: &u8| [vec![0, 0, 0, *length], vec![7; usize::from(*length)]].concat();
        lengths.iter().flat_map(frame).collect()
    }

    #[test]
    fn the_last_the_shortest_and_the_longest_are_known() {
        let mut sizes = ReplySizes::default();
        assert_eq!((sizes.note_frames(&[]), sizes.last_min_max()), (0, None));
        assert_eq!(sizes.note_frames(&frames(&[20, 16, 90, 24])), 4);
        assert_eq!(sizes.last_min_max(), Some((24, 16, 90)));
        let mut later = ReplySizes::default();
        sizes.add(later);
        assert_eq!(later.note_frames(&frames(&[100])), 1);
        sizes.add(later);
        assert_eq!(sizes.last_min_max(), Some((100, 16, 100)));
    }
}
