//! The matrix of watches, row by row, and the table against a naive model.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::{Expect, expect};
use proptest::prelude::*;
use proto::EventType;
use tree::{AclView, Change, ChangeKind, Stat, Zxid};

use super::{
    rearm::{Missed, RearmList, rearm},
    *,
};

const KINDS: [ChangeKind; 3] = [ChangeKind::Created, ChangeKind::Deleted, ChangeKind::DataChanged];

fn change(kind: ChangeKind, path: &str) -> Change {
    Change { kind, path: path.into(), acl: AclView::Open, parent_acl: AclView::Open }
}

/// What a change makes the table emit: (connection, event, path), as text.
fn fire(table: &mut WatchTable, kind: ChangeKind, path: &str) -> Vec<String> {
    let mut events = Vec::new();
    table.fire(&change(kind, path), &mut |watcher, event, path, _| {
        events.push(format!("{}:{event:?} {path}", watcher.0));
    });
    events
}

/// The ways to watch, by name, as connection 1 would.
fn watch(table: &mut WatchTable, how: &str, path: &str) {
    let me = WatcherId(1);
    match how {
        "data" => table.add_standard_data(path, me),
        "child" => table.add_standard_child(path, me),
        "persistent" => table.add(path, me, AddWatchMode::Persistent),
        "recursive" => table.add(path, me, AddWatchMode::PersistentRecursive),
        _ => unreachable!("no such way to watch"),
    }
    .unwrap();
}

