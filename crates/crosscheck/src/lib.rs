//! A proxy before a running `ZooKeeper` that repeats what its clients do on Rookery and compares.
//!
//! Clients connect to the proxy and get `ZooKeeper`'s answers, byte for byte; they never wait
//! for the comparison ([`relay`], [`tap`]). What passed is told to the [`director`], which
//! repeats each request on Rookery when all that came before it on `ZooKeeper` has been
//! repeated, and hands both replies to the [`judge`]. An [`observer`] sees what changes on
//! `ZooKeeper` without the proxy. What differs, and how much was compared, is in the
//! [`Report`].
//!
//! What is not here: a client library, TLS, and any knowledge of how either server works.

mod change;
mod client;
mod copy;
mod director;
mod driver;
mod frames;
mod input;
mod judge;
mod metrics;
mod observer;
mod relay;
mod remote_task;
mod report;
mod rewrite;
mod servers;
mod start;
mod tap;

pub use client::{Auth, ClientError};
pub use copy::{Copy, CopyError};
pub use driver::Outcome;
pub use report::{Counts, Found, GivenUp, Line, Place, Reason, Report};
pub use servers::{BadServers, Servers};
pub use start::{Crosscheck, Settings, StartError};
