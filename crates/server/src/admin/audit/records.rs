//! What is written about a command that was applied.

use std::{fmt::Write, net::IpAddr};

use session::auth::user_name;
use tree::{
    AclEntry, ChangeKind, Command, CreateMode, Identity, MultiOutcome, Op, Outcome, Permissions,
    Reject, Reply, SessionId,
};

use super::{AuditLog, AuditRecord, AuditResult, Operation};

impl AuditLog {
    /// Writes what `command` did, if it is of a kind that is audited. `ip` is the address
    /// of the client, which the leader's own commands do not have.
    pub(crate) fn command(
        &self,
        wall_ms: i64,
        ip: Option<IpAddr>,
        command: &Command<'_>,
        outcome: &Outcome,
    ) {
        let users = users(&command.identities);
        let who = AuditRecord {
            session: Some(command.session),
            user: (!users.is_empty()).then_some(users.as_str()),
            ip,
            // Replaced by what was done.
            ..AuditRecord::new(Operation::Create, AuditResult::Failure)
        };
        match (&command.op, &outcome.result) {
            (_, Err(Reject::OutOfSequence)) => {}
            (Op::Multi(ops), Ok(Reply::Multi(MultiOutcome::Applied(replies)))) => {
                for (op, reply) in ops.iter().zip(replies) {
                    self.part_of_multi(wall_ms, &who, op, reply);
                }
            }
            (Op::Multi(_), _) => {
                self.write(wall_ms, &AuditRecord { operation: Operation::MultiOperation, ..who });
            }
            (Op::CloseSession | Op::ExpireSession { .. }, Ok(Reply::Closed(session))) => {
                self.ephemerals(wall_ms, *session, outcome);
            }
            (op, Ok(reply)) => self.one(wall_ms, &who, op, Some(reply)),
            (op, Err(_)) => self.one(wall_ms, &who, op, None),
        }
    }

    /// Compat(audit-sequence-mode): ZooKeeper looks the mode up by the path that was asked for, and
    /// so does not find that of a name with a number.
    fn part_of_multi(&self, wall_ms: i64, who: &AuditRecord<'_>, op: &Op<'_>, reply: &Reply) {
        match (op, reply) {
            (Op::Create { path, .. }, Reply::Created { path: real, .. }) if **path != **real => {
                let result = AuditResult::Success;
                let znode = Some(&**real);
                let operation = Operation::Create;
                self.write(wall_ms, &AuditRecord { operation, znode, result, ..*who });
            }
            _ => self.one(wall_ms, who, op, Some(reply)),
        }
    }

    fn one(&self, wall_ms: i64, who: &AuditRecord<'_>, op: &Op<'_>, reply: Option<&Reply>) {
        let result = if reply.is_some() { AuditResult::Success } else { AuditResult::Failure };
        let acl_text;
        let record = match op {
            Op::Create { path, mode, .. } => {
                let znode = match reply {
                    Some(Reply::Created { path: real, .. }) => real,
                    Some(_) | None => *path,
                };
                let znode_type = Some(mode_name(*mode));
                let operation = Operation::Create;
                AuditRecord { operation, znode: Some(znode), znode_type, ..*who }
            }
            Op::Delete { path, .. } | Op::Reap { path } => {
                AuditRecord { operation: Operation::Delete, znode: Some(path), ..*who }
            }
            Op::SetData { path, .. } => {
                AuditRecord { operation: Operation::SetData, znode: *path, ..*who }
            }
            Op::SetAcl { path, acl, .. } => {
                acl_text = acl.as_deref().map(acl_to_text);
                let acl = acl_text.as_deref();
                AuditRecord { operation: Operation::SetAcl, znode: *path, acl, ..*who }
            }
            Op::Reconfig { .. } | Op::Reject(Reject::ReconfigDisabled) => {
                let znode = reply.map(|_| "/zookeeper/config");
                AuditRecord { operation: Operation::Reconfig, znode, ..*who }
            }
            Op::Check { .. }
            | Op::Multi(_)
            | Op::Reject(_)
            | Op::OpenSession { .. }
            | Op::AttachSession { .. }
            | Op::CloseSession
            | Op::ExpireSession { .. } => return,
        };
        self.write(wall_ms, &AuditRecord { result, ..record });
    }

