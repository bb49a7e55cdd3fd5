//! Znodes: that they are created, read, changed, listed and deleted, their ACLs and quotas, and
//! multis. The library cannot authenticate, so ACLs are seen from outside only.

use compat_clients::{ALICE, soon, until};
use tokio_zookeeper::error::{Create, Delete, SetAcl, SetData};
use tokio_zookeeper::{Acl, CreateMode, MultiResponse, Permission, error};

use crate::{another, client, create_as, data, make, make_ephemeral, owner, remove, set};

pub(crate) async fn create(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/a");
    let made = create_as(&client, &path, "one", CreateMode::Persistent).await;
    assert_eq!(made, Ok(path));
}

pub(crate) async fn create_ephemeral(root: String) {
    let (client, other) = (client(&root).await, another().await);
    let path = format!("{root}/e");
    make_ephemeral(&client, &path, "").await;
    assert_ne!(owner(&other, &path).await, 0);
    let below = create_as(&other, &format!("{path}/c"), "", CreateMode::Persistent).await;
    assert_eq!(below, Err(Create::NoChildrenForEphemerals));
}

pub(crate) async fn create_sequential(root: String) {
    let client = client(&root).await;
    let mode = CreateMode::PersistentSequential;
    let made = create_as(&client, &format!("{root}/s-"), "", mode).await;
    assert_eq!(made, Ok(format!("{root}/s-0000000000")));
    make(&client, &format!("{root}/plain"), "").await;
    let mode = CreateMode::EphemeralSequential;
    let made = create_as(&client, &format!("{root}/e-"), "", mode).await;
    assert_eq!(made, Ok(format!("{root}/e-0000000002")));
}

pub(crate) async fn container(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/container");
    create_as(&client, &path, "", CreateMode::Container).await.unwrap();
    make(&client, &format!("{path}/c"), "").await;
    remove(&client, &format!("{path}/c")).await;
    until("its end", async || client.exists(&path).await.unwrap().is_none()).await;
}

pub(crate) async fn get_set(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/a");
    make(&client, &path, "one").await;
    let (read, stat) = client.get_data(&path).await.unwrap().unwrap();
    assert_eq!((read.as_slice(), stat.version, stat.data_length), (&b"one"[..], 0, 3));
    let changed = client.set_data(&path, Some(0), b"two".to_vec()).await.unwrap().unwrap();
    assert_eq!((changed.version, changed.mzxid > stat.mzxid), (1, true));
    assert_eq!(data(&client, &path).await, "two");
}

pub(crate) async fn exists(root: String) {
    let client = client(&root).await;
    assert_eq!(client.exists(&format!("{root}/none")).await.unwrap(), None);
    let stat = client.exists(&root).await.unwrap().unwrap();
    assert_eq!(stat, client.get_data(&root).await.unwrap().unwrap().1);
}

pub(crate) async fn delete(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/a");
    make(&client, &path, "").await;
    assert_eq!(client.delete(&root, None).await.unwrap(), Err(Delete::NotEmpty));
    remove(&client, &path).await;
    remove(&client, &root).await;
    assert_eq!(client.exists(&root).await.unwrap(), None);
}

pub(crate) async fn children(root: String) {
    let client = client(&root).await;
    assert_eq!(client.get_children(&root).await.unwrap(), Some(Vec::new()));
    for name in ["a", "b"] {
        make(&client, &format!("{root}/{name}"), "").await;
    }
    let mut names = client.get_children(&root).await.unwrap().unwrap();
    names.sort();
    assert_eq!(names, ["a", "b"]);
}

pub(crate) async fn bad_version(root: String) {
    let client = client(&root).await;
    let changed = client.set_data(&root, Some(1), Vec::new()).await.unwrap();
    assert_eq!(changed, Err(SetData::BadVersion { expected: 1 }));
    let deleted = client.delete(&root, Some(7)).await.unwrap();
    assert_eq!(deleted, Err(Delete::BadVersion { expected: 7 }));
    assert_eq!(client.delete(&root, Some(0)).await.unwrap(), Ok(()));
}

pub(crate) async fn node_errors(root: String) {
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

pub(crate) async fn data_empty(root: String) {
    let client = client(&root).await;
    assert_eq!(data(&client, &root).await, "");
    let path = format!("{root}/zeros");
    make(&client, &path, "\0\0").await;
    assert_eq!(data(&client, &path).await, "\0\0");
}

pub(crate) async fn data_large(root: String) {
    let client = client(&root).await;
    let large = "x".repeat(1_000_000);
    set(&client, &root, &large).await;
    assert!(data(&client, &root).await == large);
}

pub(crate) async fn data_too_large(root: String) {
    let client = another().await;
    make_ephemeral(&client, &root, "").await;
    let big = soon("an answer", client.set_data(&root, None, vec![0; 1_100_000])).await;
    assert!(big.is_err(), "the connection breaks");
    until("the connection", async || client.exists(&root).await.is_ok()).await;
    assert_eq!(data(&client, &root).await, "");
}

pub(crate) async fn unicode(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/ünïcode-日本");
    make(&client, &path, "ünï").await;
    let names = client.get_children(&root).await.unwrap().unwrap();
    assert_eq!(names, ["ünïcode-日本"]);
    assert_eq!(data(&client, &path).await, "ünï");
}

pub(crate) async fn acl(root: String) {
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

pub(crate) async fn quota(root: String) {
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

pub(crate) async fn multi(root: String) {
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

pub(crate) async fn multi_fails(root: String) {
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
