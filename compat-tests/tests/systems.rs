//! Kafka, and every recipe of Curator, on three servers whose leader is killed: the system that
//! most who run ZooKeeper run it for, and the library that most others use. The rest of the
//! systems: `cargo xtask systems`.

use std::io::{self, Write};

use compat_tests::systems::System;

fn run(name: &str) {
    let system = System::named(name).expect("it is known");
    let report = |check: &str| {
        // Written past the test's captured output: it says what was proven.
        let _ = writeln!(io::stdout().lock(), "{name}: {check}");
    };
    if let Err(error) = system.run(&mut { report }) {
        panic!("{name}: {error}");
    }
}

#[test]
fn kafka_goes_on_and_loses_nothing_when_the_leader_dies() {
    run("kafka");
}

#[test]
fn every_recipe_of_curator_goes_on_when_the_leader_dies() {
    run("curator");
}
