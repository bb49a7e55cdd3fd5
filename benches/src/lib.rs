//! What the measurements of the tree share: writes as a server would apply them.

use tree::{
    AclEntry, Command, CommandFlags, CreateMode, Millis, Op, Outcome, Owner, Permissions,
    SessionId, State,
};

/// The data of every znode.
pub const DATA: [u8; 100] = [7; 100];

/// Creates a znode that is open to everybody.
///
/// # Panics
/// When it cannot be created.
pub fn create(state: &mut State, path: &str) -> Outcome {
    let open = AclEntry { perms: Permissions::ALL, scheme: "world", id: "anyone" };
    let (data, acl, mode) = (Some(&DATA[..]), Some(vec![open]), CreateMode::Persistent);
    apply(state, Op::Create { path, data, acl, mode })
}

/// Applies a write of nobody in particular.
///
/// # Panics
/// When it is rejected.
pub fn apply(state: &mut State, op: Op<'_>) -> Outcome {
    let command = Command {
        session: SessionId::NONE,
        owner: Owner(0),
        xid: 0,
        flags: CommandFlags::default(),
        identities: Vec::new(),
        op,
    };
    let outcome = state.apply(Millis(1), &command);
    assert!(outcome.result.is_ok(), "{outcome:?}");
    outcome
}
