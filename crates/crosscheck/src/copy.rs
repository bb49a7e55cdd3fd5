//! Copies `ZooKeeper`'s tree to an empty Rookery before the comparison begins.
//!
//! Data and ACLs are copied, and so are the numbers that history leaves behind: versions, and
//! the count of children ever created, from which sequential znodes get their names. Those are
//! raised by doing as often what raises them, up to a limit; what is beyond it is remembered,
//! and compared by how it moves. Ephemerals belong to sessions that Rookery has not got:
//! they are left out, and what hangs on them is not judged.
//!
//! The tree is alive while it is copied. The observer, which watches already, sees what changes
//! meanwhile: the director marks that as foreign.

use std::collections::HashMap;

use proto::{
    Acl, CreateRequest, DeleteRequest, ErrorCode, ExistsRequest, ExistsResponse, GetAclRequest,
    GetAclResponse, GetChildren2Response, GetChildrenRequest, GetDataRequest, GetDataResponse, Id,
    MultiOp, MultiRequest, Record, Request, SetAclRequest, SetDataRequest, Stat,
};

use crate::client::{Auth, Client, ClientError, SILENCE_MAX};
use crate::judge::baselines::Offsets;
use crate::servers::Servers;

/// Steps that are sent as one multi.
const STEPS_AT_ONCE: usize = 500;
/// The most bytes of such a multi: a request may have a mebibyte.
const MULTI_BYTES: usize = 512 << 10;
/// What a step takes beside path and data, at most.
const STEP_BYTES: usize = 80;
/// The child that is created and deleted to raise the number of its parent.
const PLACEHOLDER: &str = "rookery-crosscheck-placeholder";
/// The znodes that every server makes by itself.
const BUILT_IN: &[&str] = &["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"];

/// How to copy.
#[derive(Clone, Copy, Debug)]
pub struct Copy {
    /// The most steps for one number of one znode.
    pub steps_max: u32,
}

/// Why a tree was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// `ZooKeeper` failed.
    #[error("ZooKeeper: {0}")]
    ZooKeeper(ClientError),
    /// Rookery failed.
    #[error("Rookery: {0}")]
    Rookery(ClientError),
    /// A request was refused.
    #[error("{side} refused {what}: {code}")]
    Refused {
        /// By whom.
        side: &'static str,
        /// The operation and its path.
        what: String,
        /// The error by its name.
        code: String,
    },
    /// Rookery holds something already.
    #[error("Rookery is not empty: it has {0}")]
    NotEmpty(String),
}

/// What was copied.
#[derive(Debug, Default)]
pub(crate) struct Copied {
    pub(crate) znodes: u64,
    /// Ephemerals, which were left out.
    pub(crate) ephemerals: Vec<String>,
    /// Znodes whose children are not the same, or will not be named alike.
    pub(crate) parents: Vec<String>,
    /// Znodes whose numbers could not be brought up to those of `ZooKeeper`.
    pub(crate) inexact: u64,
    /// How far numbers are from those of `ZooKeeper`, where they are not the same.
    pub(crate) offsets: HashMap<String, Offsets>,
}

/// Copies. What changes meanwhile is for others to see.
pub(crate) async fn copy(
    servers: (&Servers, &Servers),
    auth: Option<&Auth>,
    how: Copy,
) -> Result<Copied, CopyError> {
    let from = Client::open(servers.0, auth).await.map_err(CopyError::ZooKeeper)?;
    let to = Client::open(servers.1, auth).await.map_err(CopyError::Rookery)?;
    let mut copier = Copier { from, to, how, copied: Copied::default() };
    copier.must_be_empty().await?;
    copier.tree().await?;
    copier.from.close().await;
    copier.to.close().await;
    Ok(copier.copied)
}

struct Copier {
    from: Client,
    to: Client,
    how: Copy,
    copied: Copied,
}

/// A znode as `ZooKeeper` has it.
struct Znode {
    data: Option<Vec<u8>>,
    stat: Stat,
    acl: Vec<(i32, String, String)>,
    children: Vec<String>,
}

impl Copier {
    async fn must_be_empty(&mut self) -> Result<(), CopyError> {
        for path in ["/", "/zookeeper/quota"] {
            let children = children(&mut self.to, path).await.map_err(CopyError::Rookery)?;
            let is_other = |name: &&String| path != "/" || *name != "zookeeper";
            if let Some(name) = children.iter().find(is_other) {
                return Err(CopyError::NotEmpty(join(path, name)));
            }
        }
        Ok(())
    }

