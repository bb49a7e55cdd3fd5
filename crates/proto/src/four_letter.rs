//! Four-letter words: what a connection may say instead of the protocol.

/// A command of four ASCII letters, sent as the first bytes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FourLetterWord(&'static str);

/// All that ZooKeeper knows. Other letters are taken for a length, and are far too long.
const WORDS: &[&str] = &[
    "ruok", "srvr", "stat", "mntr", "cons", "conf", "envi", "wchs", "wchc", "wchp", "dump", "crst",
    "srst", "isro", "dirs", "hash", "gtmk", "stmk",
];

/// What a telnet client sends when it is interrupted; answered like a word.
const TELNET_CLOSE: [u8; 4] = [0xff, 0xf4, 0xff, 0xfd];

impl FourLetterWord {
    /// The word that the first four bytes of a connection are, if they are one.
    pub fn parse(first: [u8; 4]) -> Option<Self> {
        if first == TELNET_CLOSE {
            return Some(Self("telnet close"));
        }
        WORDS.iter().find(|word| word.as_bytes() == first).map(|word| Self(word))
    }

    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Every word there is.
    pub fn all() -> impl Iterator<Item = Self> {
        WORDS.iter().map(|word| Self(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_from_lengths() {
        assert_eq!(FourLetterWord::parse(*b"ruok").map(FourLetterWord::as_str), Some("ruok"));
        assert_eq!(FourLetterWord::parse(*b"lead"), None);
        assert_eq!(FourLetterWord::parse([0, 0, 0, 45]), None);
        assert!(FourLetterWord::parse(TELNET_CLOSE).is_some());
        assert_eq!(FourLetterWord::all().count(), 18);
    }
}
