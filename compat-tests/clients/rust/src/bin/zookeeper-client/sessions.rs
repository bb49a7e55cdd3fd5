//! Sessions, and servers that come and go.

use std::time::Duration;

use compat_clients::{ensemble, lone, order, soon, until};
use zookeeper_client::{Acls, Client, CreateMode, EnsembleUpdate, Error, EventType, SessionState};

use crate::{another, becomes, client, data, drop_all, fires, make, make_as, owner, to};

pub(crate) async fn connect(root: String) {
    let client = client(&root).await;
    assert_ne!(client.session_id().0, 0);
    assert_eq!(client.session_timeout(), Duration::from_secs(6));
    assert_eq!(
        to(&lone(), 500).await.session_timeout(),
        Duration::from_secs(1)
    );
    assert_eq!(
        to(&lone(), 500_000).await.session_timeout(),
        Duration::from_secs(60)
    );
}

pub(crate) async fn auth_again(root: String) {
    let client = client(&root).await;
    client.auth("digest", b"alice:secret").await.unwrap();
    client
        .set_acl(&root, &Acls::creator_all(), None)
        .await
        .unwrap();
    drop_all(&[&client]).await;
    client.set_data(&root, b"hers", None).await.unwrap();
}

pub(crate) async fn pipeline(root: String) {
    let client = client(&root).await;
    // Requests are sent when they are made, and answered in that order.
    let mut pending = Vec::new();
    for round in 0..200 {
        let set = client.set_data(&root, round.to_string().as_bytes(), Some(round));
        pending.push((round, set, client.get_data(&root)));
    }
    for (round, set, get) in pending {
        assert_eq!(set.await.unwrap().version, round + 1);
        let (read, stat) = get.await.unwrap();
        assert_eq!(
            (read, stat.version),
            (round.to_string().into_bytes(), round + 1)
        );
    }
}

pub(crate) async fn sync(root: String) {
    client(&root).await.sync(&root).await.unwrap();
}

pub(crate) async fn ephemerals_of(root: String) {
    let (client, other) = (client(&root).await, another().await);
    let path = format!("{root}/e");
    make_as(&client, &path, "", CreateMode::Ephemeral).await;
    assert_eq!(client.list_ephemerals(&root).await.unwrap(), [path]);
    assert!(other.list_ephemerals(&root).await.unwrap().is_empty());
}

pub(crate) async fn all_children(root: String) {
    let client = client(&root).await;
    make(&client, &format!("{root}/a"), "").await;
    make(&client, &format!("{root}/a/b"), "").await;
    assert_eq!(client.count_descendants_number(&root).await.unwrap(), 2);
}

pub(crate) async fn who_am_i(root: String) {
    let client = client(&root).await;
    client.auth("digest", b"alice:secret").await.unwrap();
    let users = client.list_auth_users().await.unwrap();
    let mut users: Vec<(&str, &str)> = users.iter().map(|it| (it.scheme(), it.user())).collect();
    users.sort();
    assert_eq!(users, [("digest", "alice"), ("ip", "127.0.0.1")]);
}

pub(crate) async fn session_kept(root: String) {
    let client = client(&root).await;
    let (session, path) = (client.session_id(), format!("{root}/e"));
    make_as(&client, &path, "", CreateMode::Ephemeral).await;
    for _ in 0..3 {
        drop_all(&[&client]).await;
        assert_eq!(client.session_id(), session);
        assert_eq!(owner(&client, &path).await, session.0);
    }
}

pub(crate) async fn session_restart(root: String) {
    let client = to(&lone(), 30_000).await;
    make_as(&client, &root, "kept", CreateMode::Ephemeral).await;
    let before = client.get_data(&root).await.unwrap();
    let mut states = client.state_watcher();
    states.state();
    order("restart").await;
    becomes(&mut states, SessionState::SyncConnected).await;
    assert_eq!(client.get_data(&root).await.unwrap(), before);
    assert_eq!(before.1.ephemeral_owner, client.session_id().0);
}

pub(crate) async fn session_close(root: String) {
    let (client, other) = (client(&root).await, another().await);
    let path = format!("{root}/e");
    make_as(&client, &path, "", CreateMode::Ephemeral).await;
    let (_, watch) = other.check_and_watch_stat(&path).await.unwrap();
    drop(client);
    fires(watch, EventType::NodeDeleted, &path).await;
    assert!(other.list_children(&root).await.unwrap().is_empty());
}

pub(crate) async fn session_expired(root: String) {
    let client = to(&lone(), 1000).await;
    make_as(&client, &root, "", CreateMode::Ephemeral).await;
    let mut states = client.state_watcher();
    order("close").await;
    order(&format!("expired {}", client.session_id())).await;
    order("open").await;
    becomes(&mut states, SessionState::Expired).await;
    assert_eq!(
        client.get_data(&root).await.unwrap_err(),
        Error::SessionExpired
    );
    assert_eq!(another().await.check_stat(&root).await.unwrap(), None);
}