    /// The system takes away what a session leaves behind.
    fn ephemerals(&self, wall_ms: i64, session: SessionId, outcome: &Outcome) {
        for change in &outcome.changes {
            if change.kind == ChangeKind::Deleted {
                let record = AuditRecord {
                    session: Some(session),
                    user: Some(&self.system_user),
                    znode: Some(&change.path),
                    ..AuditRecord::new(Operation::EphemeralDeletion, AuditResult::Success)
                };
                self.write(wall_ms, &record);
            }
        }
    }
}

/// The names of a client, as ZooKeeper's providers tell them from the ids.
fn users(identities: &[Identity<'_>]) -> String {
    let mut users = String::new();
    // No provider knows `super`; the digest that proved it comes beside it.
    for identity in identities.iter().filter(|identity| identity.scheme != "super") {
        if !users.is_empty() {
            users.push(',');
        }
        users.push_str(user_name(identity));
    }
    users
}

const fn mode_name(mode: CreateMode) -> &'static str {
    match mode {
        CreateMode::Persistent => "persistent",
        CreateMode::Ephemeral => "ephemeral",
        CreateMode::PersistentSequential => "persistent_sequential",
        CreateMode::EphemeralSequential => "ephemeral_sequential",
        CreateMode::Container => "container",
        CreateMode::PersistentWithTtl { .. } => "persistent_with_ttl",
        CreateMode::PersistentSequentialWithTtl { .. } => "persistent_sequential_with_ttl",
    }
}

