//! Who the members are, as `/zookeeper/config` shows it.
//!
//! That text follows the log's own entries about members ([`State::set_config`]); the command
//! that a client's request comes to only answers, when its change is already here.

use super::{Changes, Request};
use crate::{
    ChangeKind, State,
    command::{CommandFlags, Identity, Permissions},
    ids::{Owner, SessionId, Zxid},
    outcome::{Outcome, Reject, Reply},
    path,
};

/// What stands before the version, in the last line of the text.
const VERSION: &str = "version=";

impl State {
    /// Shows other servers in `/zookeeper/config`: a line for each, all of them ended. Their
    /// version, in the last line, is the zxid that this takes. The same servers again change
    /// nothing.
    pub fn set_config(&mut self, servers: &str) -> Outcome {
        let node = self.nodes.find(path::CONFIG).expect("built in, and cannot be deleted");
        let mut changes = Vec::new();
        let known = self.config_data();
        if servers_of(known) != servers.as_bytes() || known.is_empty() {
            self.zxid = self.zxid.next();
            self.put_config(servers, self.zxid, &mut changes);
            self.note_digest();
        }
        let stat = self.nodes.stat(node);
        Outcome { zxid: self.zxid, result: Ok(Reply::Stat(stat)), changes }
    }

    /// Whether a client may change the members, as far as that shows before its request is
    /// looked at: its session must be open and its own.
    ///
    /// # Errors
    /// [`Reject::SessionExpired`] or [`Reject::SessionMoved`].
    pub fn check_reconfig_session(&self, session: SessionId, owner: Owner) -> Result<(), Reject> {
        let open = self.sessions.get(session).ok_or(Reject::SessionExpired)?;
        if open.owner == owner { Ok(()) } else { Err(Reject::SessionMoved) }
    }

    /// Whether these may change the members: who may write `/zookeeper/config` may.
    ///
    /// # Errors
    /// [`Reject::NoAuth`].
    pub fn check_reconfig_access(
        &self,
        identities: &[Identity<'_>],
        flags: CommandFlags,
    ) -> Result<(), Reject> {
        let node = self.nodes.find(path::CONFIG).expect("built in, and cannot be deleted");
        self.check_access(node, Permissions::WRITE, identities, flags)
    }

    /// The version that the text of `/zookeeper/config` shows; 0 while it shows none.
    pub fn config_version(&self) -> Zxid {
        let text = std::str::from_utf8(self.config_data()).unwrap_or_default();
        let last = text.rsplit('\n').next().and_then(|line| line.strip_prefix(VERSION));
        Zxid(last.and_then(|version| i64::from_str_radix(version, 16).ok()).unwrap_or(0))
    }

    /// Answers a reconfig. What it asked for is in the state already; the configuration has
    /// the time of the request from here on.
    pub(super) fn reconfig(
        &mut self,
        request: &Request<'_>,
        refused: Option<Reject>,
        before: Zxid,
        changes: &mut Changes,
    ) -> Result<Reply, Reject> {
        self.check_session(request)?;
        if let Some(reject) = refused {
            return Err(reject);
        }
        if self.config_version() == before {
            let servers = String::from_utf8_lossy(servers_of(self.config_data())).into_owned();
            self.put_config(&servers, request.zxid, changes);
        }
        let node = self.nodes.find(path::CONFIG).expect("built in, and cannot be deleted");
        let time = request.time;
        self.change_fields(node, |fields| fields.mtime = time);
        Ok(Reply::Config { data: self.config_data().into(), stat: self.nodes.stat(node) })
    }

    /// Compat(config-version): the version of the configuration is the zxid of its change, and
    /// the znode's own version is always -1.
    ///
    /// Compat(config-events): the znode is written twice, once by the servers and once by the
    /// transaction, so that a watch that stays is told twice.
    fn put_config(&mut self, servers: &str, zxid: Zxid, changes: &mut Changes) {
        let node = self.nodes.find(path::CONFIG).expect("built in, and cannot be deleted");
        let text = format!("{servers}{VERSION}{:x}", zxid.0);
        self.replace_data(node, Some(text.as_bytes()), |fields| {
            fields.mzxid = zxid;
            fields.version = -1;
        });
        let change = self.describe(ChangeKind::DataChanged, node, path::CONFIG);
        changes.extend([change.clone(), change]);
    }
}

/// The text without its last line.
fn servers_of(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    &text[..end]
}
