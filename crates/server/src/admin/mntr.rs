//! `mntr`: every metric on a line of its own.

use std::fmt::{Display, Write};

use super::{
    metrics::{Observed, ProcessFigures, Timed, Value, series},
    observed::ServerObserved,
    version::VERSION,
};

/// One value of `mntr` or of the admin server's `monitor`.
pub(super) enum Reading {
    /// `version`, `server_state`.
    Text(&'static str),
    /// A whole number.
    Integer(i64),
    /// A Java double.
    Double(f64),
}

/// All values with their names, without the `zk_`, in order. Summaries become several.
pub(super) fn readings(server: &dyn ServerObserved) -> Vec<(String, Reading)> {
    let overview = server.overview();
    let figures = server.metrics().figures();
    let mut all = vec![
        ("version".to_owned(), Reading::Text(VERSION)),
        ("server_state".to_owned(), Reading::Text(overview.mode.name())),
    ];
    if let Some(ensemble) = &overview.ensemble {
        all.push(("peer_state".to_owned(), Reading::Text(ensemble.peer_state)));
    }
    for one in series(&overview, &figures, &ProcessFigures::read()) {
        let name = one.name;
        match one.value {
            Value::Gauge(value) => all.push((name.to_owned(), Reading::Integer(value))),
            Value::Fraction(value) => all.push((name.to_owned(), Reading::Double(value))),
            Value::Counter(value) => all.push((name.to_owned(), integer(value))),
            Value::Summary(summed) => add_summary(&mut all, name, summed.observed),
            Value::Latency(timed) => add_latency(&mut all, name, timed),
        }
    }
    all
}

fn add_summary(all: &mut Vec<(String, Reading)>, name: &str, observed: Observed) {
    all.push((format!("avg_{name}"), Reading::Double(observed.average())));
    let Observed { count, sum, min, max } = observed;
    for (prefix, value) in [("min", min), ("max", max), ("cnt", count), ("sum", sum)] {
        all.push((format!("{prefix}_{name}"), integer(value)));
    }
}

/// Compat(whole-milliseconds): whole milliseconds, as in ZooKeeper; `/metrics` has the fractions.
fn add_latency(all: &mut Vec<(String, Reading)>, name: &str, timed: Timed) {
    all.push((format!("avg_{name}"), Reading::Double(timed.average_ms())));
    let ms = |us| us / 1000;
    for (prefix, value) in [
        ("min", ms(timed.min_us)),
        ("max", ms(timed.max_us)),
        ("cnt", timed.count),
        ("sum", ms(timed.sum_us)),
        ("p50", ms(timed.p50_us)),
        ("p95", ms(timed.p95_us)),
        ("p99", ms(timed.p99_us)),
        ("p999", ms(timed.p999_us)),
    ] {
        all.push((format!("{prefix}_{name}"), integer(value)));
    }
}

fn integer(value: u64) -> Reading {
    Reading::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

/// The text that `mntr` answers.
pub(super) fn mntr(server: &dyn ServerObserved) -> String {
    let mut out = String::new();
    for (name, reading) in readings(server) {
        let _ = match reading {
            Reading::Text(text) => line(&mut out, &name, text),
            Reading::Integer(value) => line(&mut out, &name, value),
            Reading::Double(value) => line(&mut out, &name, java_double(value)),
        };
    }
    out
}

fn line(out: &mut String, name: &str, value: impl Display) -> std::fmt::Result {
    writeln!(out, "zk_{name}\t{value}")
}

/// A double of ordinary size as Java writes it: always with a point.
pub(super) fn java_double(value: f64) -> String {
    format!("{value:?}")
}
