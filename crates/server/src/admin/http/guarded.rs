//! `snapshot` and `restore`: commands for which one must prove who one is.
//!
//! `restore` is not offered. What it answers is what a ZooKeeper answers in which it is turned
//! off, and to those who may not ask, the same as always.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    extract::{ConnectInfo, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limited::Peer;
use crate::admin::{
    four_letter::NOT_SERVING,
    json::Json,
    metrics::Counter,
    observed::{Access, ServerObserved},
};

/// The server, and what it takes to ask it for a snapshot.
#[derive(Clone)]
pub(super) struct Guarded {
    pub(super) server: Arc<dyn ServerObserved>,
    pub(super) limit: Arc<SnapshotLimit>,
}

/// `admin.snapshot.*`: whether snapshots are given, and how often.
pub(super) struct SnapshotLimit {
    enabled: bool,
    interval: Duration,
    last: Mutex<Option<Instant>>,
    /// One at a time: each is a copy of all data, and is there until it is sent.
    copies: Arc<Semaphore>,
}

impl SnapshotLimit {
    pub(super) fn new(enabled: bool, interval: Duration) -> Self {
        Self { enabled, interval, last: Mutex::new(None), copies: Arc::new(Semaphore::new(1)) }
    }

    /// The right to make another one now, when it is time and the one before is gone.
    fn admit(&self) -> Option<OwnedSemaphorePermit> {
        let mut last = self.last.lock();
        if last.is_some_and(|last| last.elapsed() < self.interval) {
            return None;
        }
        let place = Arc::clone(&self.copies).try_acquire_owned().ok()?;
        *last = Some(Instant::now());
        Some(place)
    }
}

/// A snapshot in memory, and its place. hyper keeps the answer until its last byte is sent or
/// the connection is gone, and then drops it.
struct SnapshotCopy {
    file: Vec<u8>,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for SnapshotCopy {
    fn as_ref(&self) -> &[u8] {
        &self.file
    }
}

/// Answers `snapshot`: the state as a snapshot file of ZooKeeper.
pub(super) async fn snapshot(
    State(Guarded { server, limit }): State<Guarded>,
    peer: ConnectInfo<Peer>,
    Query(arguments): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    const NAME: &str = "snapshot";
    let made = tokio::task::spawn_blocking(move || {
        authorize(&*server, peer.0.0, &headers)?;
        if !limit.enabled {
            return Err((StatusCode::SERVICE_UNAVAILABLE, None));
        }
        if arguments.get("streaming").is_some_and(|text| !text.eq_ignore_ascii_case("true")) {
            return Err((StatusCode::BAD_REQUEST, Some("snapshots are streamed, not kept")));
        }
        let Some(place) = limit.admit() else {
            server.metrics().count(Counter::SnapshotsRateLimited, 1);
            return Err((StatusCode::TOO_MANY_REQUESTS, None));
        };
        let (zxid, file) = server.snapshot();
        Ok((zxid, SnapshotCopy { file, _place: place }))
    });
    match made.await {
        Ok(Ok((zxid, copy))) => {
            let head = [
                ("last_zxid", zxid.to_string()),
                ("snapshot_size", copy.file.len().to_string()),
                (header::CONTENT_TYPE.as_str(), "application/octet-stream".to_owned()),
            ];
            (StatusCode::OK, head, Bytes::from_owner(copy)).into_response()
        }
        Ok(Err((status, error))) => told(NAME, status, error),
        Err(_) => told(NAME, StatusCode::INTERNAL_SERVER_ERROR, None),
    }
}

/// Answers `restore`.
pub(super) async fn restore(
    State(Guarded { server, .. }): State<Guarded>,
    peer: ConnectInfo<Peer>,
    headers: HeaderMap,
) -> Response {
    match authorize(&*server, peer.0.0, &headers) {
        Ok(()) => told("restore", StatusCode::SERVICE_UNAVAILABLE, None),
        Err((status, error)) => told("restore", status, error),
    }
}

fn told(command: &str, status: StatusCode, error: Option<&str>) -> Response {
    let error = error.map_or(Json::Null, Json::text);
    let body = Json::object([("command", Json::text(command)), ("error", error)]).pretty();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Compat(admin-authorization): the header is `<scheme> <data>` with the data as an auth packet
/// has it, not encoded, and the texts are ZooKeeper's. Every permission on the root is asked for.
fn authorize(
    server: &dyn ServerObserved,
    peer: IpAddr,
    headers: &HeaderMap,
) -> Result<(), (StatusCode, Option<&'static str>)> {
    if !server.overview().serving {
        return Err((StatusCode::OK, Some(NOT_SERVING)));
    }
    let Some(header) = headers.get(header::AUTHORIZATION) else {
        return Err((StatusCode::UNAUTHORIZED, Some("Auth info is missing for the command")));
    };
    let parts = header.to_str().ok().and_then(|text| text.split_once(' '));
    let access = parts.map_or(Access::Unknown, |(scheme, data)| {
        server.access_to_all(peer, scheme, data.as_bytes())
    });
    match access {
        Access::Granted => Ok(()),
        Access::Denied => Err((StatusCode::FORBIDDEN, Some("Not authorized"))),
        Access::Unknown => Err((StatusCode::UNAUTHORIZED, Some("Not authenticated"))),
    }
}
