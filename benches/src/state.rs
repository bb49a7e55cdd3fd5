//! Operations on a tree of some ten thousand znodes.

use std::hint::black_box;

use benches::{DATA, apply, create};
use tree::{CommandFlags, Op, Query, State};

use crate::Operation;

pub(crate) const OPERATIONS: &[Operation] = &[
    ("tree-get", get),
    ("tree-set", set),
    ("tree-create", create_each),
    ("tree-create-delete", create_and_delete),
];

const ZNODES: u32 = 10_000;
const PARENTS: u32 = 10;

fn get(times: u32) {
    let (state, paths) = (filled(), paths());
    for path in paths.iter().cycle().take(times as usize) {
        let query = Query::GetData { path: black_box(path) };
        let answer = state.query(&query, &[], CommandFlags::default());
        black_box(answer.expect("the znode is there"));
    }
}

fn set(times: u32) {
    let (mut state, paths) = (filled(), paths());
    for path in paths.iter().cycle().take(times as usize) {
        let op = Op::SetData { path: Some(path), data: Some(&DATA), version: -1 };
        black_box(apply(&mut state, op));
    }
}

fn create_each(times: u32) {
    let mut state = filled();
    for index in 0..times {
        black_box(create(&mut state, &format!("/bench/new-{index:010}")));
    }
}

fn create_and_delete(times: u32) {
    let mut state = filled();
    for _ in 0..times {
        black_box(create(&mut state, "/bench/new"));
        black_box(apply(&mut state, Op::Delete { path: "/bench/new", version: -1 }));
    }
}

fn filled() -> State {
    let mut state = State::new();
    state.enter_term(1);
    create(&mut state, "/bench");
    create(&mut state, "/bench/keys");
    for parent in 0..PARENTS {
        create(&mut state, &format!("/bench/keys/{parent:06}"));
    }
    for path in paths() {
        create(&mut state, &path);
    }
    state
}

fn paths() -> Vec<String> {
    (0..ZNODES).map(|key| format!("/bench/keys/{:06}/{key:08}", key % PARENTS)).collect()
}
