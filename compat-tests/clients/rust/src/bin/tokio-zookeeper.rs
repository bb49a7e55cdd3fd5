//! Asks tokio-zookeeper for the behaviours of `behaviours.txt`.

use std::time::Duration;

use compat_clients::{ALICE, Behaviour, behaviours, ensemble, lone, order, soon, until};
use futures::channel::oneshot;
use tokio_zookeeper::error::{Create, Delete, SetAcl, SetData};
use tokio_zookeeper::{
    Acl, CreateMode, MultiResponse, Permission, WatchedEvent, WatchedEventType, ZooKeeper,
    ZooKeeperBuilder, error,
};

const BEHAVIOURS: &[Behaviour] = behaviours![
    "connect" => connect,
    "create" => create,
    "create-ephemeral" => create_ephemeral,
    "create-sequential" => create_sequential,
    "container" => container,
    "get-set" => get_set,
    "exists" => exists,
    "delete" => delete,
    "children" => children,
    "bad-version" => bad_version,
    "node-errors" => node_errors,
    "data-empty" => data_empty,
    "data-large" => data_large,
    "data-too-large" => data_too_large,
    "unicode" => unicode,
    "acl" => acl,
    "quota" => quota,
    "multi" => multi,
    "multi-fails" => multi_fails,
    "watch-data" => watch_data,
    "watch-exists" => watch_exists,
    "watch-children" => watch_children,
    "watch-once" => watch_once,
    "watch-first" => watch_first,
    "pipeline" => pipeline,
    "session-kept" => session_kept,
    "session-restart" => session_restart,
    "session-close" => session_close,
    "config-get" => config_get,
    unsupported:
    "create-stat",
    "ttl",
    "children-stat",
    "acl-digest",
    "acl-auth",
    "acl-ip",
    "auth-unknown",
    "auth-again",
    "multi-read",
    "watch-persistent",
    "watch-recursive",
    "watch-remove",
    "watch-again",
    "watch-missed",
    "sync",
    "ephemerals-of",
    "all-children",
    "who-am-i",
    "session-expired",
    "session-takeover",
    "chroot",
    // It knows one server.
    "server-killed",
    "leader-killed",
    "read-only",
    "reconfig",
];

#[tokio::main]
async fn main() {
    compat_clients::run(BEHAVIOURS).await;
}

async fn to(server: &str, timeout_ms: u64) -> ZooKeeper {
    let mut builder = ZooKeeperBuilder::default();
    builder.set_timeout(Duration::from_millis(timeout_ms));
    let server = server.parse().unwrap();
    soon("a connection", builder.connect(&server)).await.unwrap().0
}

async fn another() -> ZooKeeper {
    to(&lone(), 6000).await
}

/// A client of the lone server, with the behaviour's own path made.
async fn client(root: &str) -> ZooKeeper {
    let client = another().await;
    make(&client, root, "").await;
    client
}

async fn create_as(
    client: &ZooKeeper,
    path: &str,
    data: &str,
    mode: CreateMode,
) -> Result<String, Create> {
    client.create(path, data.as_bytes().to_vec(), Acl::open_unsafe(), mode).await.unwrap()
}

async fn make(client: &ZooKeeper, path: &str, data: &str) {
    create_as(client, path, data, CreateMode::Persistent).await.unwrap();
}

async fn set(client: &ZooKeeper, path: &str, data: &str) {
    client.set_data(path, None, data.as_bytes().to_vec()).await.unwrap().unwrap();
}

async fn remove(client: &ZooKeeper, path: &str) {
    client.delete(path, None).await.unwrap().unwrap();
}

async fn data(client: &ZooKeeper, path: &str) -> String {
    String::from_utf8(client.get_data(path).await.unwrap().unwrap().0).unwrap()
}

async fn fires(watch: oneshot::Receiver<WatchedEvent>, kind: WatchedEventType, path: &str) {
    let event = soon("an event", watch).await.unwrap();
    assert_eq!((event.event_type, event.path.as_str()), (kind, path));
}

/// It does not tell its session's id or timeout; the owner of an ephemeral is the id.
async fn connect(root: String) {
    let client = another().await;
    create_as(&client, &root, "", CreateMode::Ephemeral).await.unwrap();
    assert_ne!(client.exists(&root).await.unwrap().unwrap().ephemeral_owner, 0);
}

async fn create(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/a");
    let made = create_as(&client, &path, "one", CreateMode::Persistent).await;
    assert_eq!(made, Ok(path));
}