/// Every way to watch `/p/n`, its parent and its grandparent, against every change of it;
/// after the arrow, what a second time brings.
#[test]
fn one_watch_against_every_change() {
    let mut trace = String::new();
    for how in ["data", "child", "persistent", "recursive"] {
        for watched in ["/p/n", "/p", "/", "/p/n/below", "/pn"] {
            for kind in KINDS {
                let mut table = WatchTable::default();
                watch(&mut table, how, watched);
                let first = fire(&mut table, kind, "/p/n");
                let second = fire(&mut table, kind, "/p/n");
                if !first.is_empty() {
                    trace += &format!("{how} {watched}, {kind:?}: {first:?} -> {second:?}\n");
                }
                let stays = table.total() > 0;
                assert_eq!(stays, second == first, "{how} {watched} {kind:?}");
            }
        }
    }
    expect![[r#"
        data /p/n, Created: ["1:NodeCreated /p/n"] -> []
        data /p/n, Deleted: ["1:NodeDeleted /p/n"] -> []
        data /p/n, DataChanged: ["1:NodeDataChanged /p/n"] -> []
        child /p/n, Deleted: ["1:NodeDeleted /p/n"] -> []
        child /p, Created: ["1:NodeChildrenChanged /p"] -> []
        child /p, Deleted: ["1:NodeChildrenChanged /p"] -> []
        persistent /p/n, Created: ["1:NodeCreated /p/n"] -> ["1:NodeCreated /p/n"]
        persistent /p/n, Deleted: ["1:NodeDeleted /p/n"] -> ["1:NodeDeleted /p/n"]
        persistent /p/n, DataChanged: ["1:NodeDataChanged /p/n"] -> ["1:NodeDataChanged /p/n"]
        persistent /p, Created: ["1:NodeChildrenChanged /p"] -> ["1:NodeChildrenChanged /p"]
        persistent /p, Deleted: ["1:NodeChildrenChanged /p"] -> ["1:NodeChildrenChanged /p"]
        recursive /p/n, Created: ["1:NodeCreated /p/n"] -> ["1:NodeCreated /p/n"]
        recursive /p/n, Deleted: ["1:NodeDeleted /p/n"] -> ["1:NodeDeleted /p/n"]
        recursive /p/n, DataChanged: ["1:NodeDataChanged /p/n"] -> ["1:NodeDataChanged /p/n"]
        recursive /p, Created: ["1:NodeCreated /p/n"] -> ["1:NodeCreated /p/n"]
        recursive /p, Deleted: ["1:NodeDeleted /p/n"] -> ["1:NodeDeleted /p/n"]
        recursive /p, DataChanged: ["1:NodeDataChanged /p/n"] -> ["1:NodeDataChanged /p/n"]
        recursive /, Created: ["1:NodeCreated /p/n"] -> ["1:NodeCreated /p/n"]
        recursive /, Deleted: ["1:NodeDeleted /p/n"] -> ["1:NodeDeleted /p/n"]
        recursive /, DataChanged: ["1:NodeDataChanged /p/n"] -> ["1:NodeDataChanged /p/n"]
    "#]]
    .assert_eq(&trace);
}

fn check(watches: &[(&str, &str)], changes: &[(ChangeKind, &str)], expected: &Expect) {
    let mut table = WatchTable::default();
    for (how, path) in watches {
        watch(&mut table, how, path);
    }
    let mut trace = String::new();
    for (kind, path) in changes {
        trace += &format!("{kind:?} {path}: {:?}\n", fire(&mut table, *kind, path));
    }
    trace += &format!("left: {}\n", table.total());
    expected.assert_eq(&trace);
}

#[test]
fn many_watches_of_one_connection_make_one_event_per_table() {
    use ChangeKind::{Created, DataChanged, Deleted};
    let all = ["data", "child", "persistent", "recursive"].map(|how| (how, "/p/n"));
    let changes =
        [(DataChanged, "/p/n"), (Created, "/p/n/x"), (Deleted, "/p/n/x"), (Deleted, "/p/n")];
    check(
        &all,
        &changes,
        &expect![[r#"
        DataChanged /p/n: ["1:NodeDataChanged /p/n"]
        Created /p/n/x: ["1:NodeCreated /p/n/x", "1:NodeChildrenChanged /p/n"]
        Deleted /p/n/x: ["1:NodeDeleted /p/n/x", "1:NodeChildrenChanged /p/n"]
        Deleted /p/n: ["1:NodeDeleted /p/n"]
        left: 2
    "#]],
    );
    check(
        &[("data", "/a"), ("child", "/a")],
        &[(Deleted, "/a")],
        &expect![[r#"
        Deleted /a: ["1:NodeDeleted /a"]
        left: 0
    "#]],
    );
    check(
        &[("child", "/a")],
        &[(Deleted, "/a")],
        &expect![[r#"
        Deleted /a: ["1:NodeDeleted /a"]
        left: 0
    "#]],
    );
    check(
        &[("recursive", "/"), ("recursive", "/a"), ("child", "/a")],
        &[(Created, "/a/zz"), (Deleted, "/a/zz"), (DataChanged, "/a"), (Deleted, "/a")],
        &expect![[r#"
            Created /a/zz: ["1:NodeCreated /a/zz", "1:NodeChildrenChanged /a"]
            Deleted /a/zz: ["1:NodeDeleted /a/zz"]
            DataChanged /a: ["1:NodeDataChanged /a"]
            Deleted /a: ["1:NodeDeleted /a"]
            left: 2
        "#]],
    );
    check(
        &[("persistent", "/a")],
        &[(Created, "/a/b"), (DataChanged, "/a"), (Deleted, "/a/b"), (Deleted, "/a")],
        &expect![[r#"
            Created /a/b: ["1:NodeChildrenChanged /a"]
            DataChanged /a: ["1:NodeDataChanged /a"]
            Deleted /a/b: ["1:NodeChildrenChanged /a"]
            Deleted /a: ["1:NodeDeleted /a"]
            left: 2
        "#]],
    );
    check(
        &[("child", "/"), ("child", "")],
        &[(Created, "/a")],
        &expect![[r#"
            Created /a: ["1:NodeChildrenChanged /"]
            left: 1
        "#]],
    );
}

/// Every combination of watches on a znode, its parent and the root, against what a
/// running ZooKeeper told its client.
#[test]
fn events_are_those_of_a_running_zookeeper() {
    let recorded = include_str!("../../testdata/watch_events.txt");
    let mut table = WatchTable::default();
    let mut replayed = String::new();
    for line in recorded.lines() {
        if line.starts_with('#') {
            replayed += line;
        } else if let Some(change) = line.strip_prefix("  ") {
            let change = change.split(':').next().unwrap();
            replayed += &format!("  {change}: {}", told(&mut table, change));
        } else {
            let (ways, path) = line.split_once(" on ").unwrap();
            table = WatchTable::default();
            ways.split(' ').for_each(|how| watch(&mut table, how, path));
            replayed += line;
        }
        replayed.truncate(replayed.trim_end().len());
        replayed.push('\n');
    }
    assert_eq!(replayed, recorded);
}

/// The events of a change such as `delete /a`, as the recording writes them.
fn told(table: &mut WatchTable, what: &str) -> String {
    let (verb, path) = what.split_once(' ').unwrap();
    let kind = match verb {
        "create" => ChangeKind::Created,
        "delete" => ChangeKind::Deleted,
        _ => ChangeKind::DataChanged,
    };
    let mut events = Vec::new();
    table.fire(&change(kind, path), &mut |_, event, path, _| {
        events.push(format!("{} {path}", event.code()));
    });
    events.join(", ")
}

#[test]
fn the_acl_handed_out_is_the_one_that_decides() {
    let own = AclView::List(std::sync::Arc::new(tree::AclList::default()));
    let change = Change {
        kind: ChangeKind::Deleted,
        path: "/p/n".into(),
        acl: own.clone(),
        parent_acl: AclView::Open,
    };
    let mut table = WatchTable::default();
    for (how, path) in [("data", "/p/n"), ("child", "/p")] {
        watch(&mut table, how, path);
    }
    let mut seen = Vec::new();
    table.fire(&change, &mut |_, event, _, acl| seen.push((event, acl.clone())));
    let expected = [(EventType::NodeDeleted, own), (EventType::NodeChildrenChanged, AclView::Open)];
    assert_eq!(seen, expected);
}

/// Which removal takes what: for each way to watch, the types that find it, that take
/// something away, and what is left after.
#[test]
fn removal_is_by_mode() {
    let kinds = [
        WatcherType::Children,
        WatcherType::Data,
        WatcherType::Any,
        WatcherType::Persistent,
        WatcherType::PersistentRecursive,
    ];
    let mut trace = String::new();
    for how in ["data", "child", "persistent", "recursive"] {
        for kind in kinds {
            let mut table = WatchTable::default();
            watch(&mut table, how, "/a");
            assert!(!table.remove("/b", WatcherId(1), kind));
            assert!(!table.remove("/a", WatcherId(2), kind));
            let found = table.contains("/a", WatcherId(1), kind);
            assert_eq!(table.remove("/a", WatcherId(1), kind), found);
            assert!(!table.contains("/a", WatcherId(1), kind));
            trace += &format!("{how} by {kind:?}: {found}, {} left\n", table.total());
        }
    }
    expect![[r#"
        data by Children: false, 1 left
        data by Data: true, 0 left
        data by Any: true, 0 left
        data by Persistent: false, 1 left
        data by PersistentRecursive: false, 1 left
        child by Children: true, 0 left
        child by Data: false, 1 left
        child by Any: true, 0 left
        child by Persistent: false, 1 left
        child by PersistentRecursive: false, 1 left
        persistent by Children: false, 2 left
        persistent by Data: false, 2 left
        persistent by Any: true, 0 left
        persistent by Persistent: true, 0 left
        persistent by PersistentRecursive: false, 2 left
        recursive by Children: false, 1 left
        recursive by Data: false, 1 left
        recursive by Any: true, 0 left
        recursive by Persistent: false, 1 left
        recursive by PersistentRecursive: true, 0 left
    "#]]
    .assert_eq(&trace);
}

#[test]
fn the_reports_count_the_data_table() {
    let mut table = WatchTable::default();
    let ends = [(1, "/a"), (1, "/b"), (2, "/a"), (1, "/a")];
    for (watcher, path) in ends {
        table.add_standard_data(path, WatcherId(watcher)).unwrap();
    }
    table.add_standard_child("/c", WatcherId(3)).unwrap();
    assert_eq!(table.data_summary(), WatchSummary { connections: 2, paths: 2, watches: 3 });
    assert_eq!((table.total(), table.count_of(WatcherId(1))), (4, 2));
    let by_watcher: Vec<_> = table.data_paths_by_watcher().collect();
    assert_eq!(by_watcher, [(WatcherId(1), vec!["/b", "/a"]), (WatcherId(2), vec!["/a"])]);
    let by_path: Vec<_> = table.data_watchers_by_path().collect();
    let both = vec![WatcherId(2), WatcherId(1)];
    assert_eq!(by_path, [("/a", both), ("/b", vec![WatcherId(1)])]);
    table.remove_watcher(WatcherId(1));
    assert_eq!(table.data_summary(), WatchSummary { connections: 1, paths: 1, watches: 1 });
}

#[test]
fn limits_hold_and_what_is_set_may_be_set_again() {
    let mut table = WatchTable::new(WatchLimits { per_connection: 1, total: 2 }, 7);
    assert_eq!(table.add_standard_data("/a", WatcherId(1)), Ok(()));
    assert_eq!(table.add_standard_data("/a", WatcherId(1)), Ok(()));
    assert_eq!(table.add_standard_data("/b", WatcherId(1)), Err(WatchLimitReached));
    assert_eq!(table.add_standard_data("/b", WatcherId(2)), Ok(()));
    assert_eq!(table.add_standard_data("/b", WatcherId(3)), Err(WatchLimitReached));
    assert_eq!(table.total(), 2);
}

#[test]
fn rearming_tells_what_was_missed_or_sets_the_watch() {
    let lists = [
        RearmList::Data,
        RearmList::Exist,
        RearmList::Child,
        RearmList::Persistent,
        RearmList::PersistentRecursive,
    ];
    let node =
        |mzxid, pzxid| Some(Stat { mzxid: Zxid(mzxid), pzxid: Zxid(pzxid), ..Stat::default() });
    let cases = [
        ("gone", None),
        ("unchanged", node(5, 5)),
        ("data set", node(6, 5)),
        ("child added", node(5, 6)),
    ];
    let mut trace = String::new();
    for list in lists {
        for (what, stat) in &cases {
            let mut table = WatchTable::default();
            let missed = Missed { stat: stat.as_ref(), last_seen: Zxid(5) };
            let event = rearm(&mut table, WatcherId(1), list, "/a", missed).unwrap();
            let set = table.total();
            trace += &format!("{list:?}, {what}: {event:?}, {set} watches set\n");
        }
    }
    expect![[r#"
        Data, gone: Some(NodeDeleted), 0 watches set
        Data, unchanged: None, 1 watches set
        Data, data set: Some(NodeDataChanged), 0 watches set
        Data, child added: None, 1 watches set
        Exist, gone: None, 1 watches set
        Exist, unchanged: Some(NodeCreated), 0 watches set
        Exist, data set: Some(NodeCreated), 0 watches set
        Exist, child added: Some(NodeCreated), 0 watches set
        Child, gone: Some(NodeDeleted), 0 watches set
        Child, unchanged: None, 1 watches set
        Child, data set: None, 1 watches set
        Child, child added: Some(NodeChildrenChanged), 0 watches set
        Persistent, gone: None, 2 watches set
        Persistent, unchanged: None, 2 watches set
        Persistent, data set: None, 2 watches set
        Persistent, child added: None, 2 watches set
        PersistentRecursive, gone: None, 1 watches set
        PersistentRecursive, unchanged: None, 1 watches set
        PersistentRecursive, data set: None, 1 watches set
        PersistentRecursive, child added: None, 1 watches set
    "#]]
    .assert_eq(&trace);
}

#[test]
fn a_million_watches_and_their_connections_come_and_go() {
    let mut table = WatchTable::default();
    for number in 0..100_000_u64 {
        let path = format!("/shard-{}/node-{number}", number % 100);
        for watcher in 0..10 {
            table.add_standard_data(&path, WatcherId(watcher)).unwrap();
        }
    }
    assert_eq!(table.total(), 1_000_000);
    assert_eq!(fire(&mut table, ChangeKind::DataChanged, "/shard-7/node-7").len(), 10);
    for watcher in 0..10 {
        table.remove_watcher(WatcherId(watcher));
    }
    assert!(table.is_empty());
    assert_eq!(table.data_summary(), WatchSummary::default());
}

/// One step of the comparison with the model.
#[derive(Clone, Debug)]
enum Step {
    Add { how: usize, path: usize, watcher: u64 },
    Remove { kind: usize, path: usize, watcher: u64 },
    Leave { watcher: u64 },
    Change { kind: usize, path: usize },
}

const PATHS: [&str; 7] = ["/", "/a", "/a/b", "/a/b/c", "/a/x", "/ab", "/z"];

fn step() -> impl Strategy<Value = Step> {
    let ends = (0..PATHS.len(), 0..4_u64);
    prop_oneof![
        4 => (0..4_usize, ends.clone())
            .prop_map(|(how, (path, watcher))| Step::Add { how, path, watcher }),
        2 => (0..5_usize, ends)
            .prop_map(|(kind, (path, watcher))| Step::Remove { kind, path, watcher }),
        1 => (0..4_u64).prop_map(|watcher| Step::Leave { watcher }),
        4 => (0..3_usize, 1..PATHS.len()).prop_map(|(kind, path)| Step::Change { kind, path }),
    ]
}

/// The watches as a set of (table, path, connection, mode) with the rules written out.
#[derive(Default)]
struct Model(BTreeSet<(&'static str, &'static str, u64, &'static str)>);

impl Model {
    fn add(&mut self, how: usize, path: &'static str, watcher: u64) {
        let rows: &[(&str, &str)] = match how {
            0 => &[("data", "standard")],
            1 => &[("child", "standard")],
            2 => &[("data", "persistent"), ("child", "persistent")],
            _ => &[("data", "recursive")],
        };
        for (table, mode) in rows {
            self.0.insert((table, path, watcher, mode));
        }
    }

    fn remove(&mut self, kind: usize, path: &str, watcher: u64) -> bool {
        let before = self.0.len();
        self.0.retain(|&(table, on, of, mode)| {
            let meant = match kind {
                0 => (table, mode) == ("child", "standard"),
                1 => (table, mode) == ("data", "standard"),
                2 => true,
                3 => mode == "persistent",
                _ => mode == "recursive",
            };
            !(on == path && of == watcher && meant)
        });
        self.0.len() < before
    }

    /// Events by connection, in order.
    fn change(&mut self, kind: usize, path: &str) -> BTreeMap<u64, Vec<String>> {
        let name = ["NodeCreated", "NodeDeleted", "NodeDataChanged"][kind];
        let parent =
            if path.rfind('/') == Some(0) { "/" } else { &path[..path.rfind('/').unwrap()] };
        let below =
            |on: &str| on == path || path.starts_with(&format!("{}/", on.trim_end_matches('/')));
        let mut events: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        let mut tell = |watcher: u64, told: String| {
            let list = events.entry(watcher).or_default();
            if !list.contains(&told) {
                list.push(told);
            }
        };
        for &(table, on, of, mode) in &self.0 {
            if table == "data" && (on == path || (mode == "recursive" && below(on))) {
                tell(of, format!("{name} {path}"));
            }
        }
        for &(table, on, of, _) in &self.0 {
            if table == "child" && on == path && kind == 1 {
                tell(of, format!("{name} {path}"));
            }
        }
        for &(table, on, of, _) in &self.0 {
            if table == "child" && on == parent && kind != 2 {
                tell(of, format!("NodeChildrenChanged {parent}"));
            }
        }
        self.0.retain(|&(table, on, _, mode)| {
            let hit = match table {
                "data" => on == path,
                _ => (on == path && kind == 1) || (on == parent && kind != 2),
            };
            !(hit && mode == "standard")
        });
        events
    }

    fn watches(&self) -> usize {
        self.0.iter().map(|&(table, on, of, _)| (table, on, of)).collect::<BTreeSet<_>>().len()
    }
}

proptest! {
    #[test]
    fn the_table_does_what_the_model_does(steps in prop::collection::vec(step(), 1..150)) {
        let mut table = WatchTable::new(WatchLimits::default(), 1);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Add { how, path, watcher } => {
                    let path = PATHS[path];
                    let id = WatcherId(watcher);
                    match how {
                        0 => table.add_standard_data(path, id),
                        1 => table.add_standard_child(path, id),
                        2 => table.add(path, id, AddWatchMode::Persistent),
                        _ => table.add(path, id, AddWatchMode::PersistentRecursive),
                    }.unwrap();
                    model.add(how, path, watcher);
                }
                Step::Remove { kind, path, watcher } => {
                    let meant = [
                        WatcherType::Children,
                        WatcherType::Data,
                        WatcherType::Any,
                        WatcherType::Persistent,
                        WatcherType::PersistentRecursive,
                    ][kind];
                    let removed = table.remove(PATHS[path], WatcherId(watcher), meant);
                    prop_assert_eq!(removed, model.remove(kind, PATHS[path], watcher));
                }
                Step::Leave { watcher } => {
                    table.remove_watcher(WatcherId(watcher));
                    model.0.retain(|&(_, _, of, _)| of != watcher);
                }
                Step::Change { kind, path } => {
                    let mut events: BTreeMap<u64, Vec<String>> = BTreeMap::new();
                    table.fire(&change(KINDS[kind], PATHS[path]), &mut |watcher, event, path, _| {
                        events.entry(watcher.0).or_default().push(format!("{event:?} {path}"));
                    });
                    prop_assert_eq!(events, model.change(kind, PATHS[path]));
                }
            }
            prop_assert_eq!(table.total(), model.watches());
            let data: BTreeSet<_> = model.0.iter().filter(|row| row.0 == "data").collect();
            let summary = WatchSummary {
                connections: data.iter().map(|row| row.2).collect::<BTreeSet<_>>().len(),
                paths: data.iter().map(|row| row.1).collect::<BTreeSet<_>>().len(),
                watches: data.iter().map(|row| (row.1, row.2)).collect::<BTreeSet<_>>().len(),
            };
            prop_assert_eq!(table.data_summary(), summary);
        }
    }
}
