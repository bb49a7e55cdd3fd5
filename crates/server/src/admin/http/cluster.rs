//! What `rookery cluster` asks for: the ensemble as this server sees it, and that the lead be
//! handed over. ZooKeeper has neither.
//!
//! To look is open to all, as everything that ZooKeeper's admin server tells. To hand the lead
//! over one must be allowed to: see [`may_operate`].

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use raft_log::{MemberReport, Report};

use super::limited::Peer;
use crate::admin::{
    json::Json,
    observed::{Access, Credentials, ServerOperated},
};

/// Answers `cluster`, also on a server that does not serve.
pub(super) async fn cluster(State(server): State<Arc<dyn ServerOperated>>) -> Response {
    const NAME: &str = "cluster";
    let looked = tokio::task::spawn_blocking(move || {
        let serving = server.overview().serving;
        server.report().map(|report| described(&report, serving))
    });
    match looked.await {
        Ok(Some(described)) => told(NAME, StatusCode::OK, described, None),
        Ok(None) => told(NAME, StatusCode::OK, Vec::new(), Some("this server stands alone")),
        Err(_) => told(NAME, StatusCode::INTERNAL_SERVER_ERROR, Vec::new(), None),
    }
}

/// Answers `hand_over`.
pub(super) async fn hand_over(
    State(server): State<Arc<dyn ServerOperated>>,
    peer: ConnectInfo<Peer>,
    Query(arguments): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    const NAME: &str = "hand_over";
    let done = tokio::task::spawn_blocking(move || {
        may_operate(&*server, peer.0.0, &headers)?;
        let to = match arguments.get("to").map(|text| text.parse()) {
            None => None,
            Some(Ok(to)) => Some(to),
            Some(Err(_)) => {
                return Err((StatusCode::BAD_REQUEST, "to must be the number of a server".into()));
            }
        };
        server.hand_over(to).map_err(|error| (StatusCode::CONFLICT, error))
    });
    match done.await {
        Ok(Ok(leader)) => {
            let leader = leader.map_or(Json::Null, Json::Integer);
            told(NAME, StatusCode::OK, vec![("leader".to_owned(), leader)], None)
        }
        Ok(Err((status, error))) => told(NAME, status, Vec::new(), Some(&error)),
        Err(_) => told(NAME, StatusCode::INTERNAL_SERVER_ERROR, Vec::new(), None),
    }
}

/// The same header as for a snapshot, and one thing more: while the root's ACL is open to
/// anyone, which it is by default, nothing is proven by it. Then only who is on the same machine
/// may, or who is the super user.
fn may_operate(
    server: &dyn ServerOperated,
    peer: IpAddr,
    headers: &HeaderMap,
) -> Result<(), (StatusCode, String)> {
    let Some(header) = headers.get(header::AUTHORIZATION) else {
        let why = "Auth info is missing for the command";
        return Err((StatusCode::UNAUTHORIZED, why.to_owned()));
    };
    let parts = header.to_str().ok().map(|text| text.split_once(' ').unwrap_or((text, "")));
    let access = parts.map_or(Access::Unknown, |(scheme, data)| {
        server.may_operate(&Credentials { peer, scheme, data: data.as_bytes() })
    });
    match access {
        Access::Granted => Ok(()),
        Access::Denied => {
            let why = "Not authorized: it takes every permission on the root; while that is open \
                       to anyone, be on the same machine, or the super user";
            Err((StatusCode::FORBIDDEN, why.to_owned()))
        }
        Access::Unknown => Err((StatusCode::UNAUTHORIZED, "Not authenticated".to_owned())),
    }
}

type Fields = Vec<(String, Json)>;