/// `world:anyone:cdrwa`, one entry right behind the other, as ZooKeeper writes them.
fn acl_to_text(entries: &[AclEntry<'_>]) -> String {
    const LETTERS: [(Permissions, char); 5] = [
        (Permissions::CREATE, 'c'),
        (Permissions::DELETE, 'd'),
        (Permissions::READ, 'r'),
        (Permissions::WRITE, 'w'),
        (Permissions::ADMIN, 'a'),
    ];
    let mut text = String::new();
    for AclEntry { perms, scheme, id } in entries {
        let _ = write!(text, "{scheme}:{id}:");
        text.extend(
            LETTERS.iter().filter(|(bit, _)| perms.0 & bit.0 != 0).map(|(_, letter)| letter),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use tree::{Batch, CommandFlags, Millis, OriginId, Owner, State, Zxid};

    use super::*;

    const SESSION: SessionId = SessionId(0x10000cc2dcd0000);
    const ALICE: [Identity<'static>; 2] = [
        Identity { scheme: "ip", id: "127.0.0.1" },
        Identity { scheme: "digest", id: "alice:0EA+Xpsj9+3g7X8DR0WdPVRVjII=" },
    ];

    fn create(path: &'static str, mode: CreateMode) -> Op<'static> {
        let world = AclEntry { perms: Permissions::ALL, scheme: "world", id: "anyone" };
        Op::Create { path, data: None, acl: Some(vec![world]), mode }
    }

    /// Applies everything in one session, and returns what the log says, without the date.
    fn audited(ops: Vec<Op<'static>>) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let log = AuditLog::open(path.clone()).unwrap();
        let command = |op| Command {
            session: SESSION,
            owner: Owner(1),
            xid: 1,
            flags: CommandFlags::default(),
            identities: ALICE.to_vec(),
            op,
        };
        let first = Op::OpenSession { timeout_ms: 10_000 };
        let commands: Vec<_> = [first].into_iter().chain(ops).map(command).collect();
        let origin = OriginId::default();
        let batch = Batch { origin, first_sequence: 1, time: Millis(1), commands };
        let mut state = State::new();
        state.enter_term(1);
        let ip = Some([127, 0, 0, 1].into());
        for command in &batch.commands {
            let outcome = state.apply(batch.time, command);
            log.command(1, ip, command, &outcome);
        }
        log.close();
        let text = std::fs::read_to_string(path).unwrap();
        let (user, _) = crate::admin::environment::user();
        let lines = text.lines().map(|line| line.split_once(' ').unwrap().1);
        let lines = lines.map(|line| line.split_once(' ').unwrap().1.replace('\t', " "));
        lines
            .map(|line| line.replace("audit.Slf4jAuditLogger: session=0x10000cc2dcd0000 ", ""))
            .map(|line| line.replace("user=127.0.0.1,alice ip=127.0.0.1", "WHO") + "\n")
            .map(|line| line.replace(&format!("user={user} "), "SYSTEM "))
            .collect()
    }

    /// The lines of ZooKeeper 3.9.5 for the same requests.
    #[test]
    fn lines_are_those_of_zookeeper() {
        use CreateMode::{EphemeralSequential, Persistent, PersistentSequential};
        let delete = |path| Op::Delete { path, version: -1 };
        let world = AclEntry { perms: Permissions(5), scheme: "world", id: "anyone" };
        let said = audited(vec![
            create("/au", Persistent),
            create("/au", Persistent),
            create("/au/seq-", PersistentSequential),
            create("/au/eseq-", EphemeralSequential),
            create("/nope/e", CreateMode::Ephemeral),
            Op::SetData { path: Some("/au"), data: None, version: 7 },
            Op::SetData { path: Some("/au"), data: None, version: -1 },
            Op::SetAcl { path: Some("/au"), acl: Some(vec![world]), version: 9 },
            Op::SetAcl { path: Some("/au"), acl: Some(Vec::new()), version: -1 },
            Op::Multi(vec![
                create("/au/t1", Persistent),
                Op::Check { path: Some("/au"), version: 1 },
                delete("/au/t1"),
                create("/au/t2-", EphemeralSequential),
            ]),
            Op::Multi(vec![create("/au/t1", Persistent), delete("/au/nope")]),
            delete("/au"),
            Op::Reject(Reject::ReconfigDisabled),
            Op::Reconfig { refused: Some(Reject::BadArguments), before: Zxid::ZERO },
            Op::Reconfig { refused: None, before: Zxid::ZERO },
            Op::CloseSession,
        ]);
        expect![[r#"
            INFO WHO operation=create znode=/au znode_type=persistent result=success
            ERROR WHO operation=create znode=/au znode_type=persistent result=failure
            INFO WHO operation=create znode=/au/seq-0000000000 znode_type=persistent_sequential result=success
            INFO WHO operation=create znode=/au/eseq-0000000001 znode_type=ephemeral_sequential result=success
            ERROR WHO operation=create znode=/nope/e znode_type=ephemeral result=failure
            ERROR WHO operation=setData znode=/au result=failure
            INFO WHO operation=setData znode=/au result=success
            ERROR WHO operation=setAcl znode=/au acl=world:anyone:cr result=failure
            ERROR WHO operation=setAcl znode=/au acl= result=failure
            INFO WHO operation=create znode=/au/t1 znode_type=persistent result=success
            INFO WHO operation=delete znode=/au/t1 result=success
            INFO WHO operation=create znode=/au/t2-0000000003 result=success
            ERROR WHO operation=multiOperation result=failure
            ERROR WHO operation=delete znode=/au result=failure
            ERROR WHO operation=reconfig result=failure
            ERROR WHO operation=reconfig result=failure
            INFO WHO operation=reconfig znode=/zookeeper/config result=success
            INFO SYSTEM operation=ephemeralZNodeDeletionOnSessionCloseOrExpire znode=/au/eseq-0000000001 result=success
            INFO SYSTEM operation=ephemeralZNodeDeletionOnSessionCloseOrExpire znode=/au/t2-0000000003 result=success
        "#]].assert_eq(&said);
    }

    #[test]
    fn an_acl_is_written_without_anything_between_its_entries() {
        let entry = |perms, scheme, id| AclEntry { perms: Permissions(perms), scheme, id };
        let list = [entry(1, "world", "anyone"), entry(31, "ip", "10.0.0.0/8")];
        assert_eq!(acl_to_text(&list), "world:anyone:rip:10.0.0.0/8:cdrwa");
    }
}
