//! The `server.N` lines: who belongs to the ensemble.
//!
//! `server.<id>=<address>[|<address>…][;[<client host>:]<client port>]`, an address being
//! `host:peerPort:electionPort[:participant|observer]`. They are read in full now, so that
//! a file that a later release will take is not wrong today.

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
    let refused = |why: &str| setting.refused(&key, why);
    let id = id.parse().map_err(|_| refused("the server's id is not a number"))?;
    parse_member(id, &setting.value).map_err(refused)
}

/// Reads what follows `server.<id>=`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_member(id: i64, text: &str) -> Result<Member, &'static str> {
    let mut parts = text.split(';');
    let peers = parts.next().unwrap_or_default();
    let client = match parts.next().map(str::trim) {
        Some(client) => Some(client_address(client).ok_or("expected ;[host:]clientPort")?),
        None => None,
    };
    if parts.next().is_some() {
        return Err("more than one client address");
    }
    let mut addresses = Vec::new();
    let mut roles = Vec::new();
    for peer in peers.split('|') {
        let (address, role) = peer_address(peer.trim())
            .ok_or("expected host:peerPort:electionPort[:participant|observer]")?;
        if address.peer_port == address.election_port {
            return Err("peer port and election port must differ");
        }
        addresses.push(address);
        roles.push(role);
    }
    if roles.iter().any(|role| *role != roles[0]) {
        return Err("all addresses of a server must have the same role");
    }
    Ok(Member { id, addresses, role: roles[0], client })
}

fn peer_address(text: &str) -> Option<(PeerAddress, Role)> {
    let (host, rest) = split_host(text)?;
    let mut fields = rest.split(':');
    let peer_port = fields.next()?.parse().ok()?;
    let election_port = fields.next()?.parse().ok()?;
    let role = match fields.next() {
        None => Role::Participant,
        Some(role) if role.eq_ignore_ascii_case("participant") => Role::Participant,
        Some(role) if role.eq_ignore_ascii_case("observer") => Role::Observer,
        Some(_) => return None,
    };
    let host = host.to_owned();
    fields.next().is_none().then_some((PeerAddress { host, peer_port, election_port }, role))
}

fn client_address(text: &str) -> Option<ClientAddress> {
    if let Ok(port) = text.parse() {
        return Some(ClientAddress { host: "0.0.0.0".into(), port });
    }
    let (host, port) = split_host(text)?;
    Some(ClientAddress { host: host.to_owned(), port: port.parse().ok()? })
}

/// The host, which may be an IPv6 address in brackets, and what follows its colon.
fn split_host(text: &str) -> Option<(&str, &str)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(inner) => {
            let (host, rest) = inner.split_once(']')?;
            (host, rest.strip_prefix(':')?)
        }
        None => text.split_once(':')?,
    };
    (!host.is_empty()).then_some((host, rest))
}
