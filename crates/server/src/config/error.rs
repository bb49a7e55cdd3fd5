//! Why a server does not start with what it was configured with.

use std::{fmt, io, path::PathBuf};

use super::properties::BadEscape;

/// Where a setting was made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a file, on a line counted from 1.
    Line {
        /// The file.
        file: PathBuf,
        /// The line its property began on.
        line: usize,
    },
    /// On the command line of `rookery`.
    CommandLine,
    /// In `JVMFLAGS` or `SERVER_JVMFLAGS`, as `-Dkey=value`.
    JvmFlags,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line } => write!(f, "{}:{line}", file.display()),
            Self::CommandLine => f.write_str("command line"),
            Self::JvmFlags => f.write_str("JVM flags in the environment"),
        }
    }
}

/// The configuration is not one to start with. The process ends with
/// [`ConfigError::EXIT_CODE`], as ZooKeeper does.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{}: cannot be read: {error}", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file is not a properties file.
    #[error("{}: {error}", file.display())]
    Syntax {
        /// Which.
        file: PathBuf,
        /// What is wrong with it.
        error: BadEscape,
    },
    /// A value is not what the key takes.
    #[error("{place}: {key}: expected {expected}, found {value:?}")]
    Value {
        /// Where it was set.
        place: Place,
        /// The key.
        key: String,
        /// What was found.
        value: String,
        /// What the key takes.
        expected: &'static str,
    },
    /// A setting that the server will not start with.
    #[error("{place}: {key}: {why}")]
    Refused {
        /// Where it was set.
        place: Place,
        /// The key.
        key: String,
        /// Why not.
        why: String,
    },
    /// A setting that must be made is not.
    #[error("{key} is not set{}", hint(why))]
    Missing {
        /// The key.
        key: &'static str,
        /// Why it must be; may be empty.
        why: &'static str,
    },
    /// Two settings contradict each other.
    #[error("{0}")]
    Conflict(String),
}

fn hint(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

impl ConfigError {
    /// What the process exits with: ZooKeeper's code for an invalid configuration.
    pub const EXIT_CODE: u8 = 2;
}
