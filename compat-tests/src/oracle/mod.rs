//! The oracle: runs one program against two servers and compares all that they say.
//!
//! The expectation is never written down by hand: it is what Apache ZooKeeper answers.
//! [`run`] turns a program into [`Observation`]s, [`compare`] finds the first difference,
//! [`generate`] makes up programs and [`shrink`] makes a failing one small. What may differ,
//! and why, is listed in `docs/compatibility.md`.

mod compare;
mod decode;
pub mod generate;
mod members;
mod observation;
pub mod process;
pub mod recorded;
mod render;
mod run;
mod servers;
pub mod shrink;
mod sweep;
mod table;
mod tally;
pub mod worlds;

pub use compare::{Difference, compare};
pub use observation::{Event, Observation, Value};
pub use render::render;
pub use run::{Ran, RunError, Runner, run};
pub use servers::{Pair, PairError, Servers, super_user};
pub use sweep::{Finding, Report, Sweep};
pub use table::{TableError, listed, names, rewrite, table};
pub use tally::{Outcomes, Tally};