pub(crate) async fn session_takeover(root: String) {
    let first = Client::connector()
        .with_detached()
        .connect(&lone())
        .await
        .unwrap();
    make_as(&first, &root, "", CreateMode::Ephemeral).await;
    let session = first.into_session();
    let id = session.id();
    let connector = Client::connector().with_session(session);
    let second = soon("a connection", connector.connect(&lone()))
        .await
        .unwrap();
    assert_eq!(second.session_id(), id);
    assert_eq!(owner(&second, &root).await, id.0);
}

pub(crate) async fn chroot(root: String) {
    let outside = client(&root).await;
    let inside = to(&format!("{}{root}", lone()), 6000).await;
    make(&inside, "/in", "").await;
    let (_, _, watch) = inside.get_and_watch_data("/in").await.unwrap();
    outside
        .set_data(&format!("{root}/in"), b"1", None)
        .await
        .unwrap();
    fires(watch, EventType::NodeDataChanged, "/in").await;
    assert_eq!(inside.list_children("/").await.unwrap(), ["in"]);
}

/// Creates a znode, again and again while connections break.
async fn insist(client: &Client, path: &str) {
    let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
    let mut repeated = false;
    until("a server", async || {
        let result = client.create(path, b"", &options).await;
        match result {
            Ok(_) => true,
            Err(Error::NodeExists) if repeated => true,
            Err(Error::ConnectionLoss) => {
                repeated = true;
                false
            }
            Err(error) => panic!("{error}"),
        }
    })
    .await;
}

async fn outlives(root: &str, kill: impl Fn(String) -> String) {
    order("ensemble").await;
    let client = to(&ensemble(), 30_000).await;
    let (session, path) = (client.session_id(), format!("{root}/e"));
    make(&client, root, "").await;
    make_as(&client, &path, "", CreateMode::Ephemeral).await;
    for number in 0..10 {
        if number == 5 {
            order(&kill(session.to_string())).await;
        }
        insist(&client, &format!("{root}/{number}")).await;
    }
    assert_eq!(client.session_id(), session);
    assert_eq!(owner(&client, &path).await, session.0);
    assert_eq!(client.list_children(root).await.unwrap().len(), 11);
}

pub(crate) async fn server_killed(root: String) {
    outlives(&root, |session| format!("kill-server-of {session}")).await;
}

pub(crate) async fn leader_killed(root: String) {
    outlives(&root, |_| "kill-leader".to_owned()).await;
}

pub(crate) async fn read_only(root: String) {
    order("ensemble").await;
    make(&to(&ensemble(), 6000).await, &root, "data").await;
    order("leave-one").await;
    let connector = Client::connector().with_readonly(true);
    let client = soon("a connection", connector.connect(&ensemble()))
        .await
        .unwrap();
    assert_eq!(client.state(), SessionState::ConnectedReadOnly);
    assert_eq!(data(&client, &root).await, "data");
    let refused = client.set_data(&root, b"", None).await;
    assert_eq!(refused.unwrap_err(), Error::NotReadOnly);
    let mut states = client.state_watcher();
    order("ensemble").await;
    becomes(&mut states, SessionState::SyncConnected).await;
    insist(&client, &format!("{root}/a")).await;
}

pub(crate) async fn config_get(_: String) {
    order("ensemble").await;
    let (config, _) = to(&ensemble(), 6000).await.get_config().await.unwrap();
    let config = String::from_utf8(config).unwrap();
    let keys: Vec<&str> = config
        .lines()
        .map(|line| line.split('=').next().unwrap())
        .collect();
    assert_eq!(keys, ["server.1", "server.2", "server.3", "version"]);
}

pub(crate) async fn reconfig(_: String) {
    order("ensemble").await;
    let client = to(&ensemble(), 6000).await;
    let config = String::from_utf8(client.get_config().await.unwrap().0).unwrap();
    let line = config.lines().nth(2).unwrap();
    let again = async |version| {
        let update = EnsembleUpdate::Incremental {
            joinings: Some(line).into_iter(),
            leavings: None.into_iter(),
        };
        client.update_ensemble(update, version).await
    };
    assert_eq!(again(None).await.unwrap_err(), Error::NoAuth);
    client.auth("digest", b"super:test").await.unwrap();
    let config = String::from_utf8(again(None).await.unwrap().0).unwrap();
    assert!(config.contains(line));
    let version = i64::from_str_radix(config.split("version=").nth(1).unwrap(), 16).unwrap();
    again(Some(version)).await.unwrap();
    assert_eq!(again(Some(version)).await.unwrap_err(), Error::BadVersion);
}