fn told(command: &str, status: StatusCode, mut fields: Fields, error: Option<&str>) -> Response {
    fields.push(("command".to_owned(), Json::text(command)));
    fields.push(("error".to_owned(), error.map_or(Json::Null, Json::text)));
    let body = Json::Object(fields).pretty();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn described(report: &Report, serving: bool) -> Fields {
    let status = &report.status;
    let voters = report.members.iter().filter(|one| one.member.voting);
    let reached = voters.clone().filter(|one| one.unreached.is_none()).count() as u64;
    let voters = voters.count() as u64;
    let number = |value: Option<i64>| value.map_or(Json::Null, Json::Integer);
    let members = report.members.iter().map(|one| member(one, report)).collect();
    let fields = [
        ("asked", number(report.asked)),
        ("serving", Json::Bool(serving)),
        ("leader", number(status.leader.map(|leader| leader.server_id))),
        ("term", Json::number(status.term)),
        ("version", Json::Text(format!("{:x}", status.members.version()))),
        ("last_entry", report.last.map_or(Json::Null, Json::number)),
        ("voters", Json::number(voters)),
        ("voters_reached", Json::number(reached)),
        ("quorum", Json::number(voters / 2 + 1)),
        ("change", change(report).map_or(Json::Null, Json::Text)),
        ("members", Json::List(members)),
    ];
    fields.map(|(name, value)| (name.to_owned(), value)).into()
}

fn member(one: &MemberReport, report: &Report) -> Json {
    let view = &one.member;
    let number = |value: Option<u64>| value.map_or(Json::Null, Json::number);
    let behind = one.matched.zip(report.last).map(|(matched, last)| last.saturating_sub(matched));
    let heard_ms = one.heard.map(|heard| u64::try_from(heard.as_millis()).unwrap_or(u64::MAX));
    Json::object([
        ("server", Json::Integer(view.server.server_id)),
        ("node", Json::Text(format!("{:016x}", view.node))),
        ("role", Json::text(if view.server.votes { "participant" } else { "observer" })),
        ("votes", Json::Bool(view.voting)),
        ("state", Json::text(state(one, report))),
        ("address", Json::Text(view.server.addresses.join("|"))),
        ("reached", Json::Bool(one.unreached.is_none())),
        ("unreached_because", one.unreached.as_ref().map_or(Json::Null, Json::text)),
        ("follows", one.follows.map_or(Json::Null, Json::Integer)),
        ("behind", number(behind)),
        ("heard_ms", number(heard_ms)),
    ])
}

/// What a member is, in one word or two.
fn state(one: &MemberReport, report: &Report) -> &'static str {
    let (view, leader) = (&one.member, report.status.leader);
    let leads = leader.is_some_and(|leader| leader.node == view.node);
    match (view.server.votes, view.voting, view.shown) {
        _ if leads => "leading",
        _ if view.is_awaited() => "awaited",
        (_, true, false) | (false, _, false) => "leaving",
        (true, false, false) => "joining",
        (true, false, true) => "catching up",
        _ if one.unreached.is_some() => "unreached",
        _ if one.follows.is_none() || leader.is_none() => "looking",
        (true, true, true) => "following",
        (false, _, true) => "observing",
    }
}

/// What is on its way, in words.
fn change(report: &Report) -> Option<String> {
    let on_the_way = |word: &str| -> Vec<String> {
        let those = report.members.iter().filter(|one| state(one, report) == word);
        those.map(|one| format!("server.{}", one.member.server.server_id)).collect()
    };
    let mut parts = Vec::new();
    for word in ["joining", "catching up", "leaving"] {
        let servers = on_the_way(word);
        if !servers.is_empty() {
            parts.push(format!("{} {word}", servers.join(", ")));
        }
    }
    if report.status.members.changing {
        parts.push("old and new voters both count".to_owned());
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;
    use raft_log::{MemberView, Members, PeerRef, ServerSpec, Status};

    use super::*;

    /// No stand-in.
    const NODE: u64 = 1 << 63;

    fn one(id: i64, votes: bool, voting: bool) -> MemberReport {
        let node = NODE + id.cast_unsigned();
        let addresses = vec![format!("host-{id}:2888")];
        let server = ServerSpec { server_id: id, addresses, votes, spec: String::new() };
        MemberReport {
            member: MemberView { node, server, voting, shown: true },
            unreached: None,
            follows: Some(1),
            matched: Some(90),
            heard: Some(Duration::from_millis(12)),
        }
    }

    fn report(members: Vec<MemberReport>) -> Report {
        let leader = Some(PeerRef { node: NODE + 1, server_id: 1 });
        let status = Status { leader, term: 7, members: Members::default(), ..Status::default() };
        Report { asked: Some(1), status, last: Some(100), members }
    }

    fn states(report: &Report) -> String {
        let states = report.members.iter().map(|one| state(one, report));
        states.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn members_are_in_one_state_each() {
        let mut hidden = one(5, true, false);
        hidden.member.shown = false;
        let mut leaving = one(6, false, true);
        leaving.member.shown = false;
        let mut silent = one(7, true, true);
        silent.unreached = Some("connection refused".into());
        let mut lost = one(8, true, true);
        lost.follows = None;
        let mut awaited = one(9, true, true);
        awaited.member.node = 9;
        let report = report(vec![
            one(1, true, true),
            one(2, true, true),
            one(3, false, false),
            one(4, true, false),
            hidden,
            leaving,
            silent,
            lost,
            awaited,
        ]);
        expect![
            "leading, following, observing, catching up, joining, leaving, unreached, looking, \
             awaited"
        ]
        .assert_eq(&states(&report));
        expect!["server.5 joining; server.4 catching up; server.6 leaving"]
            .assert_eq(&change(&report).unwrap());
    }

    #[test]
    fn the_ensemble_as_json() {
        let report = report(vec![one(1, true, true)]);
        expect![[r#"
            {
              "asked" : 1,
              "serving" : true,
              "leader" : 1,
              "term" : 7,
              "version" : "0",
              "last_entry" : 100,
              "voters" : 1,
              "voters_reached" : 1,
              "quorum" : 1,
              "change" : null,
              "members" : [ {
                "server" : 1,
                "node" : "8000000000000001",
                "role" : "participant",
                "votes" : true,
                "state" : "leading",
                "address" : "host-1:2888",
                "reached" : true,
                "unreached_because" : null,
                "follows" : 1,
                "behind" : 10,
                "heard_ms" : 12
              } ]
            }"#]]
        .assert_eq(&Json::Object(described(&report, true)).pretty());
    }
}
