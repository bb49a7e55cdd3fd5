//! Znodes: data, children, ACLs, multi.

use std::time::Duration;

use compat_clients::{ALICE, soon, until};
use zookeeper_client::{
    Acl, Acls, AuthId, Client, CreateMode, Error, MultiReadResult, MultiWriteError,
    MultiWriteResult, Permission, SessionState,
};

use crate::{another, becomes, client, data, make, make_as};

pub(crate) async fn create(root: String) {
    let client = client(&root).await;
    make(&client, &format!("{root}/a"), "one").await;
    assert_eq!(data(&client, &format!("{root}/a")).await, "one");
    let deep = format!("{root}/x/y/z");
    client
        .mkdir(&deep, &CreateMode::Persistent.with_acls(Acls::anyone_all()))
        .await
        .unwrap();
    assert!(client.check_stat(&deep).await.unwrap().is_some());
}

pub(crate) async fn create_ephemeral(root: String) {
    let (client, other) = (client(&root).await, another().await);
    let path = format!("{root}/e");
    make_as(&client, &path, "", CreateMode::Ephemeral).await;
    let stat = other.check_stat(&path).await.unwrap().unwrap();
    assert_eq!(stat.ephemeral_owner, client.session_id().0);
    let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
    let below = other.create(&format!("{path}/c"), b"", &options).await;
    assert_eq!(below.unwrap_err(), Error::NoChildrenForEphemerals);
}

pub(crate) async fn create_sequential(root: String) {
    let client = client(&root).await;
    let options = CreateMode::PersistentSequential.with_acls(Acls::anyone_all());
    let (_, number) = client
        .create(&format!("{root}/s-"), b"", &options)
        .await
        .unwrap();
    assert_eq!(number.to_string(), "0000000000");
    make(&client, &format!("{root}/plain"), "").await;
    let options = CreateMode::EphemeralSequential.with_acls(Acls::anyone_all());
    let (_, number) = client
        .create(&format!("{root}/e-"), b"", &options)
        .await
        .unwrap();
    assert_eq!(number.into_i64(), 2);
}

pub(crate) async fn create_stat(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/a");
    let made = make(&client, &path, "one").await;
    assert_eq!(made, client.get_data(&path).await.unwrap().1);
    assert!(!made.is_invalid());
}

async fn gone(client: &Client, path: &str) {
    until("its end", async || {
        client.check_stat(path).await.unwrap().is_none()
    })
    .await;
}

pub(crate) async fn container(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/container");
    make_as(&client, &path, "", CreateMode::Container).await;
    make(&client, &format!("{path}/c"), "").await;
    client.delete(&format!("{path}/c"), None).await.unwrap();
    gone(&client, &path).await;
}

pub(crate) async fn ttl(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/ttl");
    let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
    let short = options.clone().with_ttl(Duration::from_millis(400));
    let long = options.with_ttl(Duration::from_secs(600));
    client.create(&path, b"", &short).await.unwrap();
    client
        .create(&format!("{root}/kept"), b"", &long)
        .await
        .unwrap();
    gone(&client, &path).await;
    assert!(
        client
            .check_stat(&format!("{root}/kept"))
            .await
            .unwrap()
            .is_some()
    );
}

pub(crate) async fn get_set(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/a");
    make(&client, &path, "one").await;
    let (read, stat) = client.get_data(&path).await.unwrap();
    assert_eq!(
        (read.as_slice(), stat.version, stat.data_length),
        (&b"one"[..], 0, 3)
    );
    let set = client.set_data(&path, b"two", Some(0)).await.unwrap();
    assert_eq!((set.version, set.mzxid > stat.mzxid), (1, true));
    assert_eq!(data(&client, &path).await, "two");
}

pub(crate) async fn exists(root: String) {
    let client = client(&root).await;
    assert_eq!(
        client.check_stat(&format!("{root}/none")).await.unwrap(),
        None
    );
    let stat = client.check_stat(&root).await.unwrap();
    assert_eq!(stat, Some(client.get_data(&root).await.unwrap().1));
}

pub(crate) async fn delete(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/a");
    make(&client, &path, "").await;
    assert_eq!(
        client.delete(&root, None).await.unwrap_err(),
        Error::NotEmpty
    );
    client.delete(&path, None).await.unwrap();
    client.delete(&root, None).await.unwrap();
    assert_eq!(client.check_stat(&root).await.unwrap(), None);
}

