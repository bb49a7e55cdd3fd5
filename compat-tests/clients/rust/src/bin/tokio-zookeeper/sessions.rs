//! Sessions and requests in flight. The library tells neither id nor timeout of a session, and
//! knows one server only.

use compat_clients::{ensemble, lone, order, soon, until};
use tokio_zookeeper::WatchedEventType;

use crate::{another, client, data, fires, make_ephemeral, owner, remove, to};

/// It does not tell its session's id or timeout; the owner of an ephemeral is the id.
pub(crate) async fn connect(root: String) {
    let client = another().await;
    make_ephemeral(&client, &root, "").await;
    assert_ne!(owner(&client, &root).await, 0);
}

pub(crate) async fn pipeline(root: String) {
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

pub(crate) async fn session_kept(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/e");
    make_ephemeral(&client, &path, "").await;
    let session = owner(&client, &path).await;
    for _ in 0..3 {
        order("drop").await;
        until("the connection", async || client.exists(&path).await.is_ok()).await;
        let second = format!("{root}/second");
        make_ephemeral(&client, &second, "").await;
        assert_eq!(owner(&client, &second).await, session);
        assert_eq!(owner(&client, &path).await, session);
        remove(&client, &second).await;
    }
}

pub(crate) async fn session_restart(root: String) {
    let client = to(&lone(), 30_000).await;
    make_ephemeral(&client, &root, "kept").await;
    let before = client.get_data(&root).await.unwrap();
    order("restart").await;
    until("the connection", async || client.exists(&root).await.is_ok()).await;
    assert_eq!(client.get_data(&root).await.unwrap(), before);
}

pub(crate) async fn session_close(root: String) {
    let (client, other) = (client(&root).await, another().await);
    let path = format!("{root}/e");
    make_ephemeral(&client, &path, "").await;
    let (watch, _) = other.with_watcher().exists(&path).await.unwrap();
    drop(client);
    fires(watch, WatchedEventType::NodeDeleted, &path).await;
    assert_eq!(other.get_children(&root).await.unwrap(), Some(Vec::new()));
}

pub(crate) async fn config_get(_: String) {
    order("ensemble").await;
    let client = to(ensemble().split(',').next().unwrap(), 6000).await;
    let config = data(&client, "/zookeeper/config").await;
    let keys: Vec<&str> = config.lines().map(|line| line.split('=').next().unwrap()).collect();
    assert_eq!(keys, ["server.1", "server.2", "server.3", "version"]);
}
