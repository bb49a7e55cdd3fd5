//! The figures for Prometheus.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::director::Director;
use crate::report::Report;

/// The figures as they are now.
pub(crate) fn text(report: &Report, director: &Director) -> String {
    let counts = &report.counts;
    let mut text = String::new();
    let figures = [
        ("requests_total", counts.requests),
        ("requests_equal_total", counts.equal),
        ("requests_different_total", counts.different),
        ("events_equal_total", counts.events_equal),
        ("events_different_total", counts.events_different),
        ("sessions_total", counts.sessions),
        ("foreign_changes_total", counts.foreign_changes),
        ("waiting", director.waiting() as u64),
        ("connections", director.connections() as u64),
        ("comparing", u64::from(report.ended.is_none())),
    ];
    for (name, value) in figures {
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        let _ = writeln!(text, "# TYPE crosscheck_{name} {kind}\ncrosscheck_{name} {value}");
    }
    let mut labelled = |name: &str, label: &str, values: Vec<(&str, u64)>| {
        let _ = writeln!(text, "# TYPE crosscheck_{name} counter");
        for (value, count) in values {
            let _ = writeln!(text, "crosscheck_{name}{{{label}=\"{value}\"}} {count}");
        }
    };
    let requests = counts.not_judged.iter().map(|(reason, count)| (reason.name(), *count));
    labelled("requests_not_judged_total", "reason", requests.collect());
    let events = counts.events_not_judged.iter().map(|(reason, count)| (reason.name(), *count));
    labelled("events_not_judged_total", "reason", events.collect());
    let given_up = counts.given_up.iter().map(|(why, count)| (why.name(), *count));
    labelled("sessions_given_up_total", "reason", given_up.collect());
    text
}

/// Serves them at `/metrics`.
pub(crate) async fn serve(listener: TcpListener, figures: Arc<Mutex<String>>) {
    let show = move || {
        let text = figures.lock().unwrap_or_else(PoisonError::into_inner).clone();
        async move { text }
    };
    let router = Router::new().route("/metrics", get(show));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::warn!("metrics: {error}");
    }
}
