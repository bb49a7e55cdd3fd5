//! The oracle: runs one program against two servers and compares all that they say.
//!
//! The expectation is never written down by hand: it is what Apache ZooKeeper answers.
//! [`run`] turns a program into [`Observation`]s, [`compare`] finds the first difference,
//! [`generate`] makes up programs and [`shrink`] makes a failing one small. What may differ,
//! and why, is listed in `docs/compatibility.md`.

mod compare;
mod decode;
pub mod generate;
mod observation;
pub mod process;
mod render;
mod run;
mod servers;
pub mod shrink;

pub use compare::{Difference, compare};
pub use observation::{Event, Observation, Value};
pub use render::render;
pub use run::{RunError, Runner, run};
pub use servers::{Pair, PairError, super_user};
