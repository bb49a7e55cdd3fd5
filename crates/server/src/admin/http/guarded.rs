//! `snapshot` and `restore`: commands for which one must prove who one is.
//!
//! Neither is offered yet. What they answer is what a ZooKeeper answers in which both are
//! turned off, and to those who may not ask, the same as always.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::limited::Peer;
use crate::admin::{json::Json, observed::ServerObserved};

/// Answers `snapshot`.
pub(super) async fn snapshot(
    server: State<Arc<dyn ServerObserved>>,
    peer: ConnectInfo<Peer>,
    headers: HeaderMap,
) -> Response {
    answer("snapshot", &**server, peer.0.0, &headers)
}

/// Answers `restore`.
pub(super) async fn restore(
    server: State<Arc<dyn ServerObserved>>,
    peer: ConnectInfo<Peer>,
    headers: HeaderMap,
) -> Response {
    answer("restore", &**server, peer.0.0, &headers)
}

fn answer(
    command: &str,
    server: &dyn ServerObserved,
    peer: IpAddr,
    headers: &HeaderMap,
) -> Response {
    let (status, error) = match authorize(server, peer, headers) {
        Ok(()) => (StatusCode::SERVICE_UNAVAILABLE, Json::Null),
        Err(why) => (StatusCode::UNAUTHORIZED, Json::text(why)),
    };
    let body = Json::object([("command", Json::text(command)), ("error", error)]).pretty();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Compat(admin-authorization): the header is `<scheme> <data>` with the data as an auth packet has
/// it, not encoded, and the texts are ZooKeeper's.
fn authorize(
    server: &dyn ServerObserved,
    peer: IpAddr,
    headers: &HeaderMap,
) -> Result<(), &'static str> {
    let Some(header) = headers.get(header::AUTHORIZATION) else {
        return Err("Auth info is missing for the command");
    };
    let known = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .is_some_and(|(scheme, data)| server.knows_identity(peer, scheme, data.as_bytes()));
    if known { Ok(()) } else { Err("Not authenticated") }
}
