//! Some seeds of the simulation; `cargo xtask sim` runs any number, and `cargo xtask ci` 1,000.

use sim::{Plan, run};

/// Enough to meet every kind of fault many times.
const SEEDS: u64 = 30;

#[test]
fn clusters_survive_faults_and_clients_see_nothing_of_them() {
    let mut events = 0;
    for seed in 1..=SEEDS {
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