    /// Parents first; a znode's ACL and numbers when all below it is there, for they may forbid
    /// it, or change by it.
    async fn tree(&mut self) -> Result<(), CopyError> {
        let mut stack = vec![("/".to_owned(), None)];
        while let Some((path, visited)) = stack.pop() {
            self.keep_alive().await?;
            let Some(znode) = visited else {
                let Some(znode) = self.read(&path).await? else { continue };
                if znode.stat.ephemeral_owner != 0 {
                    self.copied.ephemerals.push(path);
                    continue;
                }
                self.create(&path, &znode).await?;
                let children = znode.children.clone();
                stack.push((path.clone(), Some(znode)));
                stack.extend(children.into_iter().map(|name| (join(&path, &name), None)));
                continue;
            };
            if path != crate::judge::CONFIG {
                self.finish(&path, znode).await?;
            }
        }
        Ok(())
    }

    async fn read(&mut self, path: &str) -> Result<Option<Znode>, CopyError> {
        let get = GetDataRequest { path: Some(path), watch: false };
        let list = GetChildrenRequest { path: Some(path), watch: false };
        self.from.queue(&Request::GetData(get));
        self.from.queue(&Request::GetAcl(GetAclRequest { path: Some(path) }));
        self.from.queue(&Request::GetChildren2(list));
        let mut bodies = Vec::new();
        let mut refused = None;
        for _ in 0..3 {
            let answer = self.from.answer().await.map_err(CopyError::ZooKeeper)?;
            refused = refused.or_else(|| Some(answer.header.err).filter(|code| *code != 0));
            bodies.push(answer.body);
        }
        match refused {
            // It was deleted meanwhile.
            Some(code) if code == ErrorCode::NoNode.code() => return Ok(None),
            Some(code) => return Err(refusal("ZooKeeper", "reading", path, code)),
            None => {}
        }
        let decoded = |error: proto::DecodeError| CopyError::ZooKeeper(error.into());
        let data = GetDataResponse::from_bytes(&bodies[0]).map_err(decoded)?;
        let acl = GetAclResponse::from_bytes(&bodies[1]).map_err(decoded)?;
        let listed = GetChildren2Response::from_bytes(&bodies[2]).map_err(decoded)?;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let entry = |acl: &Acl<'_>| (acl.perms, text(acl.id.scheme), text(acl.id.id));
        Ok(Some(Znode {
            data: data.data.map(<[u8]>::to_vec),
            stat: listed.stat,
            acl: acl.acl.iter().map(entry).collect(),
            children: listed.children.iter().map(|name| (*name).to_owned()).collect(),
        }))
    }

    /// Creates it open to everyone, so that what is below can be created too.
    async fn create(&mut self, path: &str, znode: &Znode) -> Result<(), CopyError> {
        if BUILT_IN.contains(&path) {
            return Ok(());
        }
        self.copied.znodes += 1;
        // What cannot be told from outside is whether it is a container, or has a time to live:
        // it becomes a plain znode, which nobody deletes by the clock.
        let data = znode.data.as_deref();
        let create = CreateRequest { path: Some(path), data, acl: Some(open_acl()), flags: 0 };
        self.apply("create", path, &Request::Create(create)).await
    }

    /// Brings versions and the number of children ever created up, and sets the ACL.
    async fn finish(&mut self, path: &str, znode: Znode) -> Result<(), CopyError> {
        let Some(own) = stat(&mut self.to, path).await.map_err(CopyError::Rookery)? else {
            return Ok(());
        };
        let missing = ever_created(&znode.stat) - ever_created(&own);
        self.raise(path, u32::try_from(missing).unwrap_or(0), Step::Child).await?;
        let data = znode.data.as_deref();
        if BUILT_IN.contains(&path) && data.is_some_and(|data| !data.is_empty()) {
            let set = SetDataRequest { path: Some(path), data, version: -1 };
            self.apply("setData", path, &Request::SetData(set)).await?;
        }
        let own = stat(&mut self.to, path).await.map_err(CopyError::Rookery)?.unwrap_or(own);
        let missing = u32::try_from(znode.stat.version - own.version).unwrap_or(0);
        self.raise(path, missing, Step::Data(data)).await?;
        self.acl(path, &znode, own.aversion).await?;
        let own = stat(&mut self.to, path).await.map_err(CopyError::Rookery)?.unwrap_or(own);
        let ephemeral = znode.stat.num_children != own.num_children;
        let offsets = Offsets::between(&znode.stat, &own);
        if offsets != Offsets::default() {
            self.copied.inexact += u64::from(!ephemeral);
            self.copied.offsets.insert(path.to_owned(), offsets);
        }
        if ephemeral || ever_created(&znode.stat) != ever_created(&own) {
            // Neither list nor count of these children is alike; sequential ones get other names.
            self.copied.parents.push(path.to_owned());
        }
        Ok(())
    }

