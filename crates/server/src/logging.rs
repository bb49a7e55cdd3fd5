//! How the server's log is written: to standard error, as text or as JSON.
//!
//! Standard output belongs to the commands of the binary; the audit log has its own file.

use std::{fmt, str::FromStr};

use tracing_subscriber::{EnvFilter, filter::ParseError};

/// The shape of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// A log format is `text` or `json`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown log format {0:?}: expected text or json")]
pub struct UnknownLogFormat(String);

impl FromStr for LogFormat {
    type Err = UnknownLogFormat;

    fn from_str(text: &str) -> Result<Self, UnknownLogFormat> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(UnknownLogFormat(other.to_owned())),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Why logging cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter cannot be read.
    #[error("log filter: {0}")]
    Filter(#[from] ParseError),
    /// Somebody else in this process logs already.
    #[error("logging was started before")]
    Started,
}

/// The environment variable that holds the filter when no flag does.
pub const FILTER_VARIABLE: &str = "ROOKERY_LOG";

/// What is logged by default. openraft tells its inner life at info, and warns of a server
/// that is away at each of its attempts to reach it; `raft-log` says it once.
const DEFAULT_FILTER: &str = "info,openraft=error";

/// Starts logging for the whole process. The filter is a level (`info`) or a list such as
/// `info,server=debug`; the default is `info`, and errors only of openraft.
///
/// # Errors
/// [`LoggingError`] when the filter cannot be read, or when called twice.
pub fn start(filter: Option<&str>, format: LogFormat) -> Result<(), LoggingError> {
    let filter = EnvFilter::builder().parse(filter.unwrap_or(DEFAULT_FILTER))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let started = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    started.map_err(|_| LoggingError::Started)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_filters() {
        for format in [LogFormat::Text, LogFormat::Json] {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert!("xml".parse::<LogFormat>().is_err());
        assert!(matches!(
            start(Some("no=such=level"), LogFormat::Text),
            Err(LoggingError::Filter(_))
        ));
    }
}
