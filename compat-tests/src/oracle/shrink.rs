//! Makes a failing program small: steps are left out, halves first, while it still fails;
//! then connections.

use std::collections::BTreeSet;

use crate::script::{Action, Program};

/// The smallest program found for which `fails` holds, in at most `attempts_max` attempts.
pub fn shrink(
    program: &Program,
    attempts_max: usize,
    mut fails: impl FnMut(&Program) -> bool,
) -> Program {
    let mut smallest = program.clone();
    let mut attempts = 0;
    let mut length = smallest.steps.len() / 2;
    while length > 0 {
        let mut start = smallest.steps.len();
        while start > 0 && attempts < attempts_max {
            start = start.saturating_sub(length);
            let mut candidate = smallest.clone();
            let end = (start + length).min(candidate.steps.len());
            remove(&mut candidate, start, end);
            if candidate.steps.len() < smallest.steps.len() {
                attempts += 1;
                if fails(&candidate) {
                    smallest = candidate;
                }
            }
        }
        length /= 2;
    }
    for name in connections(&smallest) {
        let mut candidate = smallest.clone();
        candidate.steps.retain(|step| step.connection != name);
        if attempts < attempts_max && !is_named(&candidate, &name) {
            attempts += 1;
            if fails(&candidate) {
                smallest = candidate;
            }
        }
    }
    smallest
}

fn connections(program: &Program) -> BTreeSet<String> {
    program.steps.iter().map(|step| step.connection.clone()).collect()
}

/// Whether a connection goes on with the session of this one.
fn is_named(program: &Program, name: &str) -> bool {
    program.steps.iter().any(|step| match &step.action {
        Action::Connect(connect) => connect.session.as_deref() == Some(name),
        Action::Request(_) | Action::Queue(_) | Action::Flush | Action::Frame(_) => false,
        Action::Event | Action::Eof | Action::Drop => false,
    })
}

/// Everything but the first handshake of a connection, without which nothing runs.
fn remove(program: &mut Program, start: usize, end: usize) {
    let mut index = 0;
    let mut opened = BTreeSet::new();
    program.steps.retain(|step| {
        let opens =
            matches!(step.action, Action::Connect(_)) && opened.insert(step.connection.clone());
        let is_kept = !(start..end).contains(&index) || opens;
        index += 1;
        is_kept
    });
}

#[cfg(test)]
mod tests {
    use super::shrink;
    use crate::script::Program;

    #[test]
    fn what_does_not_matter_goes() {
        let mut text = "a connect\n".to_owned();
        for index in 0..40 {
            text.push_str(&format!("a create /n{index}\n"));
        }
        let program = Program::parse(&text).unwrap();
        let small = shrink(&program, 1000, |candidate| {
            let text = candidate.to_string();
            text.contains("/n7\n") && text.contains("/n31\n")
        });
        assert_eq!(
            small.to_string(),
            "a connect\na create /n7 \"\"\na create /n31 \"\"\n".replace(" \"\"", "")
        );
    }
}
