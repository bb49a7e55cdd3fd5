//! What a server must know to be one of several: which of the members it is.

use std::path::Path;

use super::{
    error::ConfigError,
    members::{Member, Role},
    raw::{RawConfig, decode_long},
    read_my_id,
};

/// A server among others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnsembleConfig {
    /// Which member this is.
    pub me: Member,
    /// Whether peers may connect on every address of the machine, not only the configured.
    pub listen_on_all: bool,
    /// `electionPortBindRetry`: how often the port for peers is tried at the start, a second
    /// apart; 0: until it can be had.
    pub listen_attempts: u32,
    /// `readonlymode.enabled`: a server that has lost the others serves those who only read.
    pub read_only_mode: bool,
    /// Which sessions are everybody's.
    pub local_sessions: LocalSessionsMode,
    /// `initLimit` and `syncLimit`, in ticks: of no effect, but `conf` shows them.
    pub limits: (i64, i64),
    /// `standaloneEnabled`: one participant would not be an ensemble, so that there must
    /// always be two.
    pub standalone_enabled: bool,
}

/// `localSessionsEnabled` and `localSessionsUpgradingEnabled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalSessionsMode {
    /// Every session is global.
    Off,
    /// New sessions are local, and stay so: they can own no ephemerals.
    On,
    /// New sessions are local until they first create an ephemeral.
    Upgrading,
}

/// How often a port may be tried.
const ATTEMPTS: std::ops::RangeInclusive<i64> = 0..=i32::MAX as i64;

/// Ids that ZooKeeper documents; the id is the highest byte of session ids.
const IDS: std::ops::RangeInclusive<i64> = 1..=255;

/// The member that this server is. With one line there is no doubt, unless `myid` says
/// that it is another one; with several, `myid` must say.
///
/// # Errors
/// When `myid` is missing or names none of the members.
pub(super) fn own_member(
    raw: &RawConfig,
    members: &[Member],
    data_dir: &Path,
) -> Result<Option<Member>, ConfigError> {
    let Some(first) = members.first() else { return Ok(None) };
    let id = match read_my_id(data_dir)? {
        Some(id) => id,
        None if members.len() == 1 => first.id,
        None => {
            let file = data_dir.join("myid");
            let why = format!("{} is missing: which of the servers is this?", file.display());
            return Err(ConfigError::Conflict(why));
        }
    };
    if let Some(me) = members.iter().find(|member| member.id == id) {
        return Ok(Some(me.clone()));
    }
    if members.len() == 1 {
        let why = format!("the only member, but myid is {id}");
        return Err(refused_line(raw, first.id, &why));
    }
    Err(ConfigError::Conflict(format!("myid is {id}, but there is no server.{id}")))
}

/// The ensemble, when there is one.
///
/// # Errors
/// When the members cannot form one.
pub(super) fn config(
    raw: &mut RawConfig,
    members: &[Member],
    me: Option<Member>,
) -> Result<Option<EnsembleConfig>, ConfigError> {
    let Some(me) = me else { return Ok(None) };
    let participants = members.iter().filter(|member| member.role == Role::Participant).count();
    let alone_allowed = raw.flag("standaloneEnabled", true);
    if participants == 1 && alone_allowed {
        if members.len() > 1 {
            let why = "observers need more than one participant, or standaloneEnabled=false";
            return Err(ConfigError::Conflict(why.to_owned()));
        }
        return Ok(None);
    }
    if let Some(member) = members.iter().find(|member| !IDS.contains(&member.id)) {
        return Err(refused_line(raw, member.id, "ids of servers are from 1 to 255"));
    }
    refuse_large_frames(raw)?;
    let ticks = |key| raw.text(key).and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    let limits = (ticks("initLimit"), ticks("syncLimit"));
    Ok(Some(EnsembleConfig {
        me,
        listen_on_all: raw.flag("quorumListenOnAllIPs", false),
        listen_attempts: raw.number(
            "electionPortBindRetry",
            3,
            ATTEMPTS,
            "a number of attempts",
        )?,
        read_only_mode: raw.flag("readonlymode.enabled", false),
        local_sessions: local_sessions(raw),
        limits,
        standalone_enabled: alone_allowed,
    }))
}

fn local_sessions(raw: &RawConfig) -> LocalSessionsMode {
    let enabled = raw.flag("localSessionsEnabled", false);
    let upgrading = raw.flag("localSessionsUpgradingEnabled", false);
    match (enabled, upgrading) {
        (false, _) => LocalSessionsMode::Off,
        (true, false) => LocalSessionsMode::On,
        (true, true) => LocalSessionsMode::Upgrading,
    }
}

/// Compat(peer-type): the line of the server says whether it votes; `peerType` only earns a warning
/// where it says otherwise.
pub(super) fn warn_of_peer_type(raw: &mut RawConfig, me: &Member) {
    const KEY: &str = "peerType";
    let Some(set) = raw.get(KEY) else { return };
    let observer = set.value.trim().eq_ignore_ascii_case("observer");
    if observer != (me.role == Role::Observer) {
        let warning = format!(
            "{}: {KEY}={}: the line server.{} says otherwise, and counts",
            set.place, set.value, me.id
        );
        raw.warnings.push(warning);
    }
}

/// The largest request that servers of an ensemble pass on, in bytes: half of what a message
/// between them may hold.
const REQUEST_BYTES_MAX: i64 = 32 << 20;

/// What could not be passed on would be tried for ever.
fn refuse_large_frames(raw: &RawConfig) -> Result<(), ConfigError> {
    const KEY: &str = "jute.maxbuffer";
    match raw.get(KEY) {
        Some(limit) if decode_long(&limit.value).is_some_and(|most| most > REQUEST_BYTES_MAX) => {
            Err(limit.refused(KEY, "servers of an ensemble pass on 32 MiB at most"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Refuses a `server.N` line, by its place if it is known.
pub(super) fn refused_line(raw: &RawConfig, id: i64, why: &str) -> ConfigError {
    let key = format!("server.{id}");
    raw.get(&key)
        .map_or_else(|| ConfigError::Conflict(why.to_owned()), |line| line.refused(&key, why))
}
