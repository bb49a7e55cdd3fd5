//! The members: from `zoo.cfg` to the log, and from the log to `/zookeeper/config`.

use std::{fmt::Write, net::IpAddr, sync::Arc};

use raft_log::{Members, ServerSpec, transport::Tcp};
use session::auth::address_text;

use crate::config::{EnsembleConfig, Member, PeerAddress, Role};

/// What the log has to know of the ensemble.
pub(crate) fn raft_config(
    config: &EnsembleConfig,
    members: &[Member],
    may_found: bool,
) -> raft_log::EnsembleConfig {
    let own = config.me.addresses.first();
    let listen = match own {
        Some(own) if !config.listen_on_all => joined(&own.host, own.peer_port),
        Some(own) => joined("::", own.peer_port),
        None => joined("::", 0),
    };
    raft_log::EnsembleConfig {
        servers: members.iter().map(server_spec).collect(),
        listen,
        listen_attempts: config.listen_attempts,
        may_found,
        transport: Arc::new(Tcp),
    }
}

pub(crate) fn server_spec(member: &Member) -> ServerSpec {
    let addresses = member.addresses.iter();
    ServerSpec {
        server_id: member.id,
        addresses: addresses.map(|address| joined(&address.host, address.peer_port)).collect(),
        votes: member.role == Role::Participant,
        spec: spec(member),
    }
}

/// A member as the configuration shows it:
/// `host:peerPort:electionPort[|…]:role[;clientHost:clientPort]`.
pub(crate) fn spec(member: &Member) -> String {
    let role = match member.role {
        Role::Participant => "participant",
        Role::Observer => "observer",
    };
    let address = |PeerAddress { host, peer_port, election_port }: &PeerAddress| {
        format!("{}:{election_port}", joined(host, *peer_port))
    };
    // As they are shown: in another order the same servers would not be the same.
    let mut addresses: Vec<&PeerAddress> = member.addresses.iter().collect();
    addresses.sort_by_key(|address| shown_host(&address.host));
    let addresses: Vec<String> = addresses.into_iter().map(address).collect();
    let mut text = format!("{}:{role}", addresses.join("|"));
    if let Some(client) = &member.client {
        text.push(';');
        text += &joined(&client.host, client.port);
    }
    text
}

/// An IPv6 address is written in brackets.
fn joined(host: &str, port: u16) -> String {
    let host = shown_host(host);
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// An IPv6 address is written in full, as Java does; what is an IPv4 address in disguise is
/// shown as that.
fn shown_host(host: &str) -> String {
    host.parse::<IpAddr>().map_or_else(|_| host.to_owned(), address_text)
}

/// What `/zookeeper/config` shows before its version: a line for each server, in order of
/// their numbers.
pub(crate) fn config_text(members: &Members) -> String {
    let mut text = String::new();
    for server in shown(members) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "server.{}={}", server.server_id, server.spec);
    }
    text
}

/// The servers of the configuration, each once: the successor of one whose disk was lost has
/// its number, and shows when its predecessor has gone.
pub(crate) fn shown(members: &Members) -> Vec<&ServerSpec> {
    let shown = members.members.iter().filter(|member| member.shown);
    let mut servers: Vec<&ServerSpec> = shown.map(|member| &member.server).collect();
    servers.dedup_by_key(|server| server.server_id);
    servers
}
