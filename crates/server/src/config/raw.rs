//! Settings by key, before they mean anything: where each was made, and which one counts.
//!
//! Three sources, each stronger than the one before: JVM flags in the environment (as
//! existing deployments have them), the file, the command line. Aliases and the
//! `zookeeper.` prefix are resolved here, so that every setting has one name.

use std::{
    collections::BTreeMap,
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use super::{
    error::{ConfigError, Place},
    keys::{self, Form, Standing},
    properties,
};

/// What ZooKeeper's configuration has a field for, and so does not make a property of.
const OWN: &[&str] = &[
    "autopurge.*",
    "clientPort",
    "clientPortAddress",
    "clientPortListenBacklog",
    "connectToLearnerMasterLimit",
    "dataDir",
    "dataLogDir",
    "dynamicConfigFile",
    "electionAlg",
    "group.*",
    "initLimit",
    "jvm.pause.*",
    "localSessionsEnabled",
    "localSessionsUpgradingEnabled",
    "maxClientCnxns",
    "maxSessionTimeout",
    "metricsProvider.*",
    "minSessionTimeout",
    "multiAddress.*",
    "observerMasterPort",
    "oraclePath",
    "peerType",
    "portUnification",
    "quorum.*",
    "quorumListenOnAllIPs",
    "reconfigEnabled",
    "secureClientPort",
    "secureClientPortAddress",
    "server.*",
    "sslQuorum",
    "sslQuorumReloadCertFiles",
    "standaloneEnabled",
    "syncEnabled",
    "syncLimit",
    "tickTime",
    "weight.*",
];

/// One setting that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// As its user wrote it.
    pub value: String,
    /// Where.
    pub place: Place,
}

/// Everything that was set, by its one name.
#[derive(Clone, Debug, Default)]
pub struct RawConfig {
    settings: BTreeMap<String, Setting>,
    /// The text of the file, for the `initial_configuration` command; empty without one.
    pub text: String,
    /// What its user should know: settings that have no effect.
    pub warnings: Vec<String>,
}

impl RawConfig {
    /// Adds settings of one source; they replace earlier ones of the same name.
    pub fn add(&mut self, pairs: impl IntoIterator<Item = (String, String)>, place: &Place) {
        for (key, value) in pairs {
            self.set(&key, Setting { value, place: place.clone() });
        }
    }

    /// Adds the settings of a file.
    ///
    /// # Errors
    /// When it cannot be read, or is not a properties file.
    pub fn add_file(&mut self, file: &Path) -> Result<(), ConfigError> {
        let bytes =
            fs::read(file).map_err(|error| ConfigError::Read { file: file.to_owned(), error })?;
        self.add_text(&bytes, file)?;
        self.text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(())
    }

    /// Adds the settings of a file's content.
    ///
    /// # Errors
    /// When it is not a properties file.
    pub fn add_text(&mut self, bytes: &[u8], file: &Path) -> Result<(), ConfigError> {
        let all = properties::parse(bytes)
            .map_err(|error| ConfigError::Syntax { file: file.to_owned(), error })?;
        for property in all {
            let place = Place::Line { file: file.to_owned(), line: property.line };
            let value = property.trimmed_value().to_owned();
            self.set(&property.key, Setting { value, place });
        }
        Ok(())
    }

    /// Takes over the settings of another one; its text is left behind.
    pub fn absorb(&mut self, other: Self) {
        self.settings.extend(other.settings);
    }

    fn set(&mut self, key: &str, setting: Setting) {
        let name = key.strip_prefix("zookeeper.").unwrap_or(key);
        let name = match keys::find(name) {
            Some(keys::Key { standing: Standing::Alias(of), .. }) => of,
            Some(_) | None => name,
        };
        self.settings.insert(name.to_owned(), setting);
    }

    /// The setting of a key, if it was made.
    pub fn get(&self, key: &str) -> Option<&Setting> {
        debug_assert!(keys::find(key).is_some(), "{key} is not in the table");
        self.settings.get(key)
    }

