//! The commands about a server's place among others: `leader`, `voting_view`, `observers`,
//! `zabstate`.

use std::net::ToSocketAddrs;

use super::commands::{Failed, Fields, fields};
use crate::{
    admin::{
        json::Json,
        observed::{EnsembleView, ServerObserved},
    },
    config::{ClientAddress, Member, PeerAddress, Role},
};

/// Answers `leader`.
pub(super) fn leader(server: &dyn ServerObserved) -> Result<Fields, Failed> {
    let view = server.ensemble().ok_or(Failed("server is not initialized"))?;
    let leader = view.members.iter().find(|member| Some(member.id) == view.leader);
    let host = leader.and_then(|leader| leader.addresses.first());
    Ok(fields([
        ("is_leader", Json::Bool(view.leader == Some(view.me.id))),
        ("leader_id", Json::Integer(view.leader.unwrap_or(-1))),
        ("leader_ip", Json::Text(host.map_or_else(String::new, ip))),
    ]))
}

/// The numeric address of a host; empty when its name is not known.
fn ip(address: &PeerAddress) -> String {
    let resolved = (address.host.as_str(), address.peer_port).to_socket_addrs();
    let first = resolved.ok().and_then(|mut all| all.next());
    first.map_or_else(String::new, |address| address.ip().to_string())
}

/// Answers `voting_view`.
pub(super) fn voting_view(server: &dyn ServerObserved) -> Fields {
    let members = server.ensemble().map_or_else(Vec::new, |view| {
        let voters = view.members.iter().filter(|member| member.role == Role::Participant);
        voters.map(|member| (member.id.to_string(), voter(member, &view))).collect()
    });
    fields([("current_config", Json::Object(members))])
}

fn voter(member: &Member, view: &EnsembleView) -> Json {
    Json::object([
        ("server_addresses", addresses(member, |address| address.peer_port)),
        ("election_addresses", addresses(member, |address| address.election_port)),
        ("client_address", Json::Text(client_address(member, view))),
        ("learner_type", Json::text("participant")),
    ])
}

/// Compat(client-addresses): a server knows where its own clients connect, and of the others what
/// the configuration says.
fn client_address(member: &Member, view: &EnsembleView) -> String {
    match &member.client {
        Some(ClientAddress { host, port }) => joined(host, *port),
        None if member.id == view.me.id => {
            let address = view.client_address;
            let any = address.ip().is_unspecified();
            let host = if any { "0.0.0.0".to_owned() } else { address.ip().to_string() };
            joined(&host, address.port())
        }
        None => String::new(),
    }
}

fn joined(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn addresses(member: &Member, port: fn(&PeerAddress) -> u16) -> Json {
    let all = member.addresses.iter();
    Json::List(all.map(|address| Json::Text(joined(&address.host, port(address)))).collect())
}

/// Answers `observers`.
///
/// Compat(observer-connections): the leader does not count what it sends to each of them, so that
/// all but who they are is 0.
pub(super) fn observers(server: &dyn ServerObserved) -> Fields {
    let synced = server.overview().ensemble.and_then(|ensemble| ensemble.leading);
    let view = server.ensemble();
    let observers = view.iter().flat_map(|view| {
        view.observers.iter().filter_map(|id| view.members.iter().find(|member| member.id == *id))
    });
    let zero = || Json::Integer(0);
    let observer = |member: &Member| {
        let address = member.addresses.first();
        let address = address.map(|address| joined(&address.host, address.peer_port));
        Json::object([
            ("remote_socket_address", Json::Text(format!("/{}", address.unwrap_or_default()))),
            ("sid", Json::Integer(member.id)),
            ("established", zero()),
            ("queued_packets", zero()),
            ("queued_packets_size", zero()),
            ("packets_received", zero()),
            ("packets_sent", zero()),
            ("requests", zero()),
            ("last_zxid", Json::Integer(-1)),
        ])
    };
    let observers = observers.map(observer).collect();
    fields([
        ("synced_observers", Json::number(synced.map_or(0, |leading| leading.synced_observers))),
        ("observers", Json::List(observers)),
    ])
}

/// Answers `zabstate`, also on a server that does not serve.
pub(super) fn zabstate(server: &dyn ServerObserved) -> Fields {
    let overview = server.overview();
    let Some(view) = server.ensemble().filter(|_| overview.serving) else {
        return fields([("voting", Json::Bool(false)), ("zabstate", Json::text(""))]);
    };
    let (me, zxid) = (&view.me, overview.zxid);
    fields([
        ("myid", Json::Integer(me.id)),
        ("is_leader", Json::Bool(view.leader == Some(me.id))),
        ("quorum_address", reached_at(me, |address| address.peer_port)),
        ("election_address", reached_at(me, |address| address.election_port)),
        ("client_address", Json::Text(client_address(me, &view))),
        ("voting", Json::Bool(me.role == Role::Participant)),
        ("last_zxid", Json::Text(zxid.to_string())),
        ("zab_epoch", Json::Integer(zxid.0 >> 32)),
        ("zab_counter", Json::Integer(zxid.0 & 0xffff_ffff)),
        ("zabstate", Json::text("broadcast")),
    ])
}

/// The addresses of this server, in the nine ways in which ZooKeeper shows them: none is left out,
/// since a server reaches itself.
fn reached_at(me: &Member, port: fn(&PeerAddress) -> u16) -> Json {
    let first = || {
        let first = me.addresses.first();
        Json::Text(first.map_or_else(String::new, |one| joined(&one.host, port(one))))
    };
    let of_all =
        |of: &dyn Fn(&PeerAddress) -> Json| Json::List(me.addresses.iter().map(of).collect());
    let all = || addresses(me, port);
    Json::object([
        ("empty", Json::Bool(me.addresses.is_empty())),
        ("all_addresses", all()),
        ("wildcard_addresses", of_all(&|one| Json::Text(joined("0.0.0.0", port(one))))),
        ("all_ports", of_all(&|one| Json::Integer(port(one).into()))),
        ("all_host_strings", of_all(&|one| Json::Text(one.host.clone()))),
        ("reachable_address", first()),
        ("all_reachable_addresses", all()),
        ("all_reachable_addresses_or_all", all()),
        ("reachable_or_one", first()),
        ("one", first()),
    ])
}
