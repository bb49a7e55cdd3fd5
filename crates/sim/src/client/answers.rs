//! What a client does with each frame that comes: it is checked, and remembered for the checks
//! to come.

use std::io;

use proto::{ErrorCode, EventType, Record, ReplyHeader, Response, WatcherEvent, xid};
use tree::Zxid;

use super::{Asked, Client, Own, Pending, SHARED};
use crate::checks::{Check, watches::Kind};

/// The answer to a request.
struct Answer<'a> {
    zxid: Zxid,
    /// The body, or why there is none.
    result: Result<Response<'a>, i32>,
}

impl Answer<'_> {
    fn is_ok(&self) -> bool {
        self.result.is_ok()
    }

    fn is(&self, code: ErrorCode) -> bool {
        self.result.as_ref().err() == Some(&code.code())
    }

    /// The version of a znode that was read or written.
    fn version(&self) -> Option<i32> {
        match &self.result {
            Ok(Response::GetData(got)) => Some(got.stat.version),
            Ok(Response::SetData(set)) => Some(set.stat.version),
            Ok(_) | Err(_) => None,
        }
    }
}

impl Client {
    /// Takes a frame of an established connection.
    pub(super) fn take(&mut self, frame: &[u8]) -> io::Result<()> {
        let (body, header) = ReplyHeader::decode(frame).map_err(io::Error::other)?;
        let zxid = Zxid(header.zxid);
        if header.xid == xid::EVENT {
            return self.take_event(zxid, body);
        }
        let Some(pending) = self.pending.pop_front().filter(|first| first.xid == header.xid) else {
            self.broken(Check::OwnWrites, &format!("{header:?} answers nothing that is asked"));
            return Err(io::ErrorKind::InvalidData.into());
        };
        self.cluster.history.note_reply();
        let own = self.own_path();
        let op = pending.asked.request(&own).op();
        let result = if header.err == ErrorCode::Ok.code() {
            Ok(Response::decode(op, body).map_err(io::Error::other)?)
        } else {
            Err(header.err)
        };
        self.note_zxid(zxid, &pending);
        self.take_answer(&pending, &Answer { zxid, result })
    }

    fn take_event(&mut self, zxid: Zxid, body: &[u8]) -> io::Result<()> {
        let event: WatcherEvent<'_> = Record::from_exact_bytes(body).map_err(io::Error::other)?;
        let kind = EventType::from_code(event.kind).ok_or(io::ErrorKind::InvalidData)?;
        self.cluster.history.note_event();
        let told = self.watches.event(zxid, kind, event.path, &self.cluster.history.changes());
        if let Err(what) = told {
            self.broken(Check::Watches, &what);
        }
        Ok(())
    }

    /// What holds for every reply.
    fn note_zxid(&mut self, zxid: Zxid, pending: &Pending) {
        let Pending { asked, began, .. } = pending;
        if zxid < self.seen {
            let what = format!("{asked:?} is answered at {zxid}, after {}", self.seen);
            self.broken(Check::Zxids, &what);
        }
        self.seen = self.seen.max(zxid);
        let told = self.watches.replied(zxid, &self.cluster.history.changes());
        if let Err(what) = told {
            self.broken(Check::Watches, &what);
        }
        if asked.is_write() {
            self.cluster.history.acknowledged(*began, self.cluster.now(), zxid);
        }
    }

    fn take_answer(&mut self, pending: &Pending, answer: &Answer<'_>) -> io::Result<()> {
        if answer.is(ErrorCode::SessionExpired) {
            if !self.cluster.history.has_ended(self.session) {
                self.broken(Check::Sessions, "it is said to have expired, and has not");
            }
            return Err(io::ErrorKind::NotConnected.into());
        }
        match &pending.asked {
            Asked::CreateOwn if answer.is_ok() || answer.is(ErrorCode::NodeExists) => {
                self.own = Some(Own::new());
            }
            Asked::SetOwn => self.check_own(|own| own.written(answer.version())),
            Asked::ReadOwn => match answer.version() {
                Some(version) => self.check_own(|own| own.read(version)),
                None => self.broken(Check::OwnWrites, "its own znode is not there"),
            },
            Asked::CreateEphemeral(path) if answer.is_ok() => self.ephemerals.push(path.clone()),
            Asked::DeleteEphemeral(path) => {
                self.uncertain.retain(|uncertain| uncertain != path);
                self.check_ephemeral(path, answer.is_ok());
            }
            // One that is deleted behind this is there still.
            Asked::ReadEphemeral(path) => self.check_ephemeral(path, answer.is_ok()),
            Asked::ReadGone(path) if answer.is_ok() => {
                self.broken(Check::Ephemerals, &format!("{path} outlives its session"));
            }
            Asked::GetData(path, true) if answer.is_ok() => {
                self.watches.arm(Kind::Data, path, answer.zxid);
            }
            Asked::Exists(path, true) => {
                let kind = if answer.is_ok() { Kind::Data } else { Kind::Exist };
                self.watches.arm(kind, path, answer.zxid);
            }
            Asked::GetChildren(true) if answer.is_ok() => {
                self.watches.arm(Kind::Child, SHARED, answer.zxid);
            }
            Asked::AddWatch(path, is_recursive) => {
                let kind = if *is_recursive { Kind::Recursive } else { Kind::Persistent };
                self.watches.arm(kind, path, answer.zxid);
            }
            Asked::Sync if answer.zxid < pending.acknowledged => {
                let known = pending.acknowledged;
                let what = format!("a sync gives {}, {known} was acknowledged", answer.zxid);
                self.broken(Check::Sync, &what);
            }
            Asked::Close if answer.is_ok() => self.session_ended(),
            Asked::CreateShared
            | Asked::CreateOwn
            | Asked::CreateEphemeral(_)
            | Asked::ReadGone(_)
            | Asked::Create(..)
            | Asked::Delete(_)
            | Asked::Set(_)
            | Asked::GetData(..)
            | Asked::Exists(..)
            | Asked::GetChildren(_)
            | Asked::SetWatches(..)
            | Asked::Sync
            | Asked::Ping
            | Asked::Close => {}
        }
        Ok(())
    }

    fn check_own(&mut self, check: impl FnOnce(&mut Own) -> Result<(), String>) {
        if let Some(Err(what)) = self.own.as_mut().map(check) {
            self.broken(Check::OwnWrites, &what);
        }
    }

    fn check_ephemeral(&self, path: &str, is_there: bool) {
        if !is_there {
            self.broken(Check::Ephemerals, &format!("{path} is gone, its session is not"));
        }
    }
}
