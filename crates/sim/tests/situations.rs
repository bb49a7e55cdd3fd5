//! What must be met now and then to count as tried: the checks of these would hold as well if
//! they never happened. No seed here stands for one fault: every change of the simulation makes
//! other runs of them, so that what a seed found has a test where its fault was.

use sim::{Outcome, Plan, run};

/// The rarest, an attachment that comes too late, is met in one run of twelve.
const SEEDS_MAX: u64 = 150;

#[derive(Debug, Default)]
struct Met {
    moved: u64,
    late: u64,
    changed: usize,
    restored: u64,
    put_off: u64,
}

impl Met {
    fn add(&mut self, outcome: &Outcome) {
        let counts = outcome.counts;
        self.moved += counts.moves.done - counts.moves.unguarded;
        self.late += counts.moves.refused;
        self.changed += counts.members;
        self.restored += counts.restored;
        self.put_off += counts.put_off;
    }

    fn is_enough(&self) -> bool {
        self.moved > 100
            && self.late > 0
            && self.changed > 50
            && self.restored > 10
            && self.put_off > 100
    }
}

#[test]
fn sessions_move_late_members_change_checkpoints_are_sent_and_requests_put_off() {
    let mut met = Met::default();
    for seed in 2001..2001 + SEEDS_MAX {
        let outcome = run(Plan::usual(seed));
        // Whether `cargo xtask sim --seed` repeats it depends on how this test was built.
        assert_eq!(outcome.violations, Vec::<String>::new(), "seed {seed}: {outcome:#?}");
        met.add(&outcome);
        if met.is_enough() {
            return;
        }
    }
    panic!("{met:?} in {SEEDS_MAX} runs");
}