async fn create_ephemeral(root: String) {
    let (client, other) = (client(&root).await, another().await);
    let path = format!("{root}/e");
    create_as(&client, &path, "", CreateMode::Ephemeral).await.unwrap();
    assert_ne!(other.exists(&path).await.unwrap().unwrap().ephemeral_owner, 0);
    let below = create_as(&other, &format!("{path}/c"), "", CreateMode::Persistent).await;
    assert_eq!(below, Err(Create::NoChildrenForEphemerals));
}

async fn create_sequential(root: String) {
    let client = client(&root).await;
    let mode = CreateMode::PersistentSequential;
    let made = create_as(&client, &format!("{root}/s-"), "", mode).await;
    assert_eq!(made, Ok(format!("{root}/s-0000000000")));
    make(&client, &format!("{root}/plain"), "").await;
    let mode = CreateMode::EphemeralSequential;
    let made = create_as(&client, &format!("{root}/e-"), "", mode).await;
    assert_eq!(made, Ok(format!("{root}/e-0000000002")));
}

async fn container(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/container");
    create_as(&client, &path, "", CreateMode::Container).await.unwrap();
    make(&client, &format!("{path}/c"), "").await;
    remove(&client, &format!("{path}/c")).await;
    until("its end", async || client.exists(&path).await.unwrap().is_none()).await;
}

async fn get_set(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/a");
    make(&client, &path, "one").await;
    let (read, stat) = client.get_data(&path).await.unwrap().unwrap();
    assert_eq!((read.as_slice(), stat.version, stat.data_length), (&b"one"[..], 0, 3));
    let changed = client.set_data(&path, Some(0), b"two".to_vec()).await.unwrap().unwrap();
    assert_eq!((changed.version, changed.mzxid > stat.mzxid), (1, true));
    assert_eq!(data(&client, &path).await, "two");
}

async fn exists(root: String) {
    let client = client(&root).await;
    assert_eq!(client.exists(&format!("{root}/none")).await.unwrap(), None);
    let stat = client.exists(&root).await.unwrap().unwrap();
    assert_eq!(stat, client.get_data(&root).await.unwrap().unwrap().1);
}

async fn delete(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/a");
    make(&client, &path, "").await;
    assert_eq!(client.delete(&root, None).await.unwrap(), Err(Delete::NotEmpty));
    remove(&client, &path).await;
    remove(&client, &root).await;
    assert_eq!(client.exists(&root).await.unwrap(), None);
}

async fn children(root: String) {
    let client = client(&root).await;
    assert_eq!(client.get_children(&root).await.unwrap(), Some(Vec::new()));
    for name in ["a", "b"] {
        make(&client, &format!("{root}/{name}"), "").await;
    }
    let mut names = client.get_children(&root).await.unwrap().unwrap();
    names.sort();
    assert_eq!(names, ["a", "b"]);
}

async fn bad_version(root: String) {
    let client = client(&root).await;
    let changed = client.set_data(&root, Some(1), Vec::new()).await.unwrap();
    assert_eq!(changed, Err(SetData::BadVersion { expected: 1 }));
    let deleted = client.delete(&root, Some(7)).await.unwrap();
    assert_eq!(deleted, Err(Delete::BadVersion { expected: 7 }));
    assert_eq!(client.delete(&root, Some(0)).await.unwrap(), Ok(()));
}

async fn node_errors(root: String) {
    let client = client(&root).await;
    let none = format!("{root}/none");
    let again = create_as(&client, &root, "", CreateMode::Persistent).await;
    assert_eq!(again, Err(Create::NodeExists));
    assert_eq!(client.get_data(&none).await.unwrap(), None);
    assert_eq!(client.set_data(&none, None, Vec::new()).await.unwrap(), Err(SetData::NoNode));
    assert_eq!(client.delete(&none, None).await.unwrap(), Err(Delete::NoNode));
    assert_eq!(client.get_children(&none).await.unwrap(), None);
    let below = create_as(&client, &format!("{none}/below"), "", CreateMode::Persistent).await;
    assert_eq!(below, Err(Create::NoNode));
}

async fn data_empty(root: String) {
    let client = client(&root).await;
    assert_eq!(data(&client, &root).await, "");
    let path = format!("{root}/zeros");
    make(&client, &path, "\0\0").await;
    assert_eq!(data(&client, &path).await, "\0\0");
}

async fn data_large(root: String) {
    let client = client(&root).await;
    let large = "x".repeat(1_000_000);
    set(&client, &root, &large).await;
    assert!(data(&client, &root).await == large);
}

