//! A client's reconfig, from the request to its reply.
//!
//! The server that was asked judges the request by the members and the state it has, once it
//! has caught up; the leader makes the change, on condition that the members are still those
//! that were judged. When it is made, or refused, a command goes through the log like any
//! other write of the session, and its outcome is the reply: so a reconfig has its place in
//! the session's order, and a zxid.
//!
//! Who may do it is asked before the leader is; ZooKeeper asks last, after it has looked for
//! a quorum.

use std::{sync::Arc, time::Duration};

use raft_log::{Busy, ChangeError, MemberChange, Members};
use session::{Identities, Reconfig};
use tokio::time::{Instant, sleep};
use tree::{Command, CommandFlags, Op, Reject, Zxid};

use super::{
    Ensemble,
    membership::shown,
    new_members::{Difference, difference},
};
use crate::{link::Link, service::Service};

/// How long a change may take: catching up is bounded by its progress, not by this.
const WITHIN: Duration = Duration::from_secs(600);
/// How long another change, of whoever, is waited for.
const OTHERS_WITHIN: Duration = Duration::from_secs(1);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// A reconfig of one connection.
#[derive(Debug)]
pub(crate) struct Request {
    link: Arc<Link>,
    xid: i32,
    identities: Identities,
    joining: Option<String>,
    leaving: Option<String>,
    members: Option<String>,
    version: i64,
}

/// What became of it.
enum Verdict {
    /// The members are those that were asked for; before, the configuration had this version.
    Done { before: Zxid },
    /// Nothing was changed.
    Refused(Reject),
    /// Nobody can tell: the client has to look for itself, as after any lost connection.
    Unknown,
}

impl Request {
    /// What the client behind `link` asks for.
    pub(crate) fn new(
        link: &Arc<Link>,
        xid: i32,
        identities: &Identities,
        asked: &Reconfig<'_>,
    ) -> Self {
        Self {
            link: Arc::clone(link),
            xid,
            identities: identities.clone(),
            joining: asked.joining.map(str::to_owned),
            leaving: asked.leaving.map(str::to_owned),
            members: asked.members.map(str::to_owned),
            version: asked.version,
        }
    }

    fn asked(&self) -> Reconfig<'_> {
        Reconfig {
            joining: self.joining.as_deref(),
            leaving: self.leaving.as_deref(),
            members: self.members.as_deref(),
            version: self.version,
        }
    }
}

/// Changes the members and sends the command that answers. The lane of the request's link
/// expects it: see `Lane::expect_reconfig`.
pub(crate) async fn reconfigure(service: Arc<Service>, request: Request) {
    let Some(ensemble) = &service.ensemble else { return };
    let op = match decide(&service, ensemble, &request).await {
        Verdict::Done { before } => Op::Reconfig { refused: None, before },
        Verdict::Refused(reject) => Op::Reconfig { refused: Some(reject), before: Zxid::ZERO },
        Verdict::Unknown => return request.link.drop_silently(),
    };
    let flags = service.settings.command_flags;
    let flags =
        if request.link.is_local() { flags.with(CommandFlags::LOCAL_SESSION) } else { flags };
    let command = Command {
        session: request.link.session(),
        owner: request.link.owner,
        xid: request.xid,
        flags,
        identities: request.identities.to_vec(),
        op,
    };
    loop {
        match service.propose(&command, Some(&request.link)) {
            Ok(_) => return,
            Err(Busy::Full) => service.proposer.ready().await,
            // It is taken on a full disk.
            Err(Busy::DiskFull) => sleep(PAUSE).await,
        }
    }
}

async fn decide(service: &Service, ensemble: &Ensemble, request: &Request) -> Verdict {
    let begun = Instant::now();
    // Whether the leader may have made the change and could not say so; then, the version
    // that the configuration had before.
    let mut tried = None;
    while begun.elapsed() < WITHIN {
        let Some(members) = ensemble.present_members().await else {
            sleep(PAUSE).await;
            continue;
        };
        if members.changing {
            if tried.is_none() && begun.elapsed() > OTHERS_WITHIN {
                return Verdict::Refused(Reject::ReconfigInProgress);
            }
            sleep(PAUSE).await;
            continue;
        }
        let (version, judged) = judge(service, ensemble, request, &members, tried.is_some());
        let before = tried.unwrap_or(version);
        if service.core.members_version() > members.version() {
            // The state is ahead of what is known of the members.
            sleep(PAUSE).await;
            continue;
        }
        let change = match judged {
            Err(reject) => return Verdict::Refused(reject),
            Ok(change) if change.is_none() => return Verdict::Done { before },
            Ok(Difference { put, remove }) => {
                MemberChange { expected_version: Some(members.version()), put, remove }
            }
        };
        match ensemble.log.change_members(change).await {
            Ok(_) => return Verdict::Done { before },
            Err(ChangeError::NoQuorum) => return Verdict::Refused(Reject::NewConfigNoQuorum),
            Err(ChangeError::Invalid(why)) => {
                tracing::warn!(why, "a reconfig is refused");
                return Verdict::Refused(Reject::BadArguments);
            }
            Err(ChangeError::InProgress) if tried.is_none() => {
                return Verdict::Refused(Reject::ReconfigInProgress);
            }
            Err(ChangeError::WrongVersion(_) | ChangeError::HandedOver) => {}
            Err(error) => {
                tracing::debug!(%error, "a change of the members is tried again");
                tried = Some(before);
            }
        }
        sleep(PAUSE).await;
    }
    Verdict::Unknown
}

/// ZooKeeper's checks in ZooKeeper's order, but for the quorum, which the leader looks for;
/// and the version of the configuration that was looked at.
fn judge(
    service: &Service,
    ensemble: &Ensemble,
    request: &Request,
    members: &Members,
    tried: bool,
) -> (Zxid, Result<Difference, Reject>) {
    let (session, owner) = (request.link.session(), request.link.owner);
    let local = request.link.is_local();
    let local_is_open = local && service.local_sessions.lock().owned(session, owner).is_some();
    let state = service.core.read();
    let version = state.config_version();
    let judge = || {
        if !local {
            state.check_reconfig_session(session, owner)?;
        } else if !local_is_open {
            return Err(Reject::SessionExpired);
        }
        let change = difference(&shown(members), &request.asked(), ensemble.standalone_enabled);
        if tried && change.as_ref().is_ok_and(Difference::is_none) {
            return change;
        }
        if request.version != -1 && request.version != version.0 {
            return Err(Reject::BadVersion);
        }
        let change = change?;
        let flags = service.settings.command_flags;
        request.identities.with(|identities| state.check_reconfig_access(identities, flags))?;
        if change.is_possible() { Ok(change) } else { Err(Reject::BadArguments) }
    };
    (version, judge())
}

impl Ensemble {
    /// The members of now, when they are in this server's state as well; `None` when that
    /// cannot be said now.
    async fn present_members(&self) -> Option<Members> {
        let status = self.log.status();
        if !self.catch_up().await {
            return None;
        }
        let members = status.borrow().members.clone();
        let decided = members.decided?;
        (self.log.applied().is_some_and(|applied| applied >= decided)).then_some(members)
    }
}
