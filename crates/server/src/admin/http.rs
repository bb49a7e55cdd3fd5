//! HTTP: the admin server (`/commands/…`) and the metrics (`/metrics`).
//!
//! Both look and count; the one thing that can be told is to hand the lead over. A port that
//! cannot be bound is an error in the log and no more: ZooKeeper ends with code 4 over it, but
//! clients are worth more than their statistics.

mod cluster;
mod commands;
mod guarded;
mod index;
mod limited;
mod members;
mod timed;

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use tokio::{net::TcpListener, sync::watch};

use super::{
    json::Json,
    observed::{ServerObserved, ServerOperated},
    prometheus,
};
use crate::{config::AdminServer, listener};
use commands::{Command, Failed, Fields};
use guarded::{Guarded, SnapshotLimit};
use limited::{Limited, Peer};

/// The admin server, below a path such as `/commands`.
pub fn admin_router(server: Arc<dyn ServerOperated>, config: &AdminServer) -> Router {
    let index = index::page(&config.command_url);
    // The path is taken as it is written: no part of it is a pattern.
    let base = config.command_url.trim_end_matches('/').replace('{', "{{").replace('}', "}}");
    let show_index = get(async move || Html(index));
    let mut router = Router::new().without_v07_checks();
    if !base.is_empty() {
        router = router.route(&base, show_index.clone());
    }
    router = router.route(&format!("{base}/"), show_index);
    let limit = SnapshotLimit::new(config.snapshot_enabled, config.snapshot_interval);
    router = router
        .route(&format!("{base}/cluster"), get(cluster::cluster).with_state(Arc::clone(&server)))
        .route(
            &format!("{base}/hand_over"),
            post(cluster::hand_over).with_state(Arc::clone(&server)),
        );
    let server: Arc<dyn ServerObserved> = server;
    let guarded = Guarded { server: Arc::clone(&server), limit: Arc::new(limit) };
    for name in index::SNAPSHOT {
        router = router
            .route(&format!("{base}/{name}"), get(guarded::snapshot).with_state(guarded.clone()));
    }
    for name in index::RESTORE {
        let both = get(guarded::restore).post(guarded::restore).with_state(guarded.clone());
        router = router.route(&format!("{base}/{name}"), both);
    }
    router.route(&format!("{base}/{{*name}}"), get(run_command)).with_state(server)
}

/// `/metrics`.
pub fn metrics_router(server: Arc<dyn ServerObserved>) -> Router {
    prometheus::router(server)
}

/// Connections that may wait to be accepted: plenty for a few scrapers.
const BACKLOG: i32 = 128;

/// Opens a port for one of the two; `what` names it in the log. Nothing when that fails,
/// which was then logged.
pub fn bind(what: &str, address: SocketAddr) -> Option<TcpListener> {
    match listener::bind(address, BACKLOG) {
        Ok(listener) => {
            tracing::info!(%address, "{what} listens");
            Some(listener)
        }
        Err(error) => {
            tracing::error!(%address, %error, "{what} cannot listen: going on without it");
            None
        }
    }
}

/// Answers until `stop` becomes true; requests under way are still answered, for a second.
/// A connection on which the peer does nothing for `idle` is closed.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    idle: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let service = router.into_make_service_with_connect_info::<Peer>();
    let limited = Limited::new(listener, idle, stop.clone());
    let serving = axum::serve(limited, service).with_graceful_shutdown(async move {
        // A sender that is gone means stop as well.
        let _ = stop.wait_for(|stop| *stop).await;
    });
    if let Err(error) = serving.await {
        tracing::error!(%error, "HTTP ended");
    }
}

type Arguments = HashMap<String, String>;

async fn run_command(
    State(server): State<Arc<dyn ServerObserved>>,
    Path(name): Path<String>,
    Query(arguments): Query<Arguments>,
) -> Response {
    // Commands wait for locks and look at directories.
    let answer = tokio::task::spawn_blocking(move || answer(&*server, &name, &arguments));
    match answer.await {
        Ok((status, json)) => {
            (status, [(header::CONTENT_TYPE, "application/json")], json.pretty()).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Compat(admin-status): what is wrong is said in the body, under a status of success; `monitor` is
/// the exception, for load balancers ask it.
fn answer(server: &dyn ServerObserved, name: &str, arguments: &Arguments) -> (StatusCode, Json) {
    let failed =
        |error: &str| Json::object([("command", Json::text(name)), ("error", Json::text(error))]);
    let Some(command) = Command::parse(name) else {
        return (StatusCode::OK, failed(&format!("Unknown command: {name}")));
    };
    if command.needs_serving() && !server.overview().serving {
        let down = command == Command::Monitor;
        let status = if down { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
        return (status, failed(super::four_letter::NOT_SERVING));
    }
    match commands::run(command, server, arguments) {
        Ok(mut fields) => {
            fields.push(("command".to_owned(), Json::text(command.name())));
            fields.push(("error".to_owned(), Json::Null));
            (StatusCode::OK, Json::Object(fields))
        }
        Err(Failed(error)) => {
            let fields: Fields = vec![
                ("error".to_owned(), Json::text(error)),
                ("command".to_owned(), Json::text(command.name())),
            ];
            (StatusCode::OK, Json::Object(fields))
        }
    }
}

#[cfg(test)]
mod tests;
