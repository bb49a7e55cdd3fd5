//! Real client libraries do what they always did: each is asked for every behaviour of
//! `clients/behaviours.txt` by a program of its own in `clients/`, and what comes out is what the
//! table in `docs/compatibility.md` says.
//!
//! Environment: `UPDATE_EXPECT=1` asks Apache ZooKeeper and Rookery both, and writes the table;
//! `COMPAT_SERVER=zookeeper` asks ZooKeeper only, which tests the programs; `ROOKERY_BIN` names
//! another binary to test; `COMPAT_ONLY` asks only for behaviours whose name contains it;
//! `COMPAT_RECORD=dir` keeps what the clients sent to a lone server, for `oracle_recorded.rs`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod driver;
mod table;

use compat_tests::client_programs::{self, Program};
use compat_tests::oracle::process::Software;
use compat_tests::prerequisites::Missing;

/// Asks a client for all behaviours, and compares with its column of the table, or writes it.
fn column(client: &str, program: impl Fn() -> Result<Program, Missing>) {
    let only = std::env::var("COMPAT_ONLY").unwrap_or_default();
    let program = || program().unwrap();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        assert!(only.is_empty(), "COMPAT_ONLY gives no whole column");
        let zookeeper = driver::run(client, Software::ZooKeeper, &program);
        let rookery = driver::run(client, Software::Rookery, &program);
        table::write(client, &zookeeper, &rookery);
        return;
    }
    let software = Software::from_env();
    let outcomes = driver::run(client, software, &program);
    let names = driver::behaviours().into_iter().map(|(name, _)| name);
    let asked: Vec<String> = names.filter(|name| name.contains(&only)).collect();
    assert!(!asked.is_empty(), "{only} is in the name of no behaviour");
    table::compare(client, software, &outcomes, &asked);
}

#[test]
fn java_3_4() {
    column("Java 3.4.14", || client_programs::java("3.4.14"));
}

#[test]
fn java_3_5() {
    column("Java 3.5.10", || client_programs::java("3.5.10"));
}

#[test]
fn java_3_8() {
    column("Java 3.8.4", || client_programs::java("3.8.4"));
}

#[test]
fn java_3_9() {
    column("Java 3.9.5", || client_programs::java("3.9.5"));
}

#[test]
fn c() {
    column("C 3.8.0", client_programs::c);
}

#[test]
fn kazoo() {
    column("kazoo 2.10.0", || client_programs::python("kazoo_driver.py", "kazoo==2.10.0"));
}

#[test]
fn aiozk() {
    column("aiozk 0.32.0", || client_programs::python("aiozk_driver.py", "aiozk==0.32.0"));
}

#[test]
fn go_zookeeper() {
    column("go-zookeeper 1.0.4", client_programs::go);
}

#[test]
fn npm_node_zookeeper_client() {
    column("node-zookeeper-client 1.1.3", || client_programs::npm("pure.js"));
}

#[test]
fn npm_zookeeper() {
    column("zookeeper (npm) 7.3.0", || client_programs::npm("native.js"));
}

#[test]
fn rust_zookeeper_client() {
    column("zookeeper-client 0.11.2", || client_programs::rust("zookeeper-client"));
}

#[test]
fn rust_tokio_zookeeper() {
    column("tokio-zookeeper 0.4.0", || client_programs::rust("tokio-zookeeper"));
}

/// Apache's shell and Curator have behaviours of their own.
#[test]
fn java_shell_and_curator() {
    let suite = client_programs::shell_and_curator().unwrap();
    driver::run_suite("shell and Curator", suite);
}

/// So have kazoo's recipes.
#[test]
fn kazoo_recipes() {
    let suite = client_programs::python("recipes.py", "kazoo==2.10.0").unwrap();
    driver::run_suite("kazoo's recipes", suite);
}
