//! Watches that fire once: that each kind tells of what it is for, before the data. The library
//! does not set them again on the next connection.

use compat_clients::until;
use futures::channel::oneshot;
use tokio_zookeeper::{WatchedEvent, WatchedEventType, ZooKeeper};

use crate::{another, client, data, fires, make, remove, set};

type Watch = oneshot::Receiver<WatchedEvent>;

async fn data_watch(client: &ZooKeeper, path: &str) -> Watch {
    client.with_watcher().get_data(path).await.unwrap().unwrap().0
}

async fn child_watch(client: &ZooKeeper, path: &str) -> Watch {
    client.with_watcher().get_children(path).await.unwrap().unwrap().0
}

pub(crate) async fn watch_data(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    let watch = data_watch(&client, &root).await;
    set(&writer, &root, "1").await;
    fires(watch, WatchedEventType::NodeDataChanged, &root).await;
    let watch = data_watch(&client, &root).await;
    remove(&writer, &root).await;
    fires(watch, WatchedEventType::NodeDeleted, &root).await;
}

pub(crate) async fn watch_exists(root: String) {
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

pub(crate) async fn watch_children(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    let path = format!("{root}/c");
    let watch = child_watch(&client, &root).await;
    make(&writer, &path, "").await;
    fires(watch, WatchedEventType::NodeChildrenChanged, &root).await;
    let watch = child_watch(&client, &root).await;
    remove(&writer, &path).await;
    fires(watch, WatchedEventType::NodeChildrenChanged, &root).await;
}

/// Its watch is used up by its first event; the types see to that. The second is another one.
pub(crate) async fn watch_once(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    let watch = data_watch(&client, &root).await;
    set(&writer, &root, "1").await;
    set(&writer, &root, "2").await;
    fires(watch, WatchedEventType::NodeDataChanged, &root).await;
    let (watch, read, _) = client.with_watcher().get_data(&root).await.unwrap().unwrap();
    assert_eq!(read, b"2");
    remove(&writer, &root).await;
    fires(watch, WatchedEventType::NodeDeleted, &root).await;
}

pub(crate) async fn watch_first(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    for round in 0..50 {
        let mut watch = data_watch(&client, &root).await;
        let new = round.to_string();
        let (writer, path, written) = (writer.clone(), root.clone(), new.clone());
        let written = tokio::spawn(async move { set(&writer, &path, &written).await });
        until("the new data", async || data(&client, &root).await == new).await;
        let told = watch.try_recv().unwrap().expect("the event came before");
        assert_eq!(told.event_type, WatchedEventType::NodeDataChanged);
        written.await.unwrap();
    }
}