    async fn acl(&mut self, path: &str, znode: &Znode, own: i32) -> Result<(), CopyError> {
        let id = |scheme, id| Id { scheme: Some(scheme), id: Some(id) };
        let entry =
            |(perms, scheme, name): &(i32, String, String)| (*perms, scheme.clone(), name.clone());
        let entries: Vec<_> = znode.acl.iter().map(entry).collect();
        let acl: Vec<Acl<'_>> = entries
            .iter()
            .map(|(perms, scheme, name)| Acl { perms: *perms, id: id(scheme, name) })
            .collect();
        let is_open = acl == open_acl();
        let missing = znode.stat.aversion.wrapping_sub(own);
        // One at least, if it is not open: an ACL given at creation has version 0.
        let steps = u32::try_from(missing).unwrap_or(0).min(self.how.steps_max);
        let steps = if is_open { steps } else { steps.max(1) };
        for _ in 0..steps {
            let set = SetAclRequest { path: Some(path), acl: Some(acl.clone()), version: -1 };
            self.apply("setACL", path, &Request::SetAcl(set)).await?;
        }
        Ok(())
    }

    /// Does something as often as it takes, in multis.
    async fn raise(&mut self, path: &str, missing: u32, step: Step<'_>) -> Result<(), CopyError> {
        if missing > self.how.steps_max {
            return Ok(());
        }
        let child = join(path, PLACEHOLDER);
        let step_bytes = match step {
            Step::Child => 2 * (child.len() + STEP_BYTES),
            Step::Data(data) => path.len() + data.map_or(0, <[u8]>::len) + STEP_BYTES,
        };
        let at_once = (MULTI_BYTES / step_bytes).clamp(1, STEPS_AT_ONCE);
        let mut left = missing as usize;
        while left > 0 {
            let steps = left.min(at_once);
            left -= steps;
            let mut ops = Vec::new();
            for _ in 0..steps {
                match step {
                    Step::Child => {
                        let (path, acl) = (Some(child.as_str()), Some(open_acl()));
                        ops.push(MultiOp::Create(CreateRequest {
                            path,
                            data: None,
                            acl,
                            flags: 0,
                        }));
                        ops.push(MultiOp::Delete(DeleteRequest { path, version: -1 }));
                    }
                    Step::Data(data) => {
                        let (path, version) = (Some(path), -1);
                        ops.push(MultiOp::SetData(SetDataRequest { path, data, version }));
                    }
                }
            }
            self.apply("multi", path, &Request::Multi(MultiRequest { ops })).await?;
        }
        Ok(())
    }

    /// One side may have much to do while the other is not asked anything.
    async fn keep_alive(&mut self) -> Result<(), CopyError> {
        self.from.keep_alive(SILENCE_MAX).await.map_err(CopyError::ZooKeeper)?;
        self.to.keep_alive(SILENCE_MAX).await.map_err(CopyError::Rookery)
    }

    async fn apply(
        &mut self,
        what: &str,
        path: &str,
        request: &Request<'_>,
    ) -> Result<(), CopyError> {
        self.keep_alive().await?;
        let answer = self.to.ask(request).await.map_err(CopyError::Rookery)?;
        if answer.header.err == 0 {
            return Ok(());
        }
        Err(refusal("Rookery", what, path, answer.header.err))
    }
}

/// What raises a number.
#[derive(Clone, Copy)]
enum Step<'a> {
    /// A child that comes and goes.
    Child,
    /// The same data once more.
    Data(Option<&'a [u8]>),
}

/// How many children a znode has ever had: what sequential names are made of.
fn ever_created(stat: &Stat) -> i64 {
    (i64::from(stat.cversion) + i64::from(stat.num_children)) / 2
}

fn refusal(side: &'static str, what: &str, path: &str, code: i32) -> CopyError {
    let name = ErrorCode::from_code(code).map_or_else(|| code.to_string(), |it| format!("{it:?}"));
    CopyError::Refused { side, what: format!("{what} {path}"), code: name }
}

fn join(parent: &str, name: &str) -> String {
    format!("{}/{name}", parent.trim_end_matches('/'))
}

fn open_acl() -> Vec<Acl<'static>> {
    vec![Acl { perms: 31, id: Id { scheme: Some("world"), id: Some("anyone") } }]
}

async fn children(client: &mut Client, path: &str) -> Result<Vec<String>, ClientError> {
    let list = GetChildrenRequest { path: Some(path), watch: false };
    let answer = client.ask(&Request::GetChildren2(list)).await?;
    if answer.header.err != 0 {
        return Ok(Vec::new());
    }
    let listed = GetChildren2Response::from_bytes(&answer.body)?;
    Ok(listed.children.iter().map(|name| (*name).to_owned()).collect())
}

async fn stat(client: &mut Client, path: &str) -> Result<Option<Stat>, ClientError> {
    let exists = ExistsRequest { path: Some(path), watch: false };
    let answer = client.ask(&Request::Exists(exists)).await?;
    if answer.header.err != 0 {
        return Ok(None);
    }
    Ok(Some(ExistsResponse::from_bytes(&answer.body)?.stat))
}
