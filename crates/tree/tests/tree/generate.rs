//! Random commands in the script language, over so few paths, sessions and versions that
//! they meet often.

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any},
    prop_oneof,
    sample::select,
};

const NAMES: [&str; 4] = ["a", "b", "c", "é"];
const SESSIONS: [&str; 4] = ["s1", "s2", "s2.7", "s3"];
const QUOTAS: [&str; 6] = [
    "/zookeeper/quota/a",
    "/zookeeper/quota/a/zookeeper_limits",
    "/zookeeper/quota/a/zookeeper_stats",
    "/zookeeper/quota/a/b",
    "/zookeeper/quota/a/b/zookeeper_limits",
    "/zookeeper/quota/a/b/zookeeper_stats",
];

/// Commands that leave quotas alone.
pub(crate) fn plain_commands(most: usize) -> impl Strategy<Value = Vec<String>> {
    vec(command(path()), 0..most)
}

/// Commands of every kind.
pub(crate) fn commands(most: usize) -> impl Strategy<Value = Vec<String>> {
    let path = prop_oneof![4 => path(), 1 => select(&QUOTAS[..]).prop_map(str::to_owned)];
    vec(command(path.boxed()), 0..most)
}

fn command(path: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = String> {
    let set_acl = (path.clone(), acl()).prop_map(|(path, acl)| format!("setacl {path} {acl}"));
    let multi =
        vec(element(path.clone()), 0..5).prop_map(|ops| format!("multi {}", ops.join(" ; ")));
    let reap = path.clone().prop_map(|path| format!("reap {path}"));
    let op = prop_oneof![
        12 => element(path),
        6 => multi,
        2 => set_acl,
        2 => reap,
        3 => (1000..4000).prop_map(|timeout| format!("open {timeout}")),
        1 => (1000..4000).prop_map(|timeout| format!("attach {timeout}")),
        1 => (1..4).prop_map(|owner| format!("attach 1000 from={owner}")),
        1 => Just("close".to_owned()),
        1 => (select(&SESSIONS[..]), select(&["", " 0", " 1"][..])).prop_map(|(who, term)| {
            let owner = if who.contains('.') { "" } else { ".1" };
            format!("expire {}{owner}{term}", &who[1..])
        }),
    ];
    (select(&SESSIONS[..]), op).prop_map(|(session, op)| format!("{session} {op}"))
}

fn element(path: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = String> {
    prop_oneof![
        5 => (path.clone(), data(), mode(), acl()).prop_map(|(path, data, mode, acl)| {
            format!("create {path} {data} {mode} acl={acl}")
        }),
        2 => (path.clone(), version()).prop_map(|(path, version)| format!("delete {path} {version}")),
        3 => (path.clone(), data(), version()).prop_map(|(path, data, version)| {
            format!("set {path} {data} {version}")
        }),
        1 => (path, version()).prop_map(|(path, version)| format!("check {path} {version}")),
    ]
}

fn path() -> proptest::strategy::BoxedStrategy<String> {
    let names = vec(select(&NAMES[..]), 1..4);
    names.prop_map(|names| format!("/{}", names.join("/"))).boxed()
}

fn data() -> impl Strategy<Value = String> {
    prop_oneof![Just("-".to_owned()), "[0-9]{1,12}", Just("count=9,bytes=9".to_owned())]
}

fn version() -> impl Strategy<Value = i32> {
    prop_oneof![4 => Just(-1), 1 => 0..2]
}

fn mode() -> impl Strategy<Value = String> {
    let named = select(&["p", "p", "e", "ps", "es", "c"][..]).prop_map(str::to_owned);
    prop_oneof![6 => named, 1 => (1..50).prop_map(|ms| format!("ttl={ms}")), 1 => Just("sttl=7".to_owned())]
}

/// All of them permit everything: access is tested elsewhere.
fn acl() -> impl Strategy<Value = &'static str> {
    any::<bool>().prop_map(|open| {
        if open { "world:anyone:cdrwa" } else { "world:anyone:cdrwa,digest:a:b:r" }
    })
}