pub(crate) async fn children(root: String) {
    let client = client(&root).await;
    assert!(client.list_children(&root).await.unwrap().is_empty());
    for name in ["a", "b"] {
        make(&client, &format!("{root}/{name}"), "").await;
    }
    let mut names = client.list_children(&root).await.unwrap();
    names.sort();
    assert_eq!(names, ["a", "b"]);
}

pub(crate) async fn children_stat(root: String) {
    let client = client(&root).await;
    make(&client, &format!("{root}/a"), "").await;
    let (names, stat) = client.get_children(&root).await.unwrap();
    assert_eq!(
        (names, stat.num_children, stat.cversion),
        (vec!["a".to_owned()], 1, 1)
    );
}

pub(crate) async fn bad_version(root: String) {
    let client = client(&root).await;
    assert_eq!(
        client.set_data(&root, b"", Some(1)).await.unwrap_err(),
        Error::BadVersion
    );
    assert_eq!(
        client.delete(&root, Some(7)).await.unwrap_err(),
        Error::BadVersion
    );
    client.delete(&root, Some(0)).await.unwrap();
}

pub(crate) async fn node_errors(root: String) {
    let client = client(&root).await;
    let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
    let none = format!("{root}/none");
    assert_eq!(
        client.create(&root, b"", &options).await.unwrap_err(),
        Error::NodeExists
    );
    assert_eq!(client.get_data(&none).await.unwrap_err(), Error::NoNode);
    assert_eq!(
        client.set_data(&none, b"", None).await.unwrap_err(),
        Error::NoNode
    );
    assert_eq!(client.delete(&none, None).await.unwrap_err(), Error::NoNode);
    assert_eq!(
        client.list_children(&none).await.unwrap_err(),
        Error::NoNode
    );
    let below = format!("{none}/below");
    assert_eq!(
        client.create(&below, b"", &options).await.unwrap_err(),
        Error::NoNode
    );
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
    client
        .set_data(&root, large.as_bytes(), None)
        .await
        .unwrap();
    assert!(data(&client, &root).await == large);
}

pub(crate) async fn data_too_large(root: String) {
    let client = client(&root).await;
    let mut states = client.state_watcher();
    states.state();
    let big = client.set_data(&root, &vec![0; 1_100_000], None).await;
    assert_eq!(big.unwrap_err(), Error::ConnectionLoss);
    becomes(&mut states, SessionState::SyncConnected).await;
    assert_eq!(data(&client, &root).await, "");
}

pub(crate) async fn unicode(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/ünïcode-日本");
    make(&client, &path, "ünï").await;
    assert_eq!(client.list_children(&root).await.unwrap(), ["ünïcode-日本"]);
    assert_eq!(data(&client, &path).await, "ünï");
}

pub(crate) async fn acl(root: String) {
    let client = client(&root).await;
    let (list, stat) = client.get_acl(&root).await.unwrap();
    assert_eq!((list.as_slice(), stat.aversion), (&*Acls::anyone_all(), 0));
    let few = [Acl::new(
        Permission::READ | Permission::ADMIN,
        AuthId::anyone(),
    )];
    assert_eq!(
        client.set_acl(&root, &few, Some(0)).await.unwrap().aversion,
        1
    );
    assert_eq!(
        client.set_data(&root, b"", None).await.unwrap_err(),
        Error::NoAuth
    );
    let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
    let below = client.create(&format!("{root}/a"), b"", &options).await;
    assert_eq!(below.unwrap_err(), Error::NoAuth);
    assert_eq!(
        client.set_acl(&root, &few, Some(0)).await.unwrap_err(),
        Error::BadVersion
    );
}

pub(crate) async fn acl_digest(root: String) {
    let (alice, bob) = (client(&root).await, another().await);
    alice.auth("digest", b"alice:secret").await.unwrap();
    let hers = [Acl::new(Permission::ALL, AuthId::new("digest", ALICE))];
    alice.set_acl(&root, &hers, None).await.unwrap();
    alice.set_data(&root, b"hers", None).await.unwrap();
    assert_eq!(bob.get_data(&root).await.unwrap_err(), Error::NoAuth);
    assert_eq!(
        bob.set_data(&root, b"", None).await.unwrap_err(),
        Error::NoAuth
    );
    bob.auth("digest", b"alice:secret").await.unwrap();
    assert_eq!(data(&bob, &root).await, "hers");
}

