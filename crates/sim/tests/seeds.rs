//! Some seeds of the simulation; `cargo xtask sim` runs any number.

use sim::{Plan, run};

/// Enough to meet every kind of fault many times, in half a minute.
const SEEDS: u64 = 60;

#[test]
fn clusters_survive_crashes_cut_links_and_slow_disks() {
    for seed in 1..=SEEDS {
        let servers = if seed % 4 == 0 { 5 } else { 3 };
        let outcome = run(Plan { seed, servers, clients: 4, faults: 30 });
        assert_eq!(outcome.violations, Vec::<String>::new(), "seed {seed}: {outcome:#?}");
        assert!(outcome.counts.acknowledged > 0, "seed {seed} did nothing");
    }
}

#[cfg(tokio_unstable)]
#[test]
fn a_seed_gives_the_same_run_each_time() {
    let plan = Plan { seed: 7, servers: 3, clients: 4, faults: 30 };
    let first = run(plan);
    assert_eq!(run(plan).fingerprint, first.fingerprint);
    assert_ne!(run(Plan { seed: 8, ..plan }).fingerprint, first.fingerprint);
}
