//! `dump`: sessions and connections by when they end, and who owns ephemerals.

use std::{collections::BTreeMap, fmt::Write};

use tree::SessionId;

use crate::admin::{
    date::java_date,
    observed::{ConnectionView, ExpiryBucket, GlobalSessions, ServerObserved, SessionsView},
};

/// What `dump` answers.
pub(super) fn dump(server: &dyn ServerObserved) -> String {
    let overview = server.overview();
    let date = |deadline_ms: u64| {
        let ahead = deadline_ms.cast_signed() - overview.monotonic_ms.cast_signed();
        java_date(overview.wall_ms + ahead)
    };
    let mut out = String::from("SessionTracker dump:\n");
    put_sessions(&mut out, &server.sessions(), &date);
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

/// Local sessions, where there can be some, then the global ones.
fn put_sessions(out: &mut String, sessions: &SessionsView, date: &dyn Fn(u64) -> String) {
    if let Some(local) = &sessions.local {
        out.push_str("Local ");
        put_buckets(out, local, date);
        out.push_str("Global ");
    }
    match &sessions.global {
        GlobalSessions::Expiring(buckets) => put_buckets(out, buckets, date),
        GlobalSessions::Known(known) => {
            let title = if sessions.local.is_some() { "" } else { "Global " };
            let _ = writeln!(out, "{title}Sessions({}):", known.len());
            for (session, timeout_ms) in known {
                let _ = writeln!(out, "{session}\t{timeout_ms}ms");
            }
        }
    }
}

fn put_buckets(out: &mut String, buckets: &[ExpiryBucket], date: &dyn Fn(u64) -> String) {
    let sessions: usize = buckets.iter().map(|bucket| bucket.sessions.len()).sum();
    let _ = writeln!(out, "Session Sets ({})/({sessions}):", buckets.len());
    for bucket in buckets {
        let _ = writeln!(out, "{} expire at {}:", bucket.sessions.len(), date(bucket.deadline_ms));
        for session in &bucket.sessions {
            let _ = writeln!(out, "\t{session}");
        }
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
