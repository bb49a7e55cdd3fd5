//! Some seeds of the simulation; `cargo xtask sim` runs any number, and `cargo xtask ci` 1,000.
//!
//! Here tokio's chance is its own and not the seed's, so that one that fails may not fail again:
//! what its servers said is written to a file.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    thread,
};

use parking_lot::Mutex;
use sim::{Plan, run};

/// Enough to meet every kind of fault many times.
const SEEDS: u64 = 30;

#[test]
fn clusters_survive_faults_and_clients_see_nothing_of_them() {
    tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(|| Log).init();
    let mut events = 0;
    for seed in 1..=SEEDS {
        let _kept = KeptOnFailure::begin(seed);
        let outcome = run(Plan::usual(seed));
        assert_eq!(outcome.violations, Vec::<String>::new(), "seed {seed}: {outcome:#?}");
        assert!(outcome.counts.acknowledged > 0, "seed {seed} did nothing");
        events += outcome.counts.events;
    }
    assert!(events > 0, "nobody was told of anything");
}

#[cfg(tokio_unstable)]
#[test]
fn a_seed_gives_the_same_run_each_time() {
    let plan = Plan::usual(7);
    let first = run(plan);
    assert_eq!(run(plan).fingerprint, first.fingerprint);
    assert_ne!(run(Plan { seed: 8, ..plan }).fingerprint, first.fingerprint);
}

/// What the servers of this seed said.
static SAID: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SAID.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what was said to a file if the test fails.
struct KeptOnFailure(u64);

impl KeptOnFailure {
    fn begin(seed: u64) -> Self {
        SAID.lock().clear();
        Self(seed)
    }
}

impl Drop for KeptOnFailure {
    #[expect(clippy::print_stderr, reason = "a test that fails says why")]
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("seed-{}.log", self.0));
        let written = fs::write(&path, &*SAID.lock());
        eprintln!("what the servers of seed {} said: {} ({written:?})", self.0, path.display());
    }
}
