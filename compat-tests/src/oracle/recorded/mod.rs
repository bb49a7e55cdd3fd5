//! What real clients sent, to be sent again: byte for byte, to two servers.
//!
//! [`Tap`] stands between a client and a server and notes the frames of the client. A
//! [`Recording`] is a text, a line a frame, so that it can be kept and read; what the server
//! said is not kept, for it is asked again. [`replay`](replay::replay) sends it, with session
//! ids and zxids put in place of those of then, and masks in the replies what
//! `docs/compatibility.md` says may differ.
//!
//! Pings are left out: when a client sends them is a matter of its clock. So are the pauses:
//! sessions that were silent until they expired go on.

mod mask;
pub mod replay;
mod tap;

use std::fmt;

pub use tap::Tap;

/// What clients did, in the order in which it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// One each for a frame, and for the end of a connection.
    pub lines: Vec<Line>,
}

/// One thing that a client did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Number of the connection, from 1.
    pub connection: usize,
    /// What it did.
    pub did: Did,
}

/// What a client did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Did {
    /// Opened the connection: the first frame, and whose session it asked for, if it was one
    /// that a recorded connection was granted, with the right password.
    Connect {
        /// The connection that was granted the session first.
        session_of: Option<usize>,
        /// The frame without its length.
        frame: Vec<u8>,
    },
    /// Sent a frame.
    Send {
        /// It did not wait for anything since the frame before.
        at_once: bool,
        /// The frame without its length.
        frame: Vec<u8>,
    },
    /// Closed the connection.
    Close,
}

/// A recording that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {0} of the recording cannot be read")]
pub struct BadLine(usize);

impl Recording {
    /// Reads what its `Display` wrote.
    ///
    /// # Errors
    /// When a line is none.
    pub fn parse(text: &str) -> Result<Self, BadLine> {
        let lines = text.lines().enumerate();
        let lines = lines.map(|(index, line)| parse_line(line).ok_or(BadLine(index + 1)));
        Ok(Self { lines: lines.collect::<Result<_, _>>()? })
    }
}

fn parse_line(line: &str) -> Option<Line> {
    let mut words = line.split(' ');
    let connection = words.next()?.parse().ok()?;
    let did = match words.next()? {
        "connect" => {
            let session_of = match words.next()? {
                "new" => None,
                number => Some(number.parse().ok()?),
            };
            Did::Connect { session_of, frame: from_hex(words.next()?)? }
        }
        ">" => Did::Send { at_once: false, frame: from_hex(words.next()?)? },
        "+" => Did::Send { at_once: true, frame: from_hex(words.next()?)? },
        "close" => Did::Close,
        _ => return None,
    };
    Some(Line { connection, did })
}

/// Two digits a byte; `61*500.` is the same byte so often.
fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = digits;
    while !rest.is_empty() {
        let byte = u8::from_str_radix(rest.get(..2)?, 16).ok()?;
        rest = &rest[2..];
        let mut count = 1;
        if let Some(repeated) = rest.strip_prefix('*') {
            let (number, behind) = repeated.split_once('.')?;
            count = number.parse().ok().filter(|&count: &usize| count <= tap::FRAME_BYTES_MAX)?;
            rest = behind;
        }
        bytes.resize(bytes.len() + count, byte);
    }
    Some(bytes)
}

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.connection)?;
        match &self.did {
            Did::Connect { session_of: None, frame } => write!(f, "connect new {}", Hex(frame)),
            Did::Connect { session_of: Some(other), frame } => {
                write!(f, "connect {other} {}", Hex(frame))
            }
            Did::Send { at_once: false, frame } => write!(f, "> {}", Hex(frame)),
            Did::Send { at_once: true, frame } => write!(f, "+ {}", Hex(frame)),
            Did::Close => f.write_str("close"),
        }
    }
}

/// Bytes as hexadecimal digits, long runs of one byte as their length.
struct Hex<'a>(&'a [u8]);

/// Shorter runs are shorter as they are.
const RUN_MIN: usize = 6;

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for run in self.0.chunk_by(|a, b| a == b) {
            if run.len() >= RUN_MIN {
                write!(f, "{:02x}*{}.", run[0], run.len())?;
            } else {
                run.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_read_as_it_was_written() {
        let text = "1 connect new 00ff\n2 connect 1 0102\n1 > 0a61*500.0b\n1 + 0b\n2 close\n";
        assert_eq!(Recording::parse(text).unwrap().to_string(), text);
        assert_eq!(Recording::parse("1 close\n1 > 0\n"), Err(BadLine(2)));
    }
}
