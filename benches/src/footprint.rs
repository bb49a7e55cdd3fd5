//! What a million small znodes cost: bytes of memory a znode, nanoseconds an operation.
//!
//! `cargo run --release -p benches --bin footprint [znodes [parents]]`; Linux only. Paths have
//! four components, data 100 bytes; operations go to znodes in a scattered order.
//! Times are of the processor, so that other processes disturb less.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::{hint::black_box, time::Instant};

use benches::{DATA, apply, create};
use tree::{CommandFlags, Loader, Op, Query, State};

const OPERATIONS: usize = 1_000_000;

fn main() {
    let argument = |index| std::env::args().nth(index).map(|text| text.parse().expect("a number"));
    let znodes: usize = argument(1).unwrap_or(1_000_000);
    let parents: usize = argument(2).unwrap_or(1000);
    let paths: Vec<String> = (0..znodes).map(|index| path(index, parents)).collect();
    let mut state = State::new();
    state.enter_term(1);
    create(&mut state, "/app");
    create(&mut state, "/app/services");
    for parent in 0..parents {
        create(&mut state, &format!("/app/services/svc{parent:03}"));
    }

    let before = resident_bytes();
    let mut worst = 0;
    let start = Stopwatch::start();
    for path in &paths {
        let one = Instant::now();
        create(&mut state, path);
        worst = worst.max(one.elapsed().as_micros());
    }
    report("create", start, znodes);
    println!("create     {worst:>8} us at worst");
    let each = (resident_bytes() - before) / znodes;
    println!("memory     {each:>8} B a znode, {} beside its data", each - DATA.len());

    time_operations(&mut state, &paths, parents);
    time_checkpoint(&mut state);
    time_loading(&mut state);
    time_deletes(&mut state, &paths);
}

fn time_operations(state: &mut State, paths: &[String], parents: usize) {
    // In a new list, so that the paths lie in the cache, as those of requests do.
    let scattered = |index: usize| paths[index.wrapping_mul(611_953) % paths.len()].clone();
    let scattered: Vec<String> = (0..OPERATIONS).map(scattered).collect();
    let start = Stopwatch::start();
    for path in &scattered {
        let query = Query::GetData { path };
        black_box(state.query(&query, &[], CommandFlags::default()).expect("it is there"));
    }
    report("get", start, OPERATIONS);

    let start = Stopwatch::start();
    for path in &scattered {
        let path = Some(path.as_str());
        apply(state, Op::SetData { path, data: Some(&DATA), version: -1 });
    }
    report("set", start, OPERATIONS);

    let query = Query::GetChildren { path: "/app/services/svc000" };
    let start = Stopwatch::start();
    for _ in 0..100 {
        black_box(state.query(&query, &[], CommandFlags::default()).expect("it is there"));
    }
    report("child", start, 100 * paths.len() / parents);
}

fn time_checkpoint(state: &mut State) {
    state.mark_all_dirty();
    let start = Instant::now();
    let mut cut = state.begin_cut();
    let (mut bytes, mut chunks, mut worst) = (0, 0, 0);
    loop {
        let one = Instant::now();
        let done = state.write_cut(&mut cut, 256 << 10, &mut |key, value| {
            bytes += key.len() + value.map_or(0, <[u8]>::len);
        });
        chunks += 1;
        worst = worst.max(one.elapsed().as_micros());
        if done {
            break;
        }
    }
    state.end_cut(cut, true);
    let elapsed = start.elapsed();
    println!("checkpoint {elapsed:>8.1?} for {bytes} B in {chunks} chunks, worst {worst} us");
}

fn time_loading(state: &mut State) {
    let mut stored: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    state.mark_all_dirty();
    let mut cut = state.begin_cut();
    let done = state.write_cut(&mut cut, usize::MAX, &mut |key, value| {
        stored.extend(value.map(|value| (key.to_vec(), value.to_vec())));
    });
    state.end_cut(cut, done);
    let start = Stopwatch::start();
    let mut loader = Loader::new();
    for (key, value) in &stored {
        loader.load(key, value).expect("it was written just now");
    }
    let loaded = loader.finish().expect("it was written just now");
    report("load", start, stored.len());
    assert_eq!(loaded.digest(), state.digest());
}

fn time_deletes(state: &mut State, paths: &[String]) {
    let start = Stopwatch::start();
    for path in paths {
        apply(state, Op::Delete { path, version: -1 });
    }
    report("delete", start, paths.len());
}

fn path(index: usize, parents: usize) -> String {
    format!("/app/services/svc{:03}/node-{index:010}", index % parents)
}

fn report(what: &str, start: Stopwatch, operations: usize) {
    let each = start.elapsed_ns() / operations as u64;
    println!("{what:<10} {each:>8} ns each");
}

/// Processor time of this process.
struct Stopwatch(u64);

impl Stopwatch {
    fn start() -> Self {
        Self(Self::now_ns())
    }

    fn elapsed_ns(self) -> u64 {
        Self::now_ns() - self.0
    }

    fn now_ns() -> u64 {
        let text = std::fs::read_to_string("/proc/self/schedstat").expect("Linux has it");
        let field = text.split(' ').next().expect("the first field");
        field.parse().expect("nanoseconds")
    }
}

/// Resident memory of this process.
fn resident_bytes() -> usize {
    const PAGE_BYTES: usize = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let resident = statm.split(' ').nth(1).expect("the second field");
    resident.parse::<usize>().expect("a number") * PAGE_BYTES
}
