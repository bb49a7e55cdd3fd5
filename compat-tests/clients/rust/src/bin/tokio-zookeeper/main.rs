//! Asks tokio-zookeeper for the behaviours of `behaviours.txt`.
//!
//! It proves that the library does with a server what it does with ZooKeeper. The library offers
//! little, and what it lacks, or gives up when a connection breaks, is not asked for or fails.

mod sessions;
mod watches;
mod znodes;

use std::time::Duration;

use compat_clients::{Behaviour, behaviours, lone, soon};
use futures::channel::oneshot;
use tokio_zookeeper::error::Create;
use tokio_zookeeper::{
    Acl, CreateMode, WatchedEvent, WatchedEventType, ZooKeeper, ZooKeeperBuilder,
};

const BEHAVIOURS: &[Behaviour] = behaviours![
    "connect" => sessions::connect,
    "create" => znodes::create,
    "create-ephemeral" => znodes::create_ephemeral,
    "create-sequential" => znodes::create_sequential,
    "container" => znodes::container,
    "get-set" => znodes::get_set,
    "exists" => znodes::exists,
    "delete" => znodes::delete,
    "children" => znodes::children,
    "bad-version" => znodes::bad_version,
    "node-errors" => znodes::node_errors,
    "data-empty" => znodes::data_empty,
    "data-large" => znodes::data_large,
    "data-too-large" => znodes::data_too_large,
    "unicode" => znodes::unicode,
    "acl" => znodes::acl,
    "quota" => znodes::quota,
    "multi" => znodes::multi,
    "multi-fails" => znodes::multi_fails,
    "watch-data" => watches::watch_data,
    "watch-exists" => watches::watch_exists,
    "watch-children" => watches::watch_children,
    "watch-once" => watches::watch_once,
    "watch-first" => watches::watch_first,
    "pipeline" => sessions::pipeline,
    "session-kept" => sessions::session_kept,
    "session-restart" => sessions::session_restart,
    "session-close" => sessions::session_close,
    "config-get" => sessions::config_get,
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

/// A client of one server, connected.
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

async fn make_ephemeral(client: &ZooKeeper, path: &str, data: &str) {
    create_as(client, path, data, CreateMode::Ephemeral).await.unwrap();
}

/// The session that an ephemeral belongs to.
async fn owner(client: &ZooKeeper, path: &str) -> i64 {
    client.exists(path).await.unwrap().unwrap().ephemeral_owner
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
