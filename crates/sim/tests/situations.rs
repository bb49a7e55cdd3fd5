//! What must be met often enough to count as tried: the checks of these would hold as well if
//! they never happened. No seed here stands for one fault: every change of the simulation makes
//! other runs of them, so that what a seed found has a test where its fault was.

use sim::{Plan, run};

#[test]
fn sessions_move_late_members_change_and_checkpoints_are_sent() {
    let (mut moved, mut late, mut changed, mut restored) = (0, 0, 0, 0);
    for seed in 2001..=2012 {
        let outcome = run(Plan::usual(seed));
        assert_eq!(outcome.violations, Vec::<String>::new(), "seed {seed}: {outcome:#?}");
        moved += outcome.counts.moves.done - outcome.counts.moves.unguarded;
        late += outcome.counts.moves.refused;
        changed += outcome.counts.members;
        restored += outcome.counts.restored;
    }
    assert!(moved > 100, "{moved} sessions moved");
    assert!(late > 0, "no attachment came too late");
    assert!(changed > 50, "{changed} changes of the members");
    assert!(restored > 10, "{restored} checkpoints were sent");
}
