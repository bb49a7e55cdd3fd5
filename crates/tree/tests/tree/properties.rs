//! What holds for every sequence of commands.

use proptest::{prelude::ProptestConfig, prop_assert_eq, proptest};
use tree::{CommandFlags, Millis, MultiOutcome, Outcome, Reply, State};

use crate::{
    generate::{commands, plain_commands},
    model::Model,
    script::{dump, parse_command},
};

const FLAGS: CommandFlags =
    CommandFlags::SCHEME_DIGEST.with(CommandFlags::SKIP_ACL).with(CommandFlags::ENFORCE_QUOTA);

/// Sessions to begin with; then the commands, ten milliseconds apart.
fn run(state: &mut State, lines: &[String], mut see: impl FnMut(&State, Millis, &str, Outcome)) {
    let opening = ["s1 open 1000".to_owned(), "s2 open 1000".to_owned()];
    for (index, line) in opening.iter().chain(lines).enumerate() {
        let time = Millis(1000 + 10 * i64::try_from(index).expect("few"));
        let outcome = state.apply(time, &parse_command(line, FLAGS));
        see(state, time, line, outcome);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_tree_does_what_the_plain_model_does(lines in plain_commands(60)) {
        let mut model = Model::new();
        run(&mut State::new(), &lines, |state, time, line, outcome| {
            let command = parse_command(line, FLAGS);
            let (result, changes) =
                model.apply(time, (command.session, command.owner), &command.op);
            assert_eq!(outcome.result, result, "{line}");
            let described = outcome.changes.iter().map(|change| (change.kind, change.path.to_string()));
            assert_eq!(described.collect::<Vec<_>>(), changes, "{line}");
            model.assert_equals(state);
        });
    }

    #[test]
    fn two_replicas_of_one_log_are_equal(lines in commands(60)) {
        let (mut one, mut other) = (State::new(), State::new());
        let mut outcomes = Vec::new();
        run(&mut one, &lines, |_, _, _, outcome| outcomes.push(outcome));
        let mut outcomes = outcomes.into_iter();
        run(&mut other, &lines, |_, _, _, outcome| assert_eq!(outcomes.next(), Some(outcome)));
        prop_assert_eq!(dump(&one), dump(&other));
    }

    #[test]
    fn what_fails_leaves_no_trace_but_its_zxid(lines in commands(60)) {
        let mut before = String::new();
        run(&mut State::new(), &lines, |state, _, line, outcome| {
            let failed = matches!(
                &outcome.result,
                Err(_) | Ok(Reply::Multi(MultiOutcome::Failed { .. }))
            );
            let now = dump(state);
            let below_zxid = now.split_once(" term").expect("the first line has it").1.to_owned();
            if failed {
                assert_eq!(below_zxid, before, "{line}");
                assert_eq!(outcome.changes, []);
            }
            before = below_zxid;
        });
    }
}
