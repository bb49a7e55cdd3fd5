//! What Apache's own client and server said to each other, as `proto`'s tests have it.

use std::{fs, path::PathBuf};

/// One message.
pub(crate) struct Recorded {
    /// The recording, and how far into it.
    pub(crate) name: String,
    /// Whether the client said it.
    pub(crate) from_client: bool,
    /// The payload of its frame.
    pub(crate) payload: Vec<u8>,
}

impl Recorded {
    /// Whether it belongs to the handshake.
    pub(crate) fn is_handshake(&self) -> bool {
        self.name.starts_with("connect") && self.payload.starts_with(&[0; 4])
    }
}

/// All of them, in order of names.
///
/// # Panics
/// When the recordings are not there.
pub(crate) fn recordings() -> Vec<Recorded> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/proto/tests/golden");
    let files = fs::read_dir(folder).expect("the recordings");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a recording").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "hex"));
    files.sort();
    files.iter().flat_map(read).collect()
}

fn read(file: &PathBuf) -> Vec<Recorded> {
    let text = fs::read_to_string(file).expect("a recording");
    let stem = file.file_stem().expect("a name").to_string_lossy().into_owned();
    let messages = text.lines().filter(|line| line.starts_with(['<', '>'])).enumerate();
    let message = |(at, line): (usize, &str)| Recorded {
        name: format!("{stem}_{at}"),
        from_client: line.starts_with('>'),
        payload: from_hex(line[1..].trim()),
    };
    messages.map(message).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex digits");
    (0..text.len()).step_by(2).map(digits).collect()
}