    /// The settings whose keys begin with `prefix`, with the rest of the key.
    pub fn with_prefix<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Setting)> {
        let from = self.settings.range(prefix.to_owned()..);
        from.map_while(move |(key, setting)| Some((key.strip_prefix(prefix)?, setting)))
    }

    /// The settings that ZooKeeper does not look at itself, but hands on as properties of
    /// its JVM. What holds a password is left out.
    pub fn properties(&self) -> Vec<(String, String)> {
        let secret = |key: &str| {
            let key = key.to_ascii_lowercase();
            key.contains("password") || key.contains("digest") || key.contains("secret")
        };
        let is_own = |key: &str| {
            OWN.iter().any(|own| match own.strip_suffix('*') {
                Some(prefix) => key.starts_with(prefix),
                None => key == *own,
            })
        };
        let all = self.settings.iter().filter(|(key, _)| !is_own(key) && !secret(key));
        all.map(|(key, setting)| (key.clone(), setting.value.clone())).collect()
    }

    /// Holds every setting against the table of keys.
    ///
    /// Each setting without an effect becomes a warning.
    ///
    /// # Errors
    /// A value that ZooKeeper would not start with, either, or a refused key.
    pub fn check(&mut self) -> Result<(), ConfigError> {
        for (name, setting) in &self.settings {
            let Some(key) = keys::find(name) else {
                self.warnings.push(format!("{}: {name}: unknown key, ignored", setting.place));
                continue;
            };
            check_form(name, setting, key.form)?;
            match key.standing {
                Standing::Honoured | Standing::Meaningless | Standing::Alias(_) => {}
                Standing::Ignored => {
                    let warning = format!("{}: {name}: ignored: {}", setting.place, key.note);
                    self.warnings.push(warning);
                }
                Standing::Refused { except, why } => {
                    if !except.iter().any(|value| setting.value.eq_ignore_ascii_case(value)) {
                        return Err(setting.refused(name, why));
                    }
                }
            }
        }
        Ok(())
    }
}

impl Setting {
    /// An error that says why this setting is not one to start with.
    pub fn refused(&self, key: &str, why: &str) -> ConfigError {
        ConfigError::Refused { place: self.place.clone(), key: key.into(), why: why.into() }
    }

    /// An error that says what this setting should have been.
    pub fn wrong(&self, key: &str, expected: &'static str) -> ConfigError {
        let (place, value) = (self.place.clone(), self.value.clone());
        ConfigError::Value { place, key: key.into(), value, expected }
    }
}

fn check_form(key: &str, setting: &Setting, form: Form) -> Result<(), ConfigError> {
    let value = setting.value.as_str();
    match form {
        Form::Text => Ok(()),
        Form::Bool if parse_bool(value).is_some() => Ok(()),
        Form::Bool => Err(setting.wrong(key, "true or false")),
        Form::Int if value.parse::<i32>().is_ok() => Ok(()),
        Form::Int => Err(setting.wrong(key, "a whole number of 32 bits")),
        Form::Long if value.parse::<i64>().is_ok() => Ok(()),
        Form::Long => Err(setting.wrong(key, "a whole number of 64 bits")),
    }
}

fn parse_bool(value: &str) -> Option<bool> {
    if value.eq_ignore_ascii_case("true") {
        Some(true)
    } else if value.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Reading values. What the table gives a strict form was checked before.
impl RawConfig {
    /// A boolean as Java reads it: whatever is not `true` is false.
    pub fn flag(&self, key: &str, default: bool) -> bool {
        self.get(key).map_or(default, |setting| setting.value.eq_ignore_ascii_case("true"))
    }

    /// A text that is not empty.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).map(|setting| setting.value.as_str()).filter(|value| !value.is_empty())
    }

    /// A directory or file.
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    /// A number that lies within bounds.
    ///
    /// Compat(number-fallback): where ZooKeeper falls back to the default for what is not a number
    /// (it does for all that it takes as a JVM property), so does this; but it warns.
    ///
    /// # Errors
    /// When it is out of bounds, or ZooKeeper does not start without a number, either.
    pub fn number<N: TryFrom<i64>>(
        &mut self,
        key: &'static str,
        default: N,
        bounds: RangeInclusive<i64>,
        expected: &'static str,
    ) -> Result<N, ConfigError> {
        let Some(setting) = self.get(key) else { return Ok(default) };
        let number = decode_long(&setting.value).filter(|number| bounds.contains(number));
        if let Some(number) = number.and_then(|number| N::try_from(number).ok()) {
            return Ok(number);
        }
        let error = setting.wrong(key, expected);
        if keys::find(key).is_some_and(|key| key.form != Form::Text) {
            return Err(error);
        }
        self.warnings.push(format!("{error}; the default holds"));
        Ok(default)
    }
}

/// A number as `Long.decode` of Java takes it: decimal, or hexadecimal `0x…` or `#…`. A
/// leading 0 does not make it octal: nobody means that.
pub(super) fn decode_long(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let hex = ["0x", "0X", "#"].iter().find_map(|prefix| digits.strip_prefix(prefix));
    let number = match hex {
        Some(hex) => i64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    number.ok().map(|number| sign * number)
}
