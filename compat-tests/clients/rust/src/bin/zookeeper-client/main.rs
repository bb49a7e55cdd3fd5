//! Asks zookeeper-client for the behaviours of `behaviours.txt`.

mod sessions;
mod watches;
mod znodes;

use std::time::Duration;

use compat_clients::{Behaviour, behaviours, lone, order, soon};
use zookeeper_client::{
    Acls, Client, CreateMode, EventType, OneshotWatcher, SessionState, Stat, StateWatcher,
};

const BEHAVIOURS: &[Behaviour] = behaviours![
    "connect" => sessions::connect,
    "create" => znodes::create,
    "create-ephemeral" => znodes::create_ephemeral,
    "create-sequential" => znodes::create_sequential,
    "create-stat" => znodes::create_stat,
    "container" => znodes::container,
    "ttl" => znodes::ttl,
    "get-set" => znodes::get_set,
    "exists" => znodes::exists,
    "delete" => znodes::delete,
    "children" => znodes::children,
    "children-stat" => znodes::children_stat,
    "bad-version" => znodes::bad_version,
    "node-errors" => znodes::node_errors,
    "data-empty" => znodes::data_empty,
    "data-large" => znodes::data_large,
    "data-too-large" => znodes::data_too_large,
    "unicode" => znodes::unicode,
    "acl" => znodes::acl,
    "acl-digest" => znodes::acl_digest,
    "acl-auth" => znodes::acl_auth,
    "acl-ip" => znodes::acl_ip,
    "auth-unknown" => znodes::auth_unknown,
    "auth-again" => sessions::auth_again,
    "quota" => znodes::quota,
    "multi" => znodes::multi,
    "multi-fails" => znodes::multi_fails,
    "multi-read" => znodes::multi_read,
    "watch-data" => watches::watch_data,
    "watch-exists" => watches::watch_exists,
    "watch-children" => watches::watch_children,
    "watch-once" => watches::watch_once,
    "watch-first" => watches::watch_first,
    "watch-persistent" => watches::watch_persistent,
    "watch-recursive" => watches::watch_recursive,
    "watch-remove" => watches::watch_remove,
    "watch-again" => watches::watch_again,
    "watch-missed" => watches::watch_missed,
    "pipeline" => sessions::pipeline,
    "sync" => sessions::sync,
    "ephemerals-of" => sessions::ephemerals_of,
    "all-children" => sessions::all_children,
    "who-am-i" => sessions::who_am_i,
    "session-kept" => sessions::session_kept,
    "session-restart" => sessions::session_restart,
    "session-close" => sessions::session_close,
    "session-expired" => sessions::session_expired,
    "session-takeover" => sessions::session_takeover,
    "chroot" => sessions::chroot,
    "server-killed" => sessions::server_killed,
    "leader-killed" => sessions::leader_killed,
    "read-only" => sessions::read_only,
    "config-get" => sessions::config_get,
    "reconfig" => sessions::reconfig,
    unsupported:
];

#[tokio::main]
async fn main() {
    compat_clients::run(BEHAVIOURS).await;
}

async fn to(servers: &str, timeout_ms: u64) -> Client {
    let connector = Client::connector().with_session_timeout(Duration::from_millis(timeout_ms));
    soon("a connection", connector.connect(servers))
        .await
        .unwrap()
}

async fn another() -> Client {
    to(&lone(), 6000).await
}

/// A client of the lone server, with the behaviour's own path made.
async fn client(root: &str) -> Client {
    let client = another().await;
    make(&client, root, "").await;
    client
}

async fn make(client: &Client, path: &str, data: &str) -> Stat {
    make_as(client, path, data, CreateMode::Persistent).await
}

async fn make_as(client: &Client, path: &str, data: &str, mode: CreateMode) -> Stat {
    let options = mode.with_acls(Acls::anyone_all());
    client
        .create(path, data.as_bytes(), &options)
        .await
        .unwrap()
        .0
}

async fn data(client: &Client, path: &str) -> String {
    String::from_utf8(client.get_data(path).await.unwrap().0).unwrap()
}

async fn fires(watch: OneshotWatcher, kind: EventType, path: &str) {
    let event = soon("an event", watch.changed()).await;
    assert_eq!((event.event_type, event.path.as_str()), (kind, path));
}

/// Waits until a client is in a state.
async fn becomes(states: &mut StateWatcher, state: SessionState) {
    soon(&format!("{state}"), async {
        while states.changed().await != state {}
    })
    .await;
}

/// Breaks the connections, and waits until these clients are back.
async fn drop_all(clients: &[&Client]) {
    let mut watchers: Vec<StateWatcher> = clients.iter().map(|it| it.state_watcher()).collect();
    watchers.iter_mut().for_each(|watcher| {
        watcher.state();
    });
    order("drop").await;
    for watcher in &mut watchers {
        becomes(watcher, SessionState::SyncConnected).await;
    }
}

async fn owner(client: &Client, path: &str) -> i64 {
    client
        .check_stat(path)
        .await
        .unwrap()
        .unwrap()
        .ephemeral_owner
}