pub(crate) async fn acl_auth(root: String) {
    let client = client(&root).await;
    let creator = CreateMode::Persistent.with_acls(Acls::creator_all());
    let path = format!("{root}/a");
    assert_eq!(
        client.create(&path, b"", &creator).await.unwrap_err(),
        Error::InvalidAcl
    );
    client.auth("digest", b"alice:secret").await.unwrap();
    client.create(&path, b"", &creator).await.unwrap();
    assert_eq!(client.get_acl(&path).await.unwrap().0[0].id(), ALICE);
}

pub(crate) async fn acl_ip(root: String) {
    let client = client(&root).await;
    for address in ["127.0.0.1", "10.0.0.0"] {
        let only = [Acl::new(Permission::ALL, AuthId::new("ip", address))];
        let options = CreateMode::Persistent.with_acls(Acls::new(&only));
        client
            .create(&format!("{root}/{address}"), b"", &options)
            .await
            .unwrap();
    }
    client.get_data(&format!("{root}/127.0.0.1")).await.unwrap();
    let away = client.get_data(&format!("{root}/10.0.0.0")).await;
    assert_eq!(away.unwrap_err(), Error::NoAuth);
}

pub(crate) async fn auth_unknown(root: String) {
    let client = client(&root).await;
    let refused = soon("a refusal", client.auth("nonsense", b"x")).await;
    assert_eq!(refused.unwrap_err(), Error::AuthFailed);
}

pub(crate) async fn quota(root: String) {
    let client = client(&root).await;
    let place = format!("/zookeeper/quota{root}");
    let stats = format!("{place}/zookeeper_stats");
    make(&client, &place, "").await;
    make(
        &client,
        &format!("{place}/zookeeper_limits"),
        "count=5,bytes=-1",
    )
    .await;
    make(&client, &stats, "count=1,bytes=0").await;
    make(&client, &format!("{root}/a"), "12345").await;
    let stats = data(&client, &stats).await;
    assert!(stats.starts_with("count=2,bytes=5"), "{stats}");
}

pub(crate) async fn multi(root: String) {
    let client = client(&root).await;
    let (a, c) = (format!("{root}/a"), format!("{root}/c"));
    let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
    let sequential = CreateMode::PersistentSequential.with_acls(Acls::anyone_all());
    let mut writer = client.new_multi_writer();
    writer.add_create(&a, b"1", &options).unwrap();
    writer.add_check_version(&a, 0).unwrap();
    writer.add_set_data(&a, b"2", Some(0)).unwrap();
    writer
        .add_create(&format!("{a}/s-"), b"", &sequential)
        .unwrap();
    writer.add_create(&c, b"", &options).unwrap();
    writer.add_delete(&c, Some(0)).unwrap();
    let results = writer.commit().await.unwrap();
    assert_eq!(results.len(), 6);
    assert!(matches!(&results[0], MultiWriteResult::Create { path, .. } if *path == a));
    assert!(matches!(&results[2], MultiWriteResult::SetData { stat } if stat.version == 1));
    let made = format!("{a}/s-0000000000");
    assert!(matches!(&results[3], MultiWriteResult::Create { path, .. } if *path == made));
    assert!(matches!(&results[5], MultiWriteResult::Delete));
    assert_eq!(data(&client, &a).await, "2");
    assert_eq!(client.check_stat(&c).await.unwrap(), None);
}

pub(crate) async fn multi_fails(root: String) {
    let client = client(&root).await;
    let path = format!("{root}/a");
    let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
    let mut writer = client.new_multi_writer();
    writer.add_create(&path, b"1", &options).unwrap();
    writer.add_check_version(&path, 3).unwrap();
    writer.add_delete(&path, None).unwrap();
    let error = writer.commit().await.unwrap_err();
    let culprit = MultiWriteError::OperationFailed {
        index: 1,
        source: Error::BadVersion,
    };
    assert_eq!(error, culprit);
    assert!(client.list_children(&root).await.unwrap().is_empty());
}

pub(crate) async fn multi_read(root: String) {
    let client = client(&root).await;
    make(&client, &format!("{root}/a"), "1").await;
    let mut reader = client.new_multi_reader();
    reader.add_get_data(&format!("{root}/a")).unwrap();
    reader.add_get_children(&root).unwrap();
    reader.add_get_data(&format!("{root}/none")).unwrap();
    let results = reader.commit().await.unwrap();
    assert_eq!(results.len(), 3);
    assert!(matches!(&results[0], MultiReadResult::Data { data, .. } if data == b"1"));
    assert!(matches!(&results[1], MultiReadResult::Children { children } if *children == ["a"]));
    assert!(matches!(
        &results[2],
        MultiReadResult::Error { err: Error::NoNode }
    ));
}
