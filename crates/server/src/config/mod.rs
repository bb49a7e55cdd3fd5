//! What a server is configured with: `zoo.cfg`, read as ZooKeeper reads it.
//!
//! Three steps: a properties file ([`properties`]) becomes settings by key ([`raw`]), held
//! against the table of all keys ([`keys`]), and those become a [`Config`] ([`typed`]).
//! Below [`Config`] nobody looks at a key or parses a text. Nothing here opens a socket or
//! looks at the environment; both are handed in.

mod access;
mod addresses;
mod document;
mod ensemble;
mod error;
pub mod keys;
mod members;
pub mod properties;
pub mod raw;
#[cfg(test)]
mod tests;
mod typed;

use std::path::{Path, PathBuf};

pub use document::document;
pub use ensemble::{EnsembleConfig, LocalSessionsMode};
pub use error::{ConfigError, Place};
pub(crate) use members::WrongServer;
pub use members::{ClientAddress, Member, PeerAddress, Role};
pub use typed::{AdminServer, Checkpoints, Config, Containers, Whitelist};

use raw::RawConfig;

/// What the command line and the environment say, which the file does not.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `JVMFLAGS` and `SERVER_JVMFLAGS` of the environment, as they are. The `-Dkey=value`
    /// in them count, but less than the file, as in ZooKeeper.
    pub jvm_flags: Vec<String>,
    /// Keys and values of the command line, stronger than the file.
    pub settings: Vec<(String, String)>,
}

impl Overrides {
    /// Adds a setting of the command line.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "so that ports and paths are given as is")]
    pub fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.settings.push((key.to_owned(), value.to_string()));
        self
    }
}

/// A configuration to start with, and what its user should be told about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What holds.
    pub config: Config,
    /// One line for each setting that has no effect, or not the one intended. For the log.
    pub warnings: Vec<String>,
}

/// What `rookery serve` runs with when there is no file, beyond ZooKeeper's defaults: a
/// server to try things with. What only a file turns on stays off: the admin server would
/// take port 8080, which is rarely free on a developer's machine.
const WITHOUT_FILE: [(&str, &str); 4] = [
    ("clientPort", "2181"),
    ("dataDir", "rookery-data"),
    ("tickTime", "2000"),
    ("admin.enableServer", "false"),
];

/// Reads the configuration: the file, if there is one, and what overrides it.
///
/// # Errors
/// [`ConfigError`] for whatever ZooKeeper would not start with, either, and for settings
/// that would do something else here than they ask for.
pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Loaded, ConfigError> {
    let mut raw = RawConfig::default();
    for flags in &overrides.jvm_flags {
        raw.add(jvm_properties(flags), &Place::JvmFlags);
    }
    match file {
        Some(file) => {
            raw.add_file(file)?;
            add_dynamic_file(&mut raw)?;
        }
        None => {
            let pairs = WITHOUT_FILE.map(|(key, value)| (key.to_owned(), value.to_owned()));
            raw.add(pairs, &Place::CommandLine);
        }
    }
    raw.add(overrides.settings.iter().cloned(), &Place::CommandLine);
    from_settings(raw)
}

/// What settings come to, wherever they were made.
///
/// # Errors
/// As [`load`].
pub(crate) fn from_settings(mut raw: RawConfig) -> Result<Loaded, ConfigError> {
    raw.check()?;
    let config = typed::config(&mut raw)?;
    Ok(Loaded { config, warnings: raw.warnings })
}

/// The `-Dkey=value` of a JVM's command line.
fn jvm_properties(flags: &str) -> Vec<(String, String)> {
    let words = flags.split_whitespace();
    let properties = words.filter_map(|word| word.strip_prefix("-D"));
    properties
        .map(|property| property.split_once('=').unwrap_or((property, "")))
        // What else is set there is the JVM's own, and no mistake.
        .filter(|(key, _)| keys::find(key.strip_prefix("zookeeper.").unwrap_or(key)).is_some())
        .map(|(key, value)| (key.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
        .collect()
}

/// Reads the members from where `dynamicConfigFile` says they are.
fn add_dynamic_file(raw: &mut RawConfig) -> Result<(), ConfigError> {
    let Some(file) = raw.path("dynamicConfigFile") else { return Ok(()) };
    for prefix in ["server.", "group.", "weight."] {
        if let Some((rest, setting)) = raw.with_prefix(prefix).next() {
            let why = "members are in the file that dynamicConfigFile names, not here as well";
            return Err(setting.refused(&format!("{prefix}{rest}"), why));
        }
    }
    let mut dynamic = RawConfig::default();
    dynamic.add_file(&file)?;
    raw.absorb(dynamic);
    Ok(())
}

/// The `myid` of a data directory: the server's number, when there is one.
///
/// # Errors
/// When the file is there but does not begin with a number.
fn read_my_id(data_dir: &Path) -> Result<Option<i64>, ConfigError> {
    let file: PathBuf = data_dir.join("myid");
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ConfigError::Read { file, error }),
    };
    let first = text.lines().next().unwrap_or_default().trim();
    first.parse().map(Some).map_err(|_| {
        ConfigError::Conflict(format!("{}: expected a number, found {first:?}", file.display()))
    })
}
