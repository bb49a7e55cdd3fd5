//! The `server.N` lines: who belongs to the ensemble.
//!
//! `server.<id>=<address>[|<address>…][;[<client host>:]<client port>]`, an address being
//! `host:peerPort:electionPort[:participant|observer]`. A reconfig describes servers alike.

use std::net::IpAddr;

use super::{
    error::ConfigError,
    raw::{RawConfig, Setting},
};

/// Whether a member votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Votes.
    Participant,
    /// Follows without a vote.
    Observer,
}

/// Where a member's peers reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    /// Name or address, without brackets.
    pub host: String,
    /// For replication.
    pub peer_port: u16,
    /// For elections.
    pub election_port: u16,
}

/// Where a member's clients reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAddress {
    /// Name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// One `server.N` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The N.
    pub id: i64,
    /// At least one.
    pub addresses: Vec<PeerAddress>,
    /// Whether it votes.
    pub role: Role,
    /// If the line names one.
    pub client: Option<ClientAddress>,
}

/// All members, by id.
///
/// # Errors
/// A line that cannot be read, or observers without participants.
pub(super) fn members(raw: &RawConfig) -> Result<Vec<Member>, ConfigError> {
    let mut members = Vec::new();
    for (id, setting) in raw.with_prefix("server.") {
        if id.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
            members.push(member(id, setting)?);
        }
    }
    members.sort_by_key(|member: &Member| member.id);
    let participants = members.iter().filter(|member| member.role == Role::Participant).count();
    if participants == 0 && !members.is_empty() {
        return Err(ConfigError::Conflict("observers cannot be without a participant".into()));
    }
    Ok(members)
}

fn member(id: &str, setting: &Setting) -> Result<Member, ConfigError> {
    let key = format!("server.{id}");
    let id = id.parse().map_err(|_| setting.refused(&key, "the server's id is not a number"))?;
    Member::parse(id, &setting.value).map_err(|wrong| setting.refused(&key, &wrong.to_string()))
}

/// Why a text does not describe a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WrongServer {
    /// It has another form.
    #[error("{0}")]
    Text(&'static str),
    /// It has the form, but for a number that cannot be a port.
    #[error("ports are from 0 to 65535")]
    Port,
    /// There is nothing where something is looked for without asking.
    #[error("expected more than separators")]
    Nothing,
}

const ADDRESS: WrongServer =
    WrongServer::Text("expected host:peerPort:electionPort[:participant|observer]");
const CLIENT: WrongServer = WrongServer::Text("expected ;[host:]clientPort");

impl Member {
    /// Reads what stands behind `server.N=`.
    ///
    /// # Errors
    /// [`WrongServer`], for what ZooKeeper finds first.
    pub(crate) fn parse(id: i64, text: &str) -> Result<Self, WrongServer> {
        let parts = split(text, ';');
        let (peers, client) = match parts[..] {
            [] => return Err(WrongServer::Nothing),
            [peers] => (peers, None),
            [peers, client] => (peers, Some(client_address(client)?)),
            [_, _, _, ..] => return Err(WrongServer::Text("more than one client address")),
        };
        let mut addresses = Vec::new();
        let mut roles = Vec::new();
        for peer in split(peers, '|') {
            let (address, role) = peer_address(peer)?;
            addresses.push(address);
            roles.push(role);
        }
        let role = *roles.first().ok_or(ADDRESS)?;
        if roles.iter().any(|other| *other != role) {
            return Err(WrongServer::Text("all addresses of a server must have the same role"));
        }
        Ok(Self { id, addresses, role, client })
    }
}

fn peer_address(text: &str) -> Result<(PeerAddress, Role), WrongServer> {
    let (host, peer, election, role) = match host_and_rest(text).ok_or(ADDRESS)?[..] {
        [host, peer, election] => (host, peer, election, "participant"),
        [host, peer, election, role] => (host, peer, election, role),
        _ => return Err(ADDRESS),
    };
    if !is_host(host) {
        return Err(ADDRESS);
    }
    let (peer_port, election_port) = (port(peer, ADDRESS)?, port(election, ADDRESS)?);
    if peer_port == election_port {
        return Err(WrongServer::Text("peer port and election port must differ"));
    }
    let role = role.trim_matches(|letter| letter <= ' ');
    let role = if role.eq_ignore_ascii_case("participant") {
        Role::Participant
    } else if role.eq_ignore_ascii_case("observer") {
        Role::Observer
    } else {
        return Err(ADDRESS);
    };
    Ok((PeerAddress { host: host.to_owned(), peer_port, election_port }, role))
}

fn client_address(text: &str) -> Result<ClientAddress, WrongServer> {
    let (host, number) = match host_and_rest(text).ok_or(CLIENT)?[..] {
        [] => return Err(WrongServer::Nothing),
        [number] => ("0.0.0.0", number),
        [host, number] => (host, number),
        [_, _, _, ..] => return Err(CLIENT),
    };
    if !is_host(host) {
        return Err(CLIENT);
    }
    Ok(ClientAddress { host: host.to_owned(), port: port(number, CLIENT)? })
}

fn port(text: &str, wrong: WrongServer) -> Result<u16, WrongServer> {
    let number: i32 = text.parse().map_err(|_| wrong)?;
    u16::try_from(number).map_err(|_| WrongServer::Port)
}

/// The host, which may be an IPv6 address in brackets, and what follows its colons; `None` for
/// brackets that do not close, or that nothing follows.
fn host_and_rest(text: &str) -> Option<Vec<&str>> {
    let Some(inner) = text.strip_prefix('[') else { return Some(split(text, ':')) };
    let (host, rest) = inner.split_once(']')?;
    let rest = rest.strip_prefix(':').filter(|rest| !rest.is_empty())?;
    Some([vec![host], split(rest, ':')].concat())
}

/// The parts of a text.
///
/// Compat(trailing-separators): as Java splits, empty parts at the end are none.
fn split(text: &str, separator: char) -> Vec<&str> {
    let trimmed = text.trim_end_matches(separator);
    let has_only_separators = trimmed.is_empty() && !text.is_empty();
    if has_only_separators { Vec::new() } else { trimmed.split(separator).collect() }
}

/// Whether a text can be an address or the name of a host.
///
/// Compat(host-names): ZooKeeper takes anything, and shows a configuration that neither it nor its
/// clients can read: another colon, or an end of line, and the line of one server becomes two.
fn is_host(text: &str) -> bool {
    let allowed = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
    text.parse::<IpAddr>().is_ok() || (!text.is_empty() && text.chars().all(allowed))
}
