//! Watches of all kinds.

use std::time::Duration;

use compat_clients::{soon, until};
use zookeeper_client::{AddWatchMode, EventType, PersistentWatcher};

use crate::{another, client, data, drop_all, fires, make};

async fn tells(watch: &mut PersistentWatcher, kind: EventType, path: &str) {
    let event = soon("an event", watch.changed()).await;
    assert_eq!((event.event_type, event.path.as_str()), (kind, path));
}

pub(crate) async fn watch_data(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    let (_, _, watch) = client.get_and_watch_data(&root).await.unwrap();
    writer.set_data(&root, b"1", None).await.unwrap();
    fires(watch, EventType::NodeDataChanged, &root).await;
    let (_, _, watch) = client.get_and_watch_data(&root).await.unwrap();
    writer.delete(&root, None).await.unwrap();
    fires(watch, EventType::NodeDeleted, &root).await;
}

pub(crate) async fn watch_exists(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    let path = format!("{root}/w");
    let (none, watch) = client.check_and_watch_stat(&path).await.unwrap();
    assert_eq!(none, None);
    make(&writer, &path, "").await;
    fires(watch, EventType::NodeCreated, &path).await;
    let (_, watch) = client.check_and_watch_stat(&path).await.unwrap();
    writer.delete(&path, None).await.unwrap();
    fires(watch, EventType::NodeDeleted, &path).await;
}

pub(crate) async fn watch_children(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    let path = format!("{root}/c");
    let (_, watch) = client.list_and_watch_children(&root).await.unwrap();
    make(&writer, &path, "").await;
    fires(watch, EventType::NodeChildrenChanged, &root).await;
    let (_, _, watch) = client.get_and_watch_children(&root).await.unwrap();
    writer.delete(&path, None).await.unwrap();
    fires(watch, EventType::NodeChildrenChanged, &root).await;
}

/// Its watch is used up by its first event; the types see to that. The second is another one.
pub(crate) async fn watch_once(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    let (_, _, watch) = client.get_and_watch_data(&root).await.unwrap();
    writer.set_data(&root, b"1", None).await.unwrap();
    fires(watch, EventType::NodeDataChanged, &root).await;
    let (_, _, watch) = client.get_and_watch_data(&root).await.unwrap();
    writer.delete(&root, None).await.unwrap();
    fires(watch, EventType::NodeDeleted, &root).await;
}

pub(crate) async fn watch_first(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    for round in 0..50 {
        let (_, _, watch) = client.get_and_watch_data(&root).await.unwrap();
        let new = round.to_string();
        let written = writer.set_data(&root, new.as_bytes(), None);
        let written = tokio::spawn(written);
        until("the new data", async || data(&client, &root).await == new).await;
        let told = tokio::time::timeout(Duration::ZERO, watch.changed()).await;
        assert_eq!(told.unwrap().event_type, EventType::NodeDataChanged);
        written.await.unwrap().unwrap();
    }
}

pub(crate) async fn watch_persistent(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    let path = format!("{root}/p");
    let mut watch = client.watch(&path, AddWatchMode::Persistent).await.unwrap();
    for _ in 0..2 {
        make(&writer, &path, "").await;
        tells(&mut watch, EventType::NodeCreated, &path).await;
        writer.set_data(&path, b"1", None).await.unwrap();
        tells(&mut watch, EventType::NodeDataChanged, &path).await;
        make(&writer, &format!("{path}/c"), "").await;
        tells(&mut watch, EventType::NodeChildrenChanged, &path).await;
        writer.delete(&format!("{path}/c"), None).await.unwrap();
        tells(&mut watch, EventType::NodeChildrenChanged, &path).await;
        writer.delete(&path, None).await.unwrap();
        tells(&mut watch, EventType::NodeDeleted, &path).await;
    }
}

pub(crate) async fn watch_recursive(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    let (a, b) = (format!("{root}/a"), format!("{root}/a/b"));
    let mut watch = client
        .watch(&root, AddWatchMode::PersistentRecursive)
        .await
        .unwrap();
    make(&writer, &a, "").await;
    make(&writer, &b, "").await;
    writer.set_data(&b, b"1", None).await.unwrap();
    writer.delete(&b, None).await.unwrap();
    tells(&mut watch, EventType::NodeCreated, &a).await;
    tells(&mut watch, EventType::NodeCreated, &b).await;
    tells(&mut watch, EventType::NodeDataChanged, &b).await;
    tells(&mut watch, EventType::NodeDeleted, &b).await;
    drop_all(&[&client, &writer]).await;
    let told = soon("the state", watch.changed()).await;
    assert_eq!(told.event_type, EventType::Session);
    client.check_stat(&root).await.unwrap();
    make(&writer, &b, "").await;
    let mut told = soon("an event", watch.changed()).await;
    while told.event_type == EventType::Session {
        told = soon("an event", watch.changed()).await;
    }
    assert_eq!((told.event_type, told.path), (EventType::NodeCreated, b));
}

#[expect(deprecated, reason = "dropping a watch tells nobody how it went")]
pub(crate) async fn watch_remove(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    let (_, _, watch) = client.get_and_watch_data(&root).await.unwrap();
    watch.remove().await.unwrap();
    let watch = client
        .watch(&root, AddWatchMode::PersistentRecursive)
        .await
        .unwrap();
    watch.remove().await.unwrap();
    // One that is merely dropped must not disturb the next one.
    drop(client.get_and_watch_data(&root).await.unwrap().2);
    let (_, _, watch) = client.get_and_watch_data(&root).await.unwrap();
    writer.set_data(&root, b"1", None).await.unwrap();
    fires(watch, EventType::NodeDataChanged, &root).await;
}

pub(crate) async fn watch_again(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    let path = format!("{root}/w");
    let (_, _, changed) = client.get_and_watch_data(&root).await.unwrap();
    let (_, created) = client.check_and_watch_stat(&path).await.unwrap();
    let (_, child) = client.list_and_watch_children(&root).await.unwrap();
    drop_all(&[&client, &writer]).await;
    client.check_stat(&root).await.unwrap();
    make(&writer, &path, "").await;
    fires(created, EventType::NodeCreated, &path).await;
    fires(child, EventType::NodeChildrenChanged, &root).await;
    writer.set_data(&root, b"1", None).await.unwrap();
    fires(changed, EventType::NodeDataChanged, &root).await;
}

pub(crate) async fn watch_missed(root: String) {
    let (client, writer) = (client(&root).await, another().await);
    let path = format!("{root}/w");
    let (_, created) = client.check_and_watch_stat(&path).await.unwrap();
    // Before or after the watcher is back: it is told in any case.
    drop_all(&[&writer]).await;
    make(&writer, &path, "").await;
    fires(created, EventType::NodeCreated, &path).await;
}
