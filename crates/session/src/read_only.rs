//! Read-only service: what a server that has lost the others refuses.
//!
//! It is decided by the number of the operation, before the rest of the request is looked at,
//! so that a write that cannot be decoded is refused like any other.

use proto::{ErrorCode, OpCode};

use crate::action::{After, HeaderZxid, Refusal};

/// The number by which servers, and no clients, remove containers.
const DELETE_CONTAINER: i32 = 20;

impl Refusal {
    /// The server has lost the others, and only reads.
    pub const READ_ONLY: Self =
        Self { code: ErrorCode::NotReadOnly, zxid: HeaderZxid::LastApplied, then: After::Continue };
}

/// Whether a server in read-only service refuses the operation of this number: it writes, or
/// asks what others have.
///
/// Compat(read-only): `multi` is refused whatever is in it, `multiRead` is not.
pub fn needs_quorum(op: i32) -> bool {
    const REFUSED: [OpCode; 10] = [
        OpCode::Create,
        OpCode::Delete,
        OpCode::SetData,
        OpCode::SetAcl,
        OpCode::Sync,
        OpCode::Multi,
        OpCode::Create2,
        OpCode::Reconfig,
        OpCode::CreateContainer,
        OpCode::CreateTtl,
    ];
    op == DELETE_CONTAINER || REFUSED.iter().any(|refused| refused.code() == op)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a read-only server of Apache ZooKeeper 3.9.5 answered to each of these numbers.
    #[test]
    fn what_is_refused() {
        let refused: Vec<i32> = (-11..=110).filter(|op| needs_quorum(*op)).collect();
        assert_eq!(refused, [1, 2, 5, 7, 9, 14, 15, 16, 19, 20, 21]);
    }
}
