//! The members: from `zoo.cfg` to the log, and from the log to `/zookeeper/config`.

use std::{fmt::Write, sync::Arc};

use raft_log::{Members, ServerSpec, transport::Tcp};

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
        may_found,
        transport: Arc::new(Tcp),
    }
}

fn server_spec(member: &Member) -> ServerSpec {
    let addresses = member.addresses.iter();
    ServerSpec {
        server_id: member.id,
        addresses: addresses.map(|address| joined(&address.host, address.peer_port)).collect(),
        votes: member.role == Role::Participant,
        spec: spec(member),
    }
}

/// A member as the configuration shows it:
/// `host:peerPort:electionPort:role[;clientHost:clientPort]`.
pub(crate) fn spec(member: &Member) -> String {
    let role = match member.role {
        Role::Participant => "participant",
        Role::Observer => "observer",
    };
    let address = |PeerAddress { host, peer_port, election_port }: &PeerAddress| {
        format!("{}:{election_port}:{role}", joined(host, *peer_port))
    };
    let addresses: Vec<String> = member.addresses.iter().map(address).collect();
    let mut text = addresses.join("|");
    if let Some(client) = &member.client {
        text.push(';');
        text += &joined(&client.host, client.port);
    }
    text
}

/// Compat: an IPv6 address is written in brackets.
fn joined(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// The text of `/zookeeper/config`: a line for each member, then the version.
pub(crate) fn config_text(members: &Members) -> String {
    let mut text = String::new();
    for member in members.members.iter().filter(|member| member.shown) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "server.{}={}", member.server.server_id, member.server.spec);
    }
    let _ = write!(text, "version={:x}", members.version());
    text
}