async fn data_too_large(root: String) {
    let client = another().await;
    create_as(&client, &root, "", CreateMode::Ephemeral).await.unwrap();
    let big = soon("an answer", client.set_data(&root, None, vec![0; 1_100_000])).await;
    assert!(big.is_err(), "the connection breaks");
    until("the connection", async || client.exists(&root).await.is_ok()).await;
    assert_eq!(data(&client, &root).await, "");
}

async fn unicode(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/ünïcode-日本");
    make(&client, &path, "ünï").await;
    let names = client.get_children(&root).await.unwrap().unwrap();
    assert_eq!(names, ["ünïcode-日本"]);
    assert_eq!(data(&client, &path).await, "ünï");
}

async fn acl(root: String) {
    let client = client(&root).await;
    let (list, stat) = client.get_acl(&root).await.unwrap().unwrap();
    assert_eq!((list.as_slice(), stat.aversion), (Acl::open_unsafe(), 0));
    let few = vec![Acl::new(Permission::READ | Permission::ADMIN, "world", "anyone")];
    let changed = client.set_acl(&root, few.clone(), Some(0)).await.unwrap().unwrap();
    assert_eq!(changed.aversion, 1);
    let refused = client.set_data(&root, None, Vec::new()).await.unwrap();
    assert_eq!(refused, Err(SetData::NoAuth));
    let refused = client.set_acl(&root, few, Some(0)).await.unwrap();
    assert_eq!(refused, Err(SetAcl::BadVersion { expected: 0 }));
    let hers = vec![Acl::new(Permission::ALL, "digest", ALICE)];
    client.set_acl(&root, hers, None).await.unwrap().unwrap();
    let refused = client.set_acl(&root, Acl::open_unsafe(), None).await.unwrap();
    assert_eq!(refused, Err(SetAcl::NoAuth));
}

async fn quota(root: String) {
    let client = client(&root).await;
    let place = format!("/zookeeper/quota{root}");
    let stats = format!("{place}/zookeeper_stats");
    make(&client, &place, "").await;
    make(&client, &format!("{place}/zookeeper_limits"), "count=5,bytes=-1").await;
    make(&client, &stats, "count=1,bytes=0").await;
    make(&client, &format!("{root}/a"), "12345").await;
    let stats = data(&client, &stats).await;
    assert!(stats.starts_with("count=2,bytes=5"), "{stats}");
}

async fn multi(root: String) {
    let client = client(&root).await;
    let (a, c) = (format!("{root}/a"), format!("{root}/c"));
    let results = client
        .multi()
        .create(&a, b"1".to_vec(), Acl::open_unsafe(), CreateMode::Persistent)
        .check(&a, 0)
        .set_data(&a, Some(0), b"2".to_vec())
        .create(&c, Vec::new(), Acl::open_unsafe(), CreateMode::Persistent)
        .delete(&c, Some(0))
        .run()
        .await
        .unwrap();
    assert_eq!(results.len(), 5);
    assert_eq!(results[0], Ok(MultiResponse::Create(a.clone())));
    assert_eq!(results[1], Ok(MultiResponse::Check));
    assert!(matches!(&results[2], Ok(MultiResponse::SetData(stat)) if stat.version == 1));
    assert_eq!(results[4], Ok(MultiResponse::Delete));
    assert_eq!(data(&client, &a).await, "2");
    assert_eq!(client.exists(&c).await.unwrap(), None);
}

async fn multi_fails(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/a");
    let results = client
        .multi()
        .create(&path, b"1".to_vec(), Acl::open_unsafe(), CreateMode::Persistent)
        .check(&path, 3)
        .delete(&path, None)
        .run()
        .await
        .unwrap();
    let culprit = error::Multi::Check { source: error::Check::BadVersion { expected: 3 } };
    assert_eq!(results, [Err(error::Multi::RolledBack), Err(culprit), Err(error::Multi::Skipped)]);
    assert_eq!(client.get_children(&root).await.unwrap(), Some(Vec::new()));
}

async fn watch_data(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    let (watch, ..) = client.with_watcher().get_data(&root).await.unwrap().unwrap();
    set(&writer, &root, "1").await;
    fires(watch, WatchedEventType::NodeDataChanged, &root).await;
    let (watch, ..) = client.with_watcher().get_data(&root).await.unwrap().unwrap();
    remove(&writer, &root).await;
    fires(watch, WatchedEventType::NodeDeleted, &root).await;
}

