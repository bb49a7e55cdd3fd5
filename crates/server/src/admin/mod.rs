//! What people and their tools ask a server: four-letter words on the client port, HTTP,
//! metrics, the audit log.
//!
//! All of it reads a [`ServerObserved`] and changes nothing but counters. Texts are API:
//! monitoring parses them, so each is compared with what a real ZooKeeper printed
//! (`testdata/four_letter`, `testdata/admin_http`).

pub mod audit;
mod date;
mod environment;
pub mod four_letter;
pub mod http;
mod json;
pub mod metrics;
mod mntr;
mod observed;
mod prometheus;
mod sizes;
pub(crate) mod snapshot;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod testing;
mod version;

pub use metrics::Metrics;
pub use observed::{
    Access, ConfView, ConnectionStats, ConnectionView, Credentials, DirectorySizes, EnsembleConf,
    EnsembleOverview, EnsembleView, ExpiryBucket, GlobalSessions, LastRequest, Leading, Mode,
    Overview, ServerObserved, ServerOperated, SessionsView,
};
pub use sizes::directory_size;
pub use version::{VERSION, ZOOKEEPER_VERSION};
