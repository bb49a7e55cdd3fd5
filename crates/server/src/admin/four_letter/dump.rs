//! `dump`: sessions and connections by when they end, and who owns ephemerals.

use std::{collections::BTreeMap, fmt::Write};

use tree::SessionId;

use crate::admin::{
    date::java_date,
    observed::{ConnectionView, ServerObserved},
};

/// What `dump` answers.
pub(super) fn dump(server: &dyn ServerObserved) -> String {
    let overview = server.overview();
    let date = |deadline_ms: u64| {
        let ahead = deadline_ms.cast_signed() - overview.monotonic_ms.cast_signed();
        java_date(overview.wall_ms + ahead)
    };
    let mut out = String::from("SessionTracker dump:\n");
    let leads = overview.ensemble.as_ref().is_none_or(|ensemble| ensemble.leading.is_some());
    if leads {
        dump_expiry(server, &mut out, &date)
    } else {
        dump_sessions(server, &mut out)
    }
    let ephemerals = server.ephemerals();
    let _ =
        writeln!(out, "ephemeral nodes dump:\nSessions with Ephemerals ({}):", ephemerals.len());
    for (session, paths) in &ephemerals {
        let _ = writeln!(out, "{session}:");
        for path in paths {
            let _ = writeln!(out, "\t{path}");
        }
    }
    let connections = server.connections();
    let sets = idle_sets(&connections);
    let _ = writeln!(
        out,
        "Connections dump:\nConnections Sets ({})/({}):",
        sets.len(),
        connections.len()
    );
    for (deadline_ms, set) in &sets {
        let _ = writeln!(out, "{} expire at {}:", set.len(), date(*deadline_ms));
        for connection in set {
            let (remote, session) = (connection.remote_text(), connection.session);
            let _ = writeln!(out, "\tip: /{remote} sessionId: {session}");
        }
    }
    out
}

/// Sessions by when they end: the leader knows.
fn dump_expiry(server: &dyn ServerObserved, out: &mut String, date: &dyn Fn(u64) -> String) {
    let buckets = server.expiry_buckets();
    let sessions: usize = buckets.iter().map(|bucket| bucket.sessions.len()).sum();
    let _ = writeln!(out, "Session Sets ({})/({sessions}):", buckets.len());
    for bucket in &buckets {
        let _ = writeln!(out, "{} expire at {}:", bucket.sessions.len(), date(bucket.deadline_ms));
        for session in &bucket.sessions {
            let _ = writeln!(out, "\t{session}");
        }
    }
}

/// Sessions with their timeouts: what the others know.
fn dump_sessions(server: &dyn ServerObserved, out: &mut String) {
    let sessions = server.sessions();
    let _ = writeln!(out, "Global Sessions({}):", sessions.len());
    for (session, timeout_ms) in sessions {
        let _ = writeln!(out, "{session}\t{timeout_ms}ms");
    }
}

/// The step in which ZooKeeper looks for idle connections, and how long one may be without
/// a session.
const IDLE_STEP_MS: u64 = 10_000;

/// Connections by when they would be closed for being idle.
fn idle_sets(connections: &[ConnectionView]) -> BTreeMap<u64, Vec<&ConnectionView>> {
    let mut sets: BTreeMap<u64, Vec<&ConnectionView>> = BTreeMap::new();
    for connection in connections {
        let allowed = match u64::try_from(connection.timeout_ms) {
            Ok(timeout) if connection.session != SessionId::NONE => timeout,
            Ok(_) | Err(_) => IDLE_STEP_MS,
        };
        let end = connection.heard_ms + allowed;
        sets.entry((end / IDLE_STEP_MS + 1) * IDLE_STEP_MS).or_default().push(connection);
    }
    sets
}