async fn watch_exists(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    let path = format!("{root}/w");
    let (watch, none) = client.with_watcher().exists(&path).await.unwrap();
    assert_eq!(none, None);
    make(&writer, &path, "").await;
    fires(watch, WatchedEventType::NodeCreated, &path).await;
    let (watch, _) = client.with_watcher().exists(&path).await.unwrap();
    remove(&writer, &path).await;
    fires(watch, WatchedEventType::NodeDeleted, &path).await;
}

async fn watch_children(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    let path = format!("{root}/c");
    let (watch, _) = client.with_watcher().get_children(&root).await.unwrap().unwrap();
    make(&writer, &path, "").await;
    fires(watch, WatchedEventType::NodeChildrenChanged, &root).await;
    let (watch, _) = client.with_watcher().get_children(&root).await.unwrap().unwrap();
    remove(&writer, &path).await;
    fires(watch, WatchedEventType::NodeChildrenChanged, &root).await;
}

/// Its watch is used up by its first event; the types see to that. The second is another one.
async fn watch_once(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    let (watch, ..) = client.with_watcher().get_data(&root).await.unwrap().unwrap();
    set(&writer, &root, "1").await;
    set(&writer, &root, "2").await;
    fires(watch, WatchedEventType::NodeDataChanged, &root).await;
    let (watch, read, _) = client.with_watcher().get_data(&root).await.unwrap().unwrap();
    assert_eq!(read, b"2");
    remove(&writer, &root).await;
    fires(watch, WatchedEventType::NodeDeleted, &root).await;
}

async fn watch_first(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    for round in 0..50 {
        let (mut watch, ..) = client.with_watcher().get_data(&root).await.unwrap().unwrap();
        let new = round.to_string();
        let (writer, path, written) = (writer.clone(), root.clone(), new.clone());
        let written = tokio::spawn(async move { set(&writer, &path, &written).await });
        until("the new data", async || data(&client, &root).await == new).await;
        let told = watch.try_recv().unwrap().expect("the event came before");
        assert_eq!(told.event_type, WatchedEventType::NodeDataChanged);
        written.await.unwrap();
    }
}

async fn pipeline(root: String) {
    let client = client(&root).await;
    let requests = (0..200).map(|round| {
        let (client, root) = (client.clone(), root.clone());
        async move {
            let (set, get) = futures::join!(
                client.set_data(&root, Some(round), round.to_string().into_bytes()),
                client.get_data(&root)
            );
            assert_eq!(set.unwrap().unwrap().version, round + 1);
            let (read, stat) = get.unwrap().unwrap();
            assert_eq!((read, stat.version), (round.to_string().into_bytes(), round + 1));
        }
    });
    // Each is sent when it is polled first, which is in this order.
    soon("all answers", futures::future::join_all(requests)).await;
}

async fn owner(client: &ZooKeeper, path: &str) -> i64 {
    client.exists(path).await.unwrap().unwrap().ephemeral_owner
}

async fn session_kept(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/e");
    create_as(&client, &path, "", CreateMode::Ephemeral).await.unwrap();
    let session = owner(&client, &path).await;
    for _ in 0..3 {
        order("drop").await;
        until("the connection", async || client.exists(&path).await.is_ok()).await;
        let second = format!("{root}/second");
        create_as(&client, &second, "", CreateMode::Ephemeral).await.unwrap();
        assert_eq!(owner(&client, &second).await, session);
        assert_eq!(owner(&client, &path).await, session);
        remove(&client, &second).await;
    }
}

async fn session_restart(root: String) {
    let client = to(&lone(), 30_000).await;
    create_as(&client, &root, "kept", CreateMode::Ephemeral).await.unwrap();
    let before = client.get_data(&root).await.unwrap();
    order("restart").await;
    until("the connection", async || client.exists(&root).await.is_ok()).await;
    assert_eq!(client.get_data(&root).await.unwrap(), before);
}

async fn session_close(root: String) {
    let (client, other) = (client(&root).await, another().await);
    let path = format!("{root}/e");
    create_as(&client, &path, "", CreateMode::Ephemeral).await.unwrap();
    let (watch, _) = other.with_watcher().exists(&path).await.unwrap();
    drop(client);
    fires(watch, WatchedEventType::NodeDeleted, &path).await;
    assert_eq!(other.get_children(&root).await.unwrap(), Some(Vec::new()));
}

async fn config_get(_: String) {
    order("ensemble").await;
    let client = to(ensemble().split(',').next().unwrap(), 6000).await;
    let config = data(&client, "/zookeeper/config").await;
    let keys: Vec<&str> = config.lines().map(|line| line.split('=').next().unwrap()).collect();
    assert_eq!(keys, ["server.1", "server.2", "server.3", "version"]);
}
