//! `/metrics`: the server's figures for Prometheus.
//!
//! The names are ZooKeeper's, without a prefix; times are in milliseconds, with fractions.
//! Quantiles are over the server's whole life, or since `srst`; ZooKeeper's are over the last
//! ten minutes.

use std::sync::Arc;

use axum::{Router, extract::State, http::header, response::IntoResponse, routing::get};
use prometheus::{
    Encoder, Registry, TextEncoder,
    core::{Collector, Desc},
    proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType, Quantile, Summary},
};

use super::{
    metrics::{ProcessFigures, Series, Summed, Timed, Value, series},
    observed::ServerObserved,
};

/// The router that answers `/metrics`.
pub(super) fn router(server: Arc<dyn ServerObserved>) -> Router {
    let registry = Registry::new();
    registry
        .register(Box::new(ServerCollector { server }))
        .expect("an empty registry takes any collector");
    Router::new().route("/metrics", get(scrape)).with_state(registry)
}

async fn scrape(State(registry): State<Registry>) -> impl IntoResponse {
    let encoder = TextEncoder::new();
    // A name or a value that the encoder refuses would be a bug; tests scrape them all.
    let text = encoder.encode_to_string(&registry.gather()).unwrap_or_default();
    ([(header::CONTENT_TYPE, encoder.format_type().to_owned())], text)
}

/// Turns a look at the server into metric families, at each scrape.
struct ServerCollector {
    server: Arc<dyn ServerObserved>,
}

impl Collector for ServerCollector {
    /// None: what is collected is known when it is collected, and the names are unique by
    /// test.
    fn desc(&self) -> Vec<&Desc> {
        Vec::new()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let process = ProcessFigures::read();
        let figures = self.server.metrics().figures();
        let all = series(&self.server.overview(), &figures, &process);
        let mut families: Vec<MetricFamily> = all.iter().map(family_of).collect();
        families.extend(process_families(&process));
        families
    }
}

fn family_of(series: &Series) -> MetricFamily {
    let name = series.name;
    #[expect(clippy::cast_precision_loss, reason = "Prometheus has nothing but doubles")]
    match series.value {
        Value::Gauge(value) => gauge(name, value as f64),
        Value::Fraction(value) => gauge(name, value),
        Value::Counter(value) => counter(name, value as f64),
        Value::Summary(summed) => summary(name, &summed),
        Value::Latency(timed) => latency(name, &timed),
    }
}

fn family(name: &str, kind: MetricType, metric: Metric) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(name.to_owned());
    family.set_field_type(kind);
    family.set_metric(vec![metric]);
    family
}

fn no_labels() -> Metric {
    Metric::from_label(Vec::<LabelPair>::new())
}

fn gauge(name: &str, value: f64) -> MetricFamily {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    family(name, MetricType::GAUGE, Metric::from_gauge(gauge))
}

fn counter(name: &str, value: f64) -> MetricFamily {
    let mut counter = Counter::default();
    counter.set_value(value);
    let mut metric = no_labels();
    metric.set_counter(counter);
    family(name, MetricType::COUNTER, metric)
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has nothing but doubles")]
fn summary(name: &str, Summed { observed, median }: &Summed) -> MetricFamily {
    summary_family(name, observed.count, observed.sum as f64, &[(0.5, *median as f64)])
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has nothing but doubles")]
fn latency(name: &str, timed: &Timed) -> MetricFamily {
    let ms = |us: u64| us as f64 / 1000.0;
    let quantiles = [(0.5, ms(timed.p50_us)), (0.9, ms(timed.p90_us)), (0.99, ms(timed.p99_us))];
    summary_family(name, timed.count, ms(timed.sum_us), &quantiles)
}

fn summary_family(name: &str, count: u64, sum: f64, quantiles: &[(f64, f64)]) -> MetricFamily {
    let quantile = |(part, value): &(f64, f64)| {
        let mut quantile = Quantile::default();
        quantile.set_quantile(*part);
        // As ZooKeeper, and as Prometheus would have it: of nothing there is no quantile.
        quantile.set_value(if count == 0 { f64::NAN } else { *value });
        quantile
    };
    let mut summary = Summary::default();
    summary.set_sample_count(count);
    summary.set_sample_sum(sum);
    summary.set_quantile(quantiles.iter().map(quantile).collect());
    let mut metric = no_labels();
    metric.set_summary(summary);
    family(name, MetricType::SUMMARY, metric)
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has nothing but doubles")]
fn process_families(process: &ProcessFigures) -> [MetricFamily; 6] {
    [
        counter("process_cpu_seconds_total", process.cpu_seconds),
        gauge("process_start_time_seconds", process.start_seconds),
        gauge("process_open_fds", process.open_descriptors as f64),
        gauge("process_max_fds", process.max_descriptors as f64),
        gauge("process_resident_memory_bytes", process.resident_bytes as f64),
        gauge("process_virtual_memory_bytes", process.virtual_bytes as f64),
    ]
}
