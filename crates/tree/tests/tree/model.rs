//! The tree again, as plainly as can be: full paths in one map, multis by copying it.
//! What it says must be what the real one says. It knows no ACLs and no quotas.

use std::collections::BTreeMap;

use tree::{
    ChangeKind, CreateMode, Former, Millis, MultiOutcome, Op, Owner, Reject, Reply, SessionId,
    Stat, State, Zxid,
};

/// A znode with everything that can be seen of it, and a little more.
#[derive(Clone, Debug)]
struct Node {
    data: Option<Vec<u8>>,
    stat: Stat,
    created: i32,
    /// As ZooKeeper stores it.
    owner: i64,
}

/// The tree and the sessions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    nodes: BTreeMap<String, Node>,
    sessions: BTreeMap<SessionId, Owner>,
    zxid: Zxid,
    time: Millis,
    changes: Vec<(ChangeKind, String)>,
}

impl Model {
    pub(crate) fn new() -> Self {
        let mut model = Self::default();
        for path in ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
            let (data, stat) = (Some(Vec::new()), Stat::default());
            model.nodes.insert(path.to_owned(), Node { data, stat, created: 0, owner: 0 });
        }
        model
    }

    /// What [`State::apply`] must answer, and which changes it must describe.
    pub(crate) fn apply(
        &mut self,
        time: Millis,
        (session, owner): (SessionId, Owner),
        op: &Op<'_>,
    ) -> (Result<Reply, Reject>, Vec<(ChangeKind, String)>) {
        self.zxid = self.zxid.next();
        self.time = time;
        let before = self.clone();
        let result = if matches!(op, Op::Check { .. }) {
            Err(Reject::Unimplemented)
        } else {
            self.op((session, owner), op)
        };
        let changes = std::mem::take(&mut self.changes);
        let failed = matches!(&result, Err(_) | Ok(Reply::Multi(MultiOutcome::Failed { .. })));
        if failed {
            *self = before;
            return (result, Vec::new());
        }
        (result, changes)
    }

    fn op(&mut self, who: (SessionId, Owner), op: &Op<'_>) -> Result<Reply, Reject> {
        let (session, owner) = who;
        match op {
            Op::Create { path, data, mode, .. } => self.create(who, path, *data, *mode),
            Op::Delete { path, version } => self.delete(who, path, *version),
            Op::SetData { path, data, version } => {
                self.set(who, path.expect("a path"), *data, *version)
            }
            Op::SetAcl { path, .. } => {
                self.known(who)?;
                let path = path.expect("a path");
                self.nodes.get_mut(path).ok_or(Reject::NoNode)?.stat.aversion += 1;
                Ok(Reply::Stat(self.stat(path)))
            }
            Op::Check { path, version } => {
                self.known(who)?;
                let node = self.nodes.get(path.expect("a path")).ok_or(Reject::NoNode)?;
                same(*version, node.stat.version).map(|()| Reply::Done)
            }
            Op::Multi(ops) => self.multi(who, ops),
            Op::OpenSession { timeout_ms } => {
                self.sessions.insert(session, owner);
                Ok(Reply::Attached { timeout_ms: *timeout_ms })
            }
            Op::AttachSession { timeout_ms, former } => {
                let present = self.sessions.get_mut(&session).ok_or(Reject::SessionExpired)?;
                if ![Former::Anybody, Former::Owner(*present)].contains(former) {
                    return Err(Reject::SessionMoved);
                }
                *present = owner;
                Ok(Reply::Attached { timeout_ms: *timeout_ms })
            }
            Op::CloseSession => self.close(session, owner),
            // The model's state is in no term.
            Op::ExpireSession { term: Some(1..), .. } => Err(Reject::SessionMoved),
            Op::ExpireSession { session, owner, .. } => self.close(*session, *owner),
            Op::Reap { path } => self.reap(path),
            Op::Reconfig { .. } => unreachable!("the model knows no members"),
            Op::Reject(reject) => Err(*reject),
        }
    }

    fn multi(&mut self, who: (SessionId, Owner), ops: &[Op<'_>]) -> Result<Reply, Reject> {
        let mut replies = Vec::new();
        for (index, op) in ops.iter().enumerate() {
            match self.op(who, op) {
                Ok(reply) => replies.push(reply),
                Err(Reject::SessionMoved) => return Err(Reject::SessionMoved),
                Err(reject) => {
                    let len = ops.len();
                    return Ok(Reply::Multi(MultiOutcome::Failed { index, len, reject }));
                }
            }
        }
        Ok(Reply::Multi(MultiOutcome::Applied(replies)))
    }

    fn create(
        &mut self,
        who: (SessionId, Owner),
        path: &str,
        data: Option<&[u8]>,
        mode: CreateMode,
    ) -> Result<Reply, Reject> {
        self.known(who)?;
        let parent_path = parent(path);
        let above = self.nodes.get(parent_path).ok_or(Reject::NoNode)?;
        let numbered = format!("{path}{:010}", above.created);
        let (path, owner) = match mode {
            CreateMode::Persistent => (path.to_owned(), 0),
            CreateMode::PersistentSequential => (numbered, 0),
            CreateMode::Ephemeral => (path.to_owned(), who.0.0),
            CreateMode::EphemeralSequential => (numbered, who.0.0),
            CreateMode::Container => (path.to_owned(), i64::MIN),
            CreateMode::PersistentWithTtl { ttl_ms } => (path.to_owned(), (0xFF << 56) + ttl_ms),
            CreateMode::PersistentSequentialWithTtl { ttl_ms } => (numbered, (0xFF << 56) + ttl_ms),
        };
        if self.nodes.contains_key(&path) {
            return Err(Reject::NodeExists);
        }
        if above.stat.ephemeral_owner != SessionId::NONE {
            return Err(Reject::NoChildrenForEphemerals);
        }
        let (zxid, time) = (self.zxid, self.time);
        let stat = Stat {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time,
            mtime: time,
            ephemeral_owner: SessionId(if owner > 0 { owner } else { 0 }),
            ..Stat::default()
        };
        let above = self.nodes.get_mut(parent_path).expect("it was there");
        above.created += 1;
        above.stat.pzxid = zxid;
        let data = data.map(<[u8]>::to_vec);
        self.nodes.insert(path.clone(), Node { data, stat, created: 0, owner });
        self.changes.push((ChangeKind::Created, path.clone()));
        Ok(Reply::Created { stat: self.stat(&path), path: path.into() })
    }

    fn delete(
        &mut self,
        who: (SessionId, Owner),
        path: &str,
        version: i32,
    ) -> Result<Reply, Reject> {
        self.known(who)?;
        let node = self.nodes.get(path).ok_or(Reject::NoNode)?;
        same(version, node.stat.version)?;
        if self.children(path).next().is_some() {
            return Err(Reject::NotEmpty);
        }
        self.remove(path);
        Ok(Reply::Done)
    }

    fn set(
        &mut self,
        who: (SessionId, Owner),
        path: &str,
        data: Option<&[u8]>,
        version: i32,
    ) -> Result<Reply, Reject> {
        self.known(who)?;
        let (zxid, time) = (self.zxid, self.time);
        let node = self.nodes.get_mut(path).ok_or(Reject::NoNode)?;
        same(version, node.stat.version)?;
        node.data = data.map(<[u8]>::to_vec);
        node.stat.version += 1;
        node.stat.mzxid = zxid;
        node.stat.mtime = time;
        self.changes.push((ChangeKind::DataChanged, path.to_owned()));
        Ok(Reply::Stat(self.stat(path)))
    }

    fn close(&mut self, session: SessionId, owner: Owner) -> Result<Reply, Reject> {
        match self.sessions.get(&session) {
            None => return Ok(Reply::Closed(session)),
            Some(present) if *present != owner => return Err(Reject::SessionMoved),
            Some(_) => {}
        }
        let owned = self.nodes.iter().filter(|(_, node)| node.stat.ephemeral_owner == session);
        let paths: Vec<String> = owned.map(|(path, _)| path.clone()).collect();
        paths.iter().for_each(|path| self.remove(path));
        self.sessions.remove(&session);
        Ok(Reply::Closed(session))
    }

    fn reap(&mut self, path: &str) -> Result<Reply, Reject> {
        let node = self.nodes.get(path).ok_or(Reject::NoNode)?;
        if self.children(path).next().is_some() {
            return Err(Reject::NotEmpty);
        }
        let is_ttl = node.owner < 0 && node.owner != i64::MIN;
        let outlived = is_ttl && self.time.0 - node.stat.mtime.0 > node.owner & 0xFF_FFFF_FFFF;
        if node.owner != i64::MIN && !outlived {
            return Err(Reject::BadVersion);
        }
        self.remove(path);
        Ok(Reply::Done)
    }

    fn remove(&mut self, path: &str) {
        self.nodes.remove(path);
        let zxid = self.zxid;
        self.nodes.get_mut(parent(path)).expect("every znode has one").stat.pzxid = zxid;
        self.changes.push((ChangeKind::Deleted, path.to_owned()));
    }

    fn known(&self, (session, owner): (SessionId, Owner)) -> Result<(), Reject> {
        match self.sessions.get(&session) {
            None => Err(Reject::SessionExpired),
            Some(present) if *present == owner => Ok(()),
            Some(_) => Err(Reject::SessionMoved),
        }
    }

    fn children(&self, path: &str) -> impl Iterator<Item = &str> {
        let path = path.to_owned();
        let names = self.nodes.keys().filter(|other| other.len() > 1);
        names.map(String::as_str).filter(move |other| parent(other) == path)
    }

    fn stat(&self, path: &str) -> Stat {
        let node = &self.nodes[path];
        let children = i32::try_from(self.children(path).count()).expect("few");
        Stat {
            num_children: children,
            cversion: 2 * node.created - children,
            data_length: i32::try_from(node.data.as_ref().map_or(0, Vec::len)).expect("short"),
            ..node.stat
        }
    }

    /// Compares every znode, the sums and the digest.
    pub(crate) fn assert_equals(&self, state: &State) {
        assert_eq!(state.last_zxid(), self.zxid);
        assert_eq!(state.node_count(), self.nodes.len() as u64 + 1);
        for path in self.nodes.keys().filter(|path| *path != "/zookeeper/config") {
            assert_eq!(state.stat_of(path), Some(self.stat(path)), "{path}");
        }
        let size = self.nodes.iter().map(|(path, node)| {
            path.encode_utf16().count() + node.data.as_ref().map_or(0, Vec::len)
        });
        assert_eq!(state.approximate_data_size(), size.sum::<usize>() as i64);
        let digests = self.nodes.iter().map(|(path, node)| u64::from(digest(path, node)));
        assert_eq!(state.digest(), digests.fold(0, u64::wrapping_add));
        let sessions: Vec<_> = state.sessions().map(|(id, session)| (id, session.owner)).collect();
        assert_eq!(sessions, self.sessions.clone().into_iter().collect::<Vec<_>>());
    }
}

/// ZooKeeper's formula, from the full path.
fn digest(path: &str, node: &Node) -> u32 {
    if path.starts_with("/zookeeper/") {
        return 0;
    }
    let mut bytes = if path == "/" { Vec::new() } else { path.as_bytes().to_vec() };
    bytes.extend_from_slice(node.data.as_deref().unwrap_or_default());
    let stat = &node.stat;
    for long in [stat.czxid.0, stat.mzxid.0, stat.pzxid.0, stat.ctime.0, stat.mtime.0] {
        bytes.extend_from_slice(&long.to_be_bytes());
    }
    for int in [stat.version, node.created, stat.aversion] {
        bytes.extend_from_slice(&int.to_be_bytes());
    }
    bytes.extend_from_slice(&node.owner.to_be_bytes());
    crc32fast::hash(&bytes)
}

fn parent(path: &str) -> &str {
    let slash = path.rfind('/').expect("a path");
    if slash == 0 { "/" } else { &path[..slash] }
}

fn same(expected: i32, version: i32) -> Result<(), Reject> {
    if expected == -1 || expected == version { Ok(()) } else { Err(Reject::BadVersion) }
}
