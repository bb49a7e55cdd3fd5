//! The four-letter words, as a server answers them that has seen some clients.

use crate::Seed;

/// Answers it, if it is one.
pub fn check(input: &[u8]) {
    server::fuzzing::four_letter(input);
}

/// Every word, and what only looks like one.
pub fn seeds() -> Vec<Seed> {
    let words = server::admin::four_letter::Word::ALL.iter();
    let mut seeds: Vec<Seed> =
        words.map(|word| (word.text().to_owned(), word.text().into())).collect();
    seeds.push(("stmk_mask".to_owned(), b"stmk\0\0\0\0\0\0\x01\x02".to_vec()));
    seeds.push(("telnet".to_owned(), b"\xff\xf4\xff\xfd\x06".to_vec()));
    seeds
}
