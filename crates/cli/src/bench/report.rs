//! The result of a run, for people and for scripts.

use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use super::args::{Load, Plan};
use super::process::Usage;
use super::tally::{SLOT, Tally};

/// What a process used between two moments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    pub(super) before: Usage,
    pub(super) after: Usage,
}

/// Everything measured in one run.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) plan: Plan,
    pub(super) tally: Tally,
    /// Length of the measurement.
    pub(super) elapsed: Duration,
    /// This process.
    pub(super) client: Spent,
    /// The server's process, if it was named.
    pub(super) server: Option<Spent>,
}

const PERCENTILES: [(&str, f64); 6] = [
    ("p50", 50.0),
    ("p90", 90.0),
    ("p95", 95.0),
    ("p99", 99.0),
    ("p99.9", 99.9),
    ("p99.99", 99.99),
];

impl Report {
    /// Whether every operation was answered as it should be.
    pub(super) fn is_clean(&self) -> bool {
        let tally = &self.tally;
        tally.errors.is_empty()
            && tally.malformed == 0
            && tally.unanswered == 0
            && tally.lost_connections == 0
            && tally.successes() > 0
    }

    /// Successes a second.
    fn rate(&self) -> f64 {
        self.tally.successes() as f64 / self.elapsed.as_secs_f64()
    }

    /// Microseconds of CPU an answered operation.
    fn cpu_us(&self, spent: &Spent) -> f64 {
        let cpu = spent.after.cpu.saturating_sub(spent.before.cpu);
        cpu.as_secs_f64() * 1e6 / (self.tally.answered().max(1) as f64)
    }

    /// One line of JSON.
    pub(super) fn to_json(&self) -> String {
        let plan = &self.plan;
        let tally = &self.tally;
        let rate = match plan.load {
            Load::Closed => Value::Null,
            Load::Open(rate) => json!(rate),
        };
        let errors: Map<_, _> =
            tally.errors.iter().map(|(code, count)| (code.to_string(), json!(count))).collect();
        let mut all = tally.reads.clone();
        // Both have the same bounds, so adding cannot fail.
        let _ = all.add(&tally.writes);
        let mut report = json!({
            "scenario": plan.scenario.name(),
            "connections": plan.connections,
            "in_flight": plan.in_flight,
            "threads": plan.threads,
            "open_loop_rate": rate,
            "value_bytes": plan.value_size,
            "keys": plan.keys,
            "seed": plan.seed,
            "seconds": self.elapsed.as_secs_f64(),
            "operations": tally.successes(),
            "rate": self.rate(),
            "errors": errors,
            "malformed": tally.malformed,
            "unanswered": tally.unanswered,
            "lost_connections": tally.lost_connections,
            "latency_us": latency(&all),
            "client_cpu_us_per_op": self.cpu_us(&self.client),
        });
        if !tally.reads.is_empty() && !tally.writes.is_empty() {
            report["latency_us_reads"] = latency(&tally.reads);
            report["latency_us_writes"] = latency(&tally.writes);
        }
        if let Some(server) = &self.server {
            report["server"] = self.server_json(server);
        }
        if plan.timeline {
            report["timeline"] = self.timeline();
        }
        format!("{report}\n")
    }

    fn server_json(&self, server: &Spent) -> Value {
        let cpu = server.after.cpu.saturating_sub(server.before.cpu);
        json!({
            "cpu_us_per_op": self.cpu_us(server),
            "cpu_cores": cpu.as_secs_f64() / self.elapsed.as_secs_f64(),
            "rss_bytes": server.after.rss_bytes,
            "rss_peak_bytes": server.after.rss_peak_bytes,
        })
    }

    fn timeline(&self) -> Value {
        let slots = &self.tally.timeline;
        json!({
            "slot_ms": u64::try_from(SLOT.as_millis()).unwrap_or(u64::MAX),
            "count": slots.iter().map(|slot| slot.count).collect::<Vec<_>>(),
            "max_us": slots.iter().map(|slot| slot.max_ns / 1000).collect::<Vec<_>>(),
        })
    }

    /// A few lines for people.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_text(&mut text);
        text
    }

    fn write_text(&self, text: &mut String) -> std::fmt::Result {
        let (plan, tally) = (&self.plan, &self.tally);
        writeln!(
            text,
            "{}: {} connections, {} in flight, {} bytes",
            plan.scenario.name(),
            plan.connections,
            plan.in_flight,
            plan.value_size
        )?;
        writeln!(
            text,
            "  {:.0}/s ({} in {:.2} s)",
            self.rate(),
            tally.successes(),
            self.elapsed.as_secs_f64()
        )?;
        for (name, histogram) in [("reads", &tally.reads), ("writes", &tally.writes)] {
            if !histogram.is_empty() {
                write!(text, "  {name}, ms:")?;
                for (label, percentile) in PERCENTILES {
                    let nanos = histogram.value_at_percentile(percentile) as f64;
                    write!(text, "  {label} {:.3}", nanos / 1e6)?;
                }
                writeln!(text, "  max {:.3}", histogram.max() as f64 / 1e6)?;
            }
        }
        write!(text, "  CPU, µs an operation: client {:.2}", self.cpu_us(&self.client))?;
        if let Some(server) = &self.server {
            let rss = server.after.rss_bytes as f64 / f64::from(1 << 20);
            write!(text, ", server {:.2}; server memory {rss:.0} MiB", self.cpu_us(server))?;
        }
        writeln!(text)?;
        for (code, count) in &tally.errors {
            writeln!(text, "  error {code}: {count}")?;
        }
        for (what, count) in [
            ("malformed replies", tally.malformed),
            ("unanswered", tally.unanswered),
            ("lost connections", tally.lost_connections),
        ] {
            if count > 0 {
                writeln!(text, "  {what}: {count}")?;
            }
        }
        Ok(())
    }
}

fn latency(histogram: &Histogram<u64>) -> Value {
    let micros = |nanos: u64| nanos as f64 / 1000.0;
    let mut latency = Map::new();
    latency.insert("mean".to_owned(), json!(histogram.mean() / 1000.0));
    for (label, percentile) in PERCENTILES {
        let nanos = histogram.value_at_percentile(percentile);
        latency.insert(label.to_owned(), json!(micros(nanos)));
    }
    latency.insert("max".to_owned(), json!(micros(histogram.max())));
    Value::Object(latency)
}
