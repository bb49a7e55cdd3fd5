//! The one table from what the tree refuses to what ZooKeeper's clients are told.

use proto::ErrorCode;
use tree::Reject;

/// How a client learns that its request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// By this code in the reply header.
    Code(ErrorCode),
    /// Compat(moved-silently): by nothing at all. The connection is closed, and the client comes to
    /// know when it connects again.
    CloseSilently,
}

/// The table.
pub const fn wire_error(reject: Reject) -> WireError {
    WireError::Code(match reject {
        Reject::NoNode => ErrorCode::NoNode,
        Reject::NoAuth => ErrorCode::NoAuth,
        Reject::BadVersion => ErrorCode::BadVersion,
        Reject::NoChildrenForEphemerals => ErrorCode::NoChildrenForEphemerals,
        Reject::NodeExists => ErrorCode::NodeExists,
        Reject::NotEmpty => ErrorCode::NotEmpty,
        Reject::InvalidAcl => ErrorCode::InvalidAcl,
        Reject::BadArguments => ErrorCode::BadArguments,
        Reject::Marshalling => ErrorCode::MarshallingError,
        Reject::Unimplemented => ErrorCode::Unimplemented,
        Reject::QuotaExceeded => ErrorCode::QuotaExceeded,
        Reject::SessionExpired => ErrorCode::SessionExpired,
        Reject::EphemeralOnLocalSession => ErrorCode::EphemeralOnLocalSession,
        Reject::ReconfigDisabled => ErrorCode::ReconfigDisabled,
        Reject::ReconfigInProgress => ErrorCode::ReconfigInProgress,
        Reject::NewConfigNoQuorum => ErrorCode::NewConfigNoQuorum,
        Reject::NoWatcher => ErrorCode::NoWatcher,
        // A command out of sequence had no effect and was not the last word on it: the
        // client must find out for itself, as after any lost connection.
        Reject::SessionMoved | Reject::OutOfSequence => return WireError::CloseSilently,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_table() {
        let rejects = [
            Reject::NoNode,
            Reject::NoAuth,
            Reject::BadVersion,
            Reject::NoChildrenForEphemerals,
            Reject::NodeExists,
            Reject::NotEmpty,
            Reject::InvalidAcl,
            Reject::BadArguments,
            Reject::Marshalling,
            Reject::Unimplemented,
            Reject::QuotaExceeded,
            Reject::SessionExpired,
            Reject::SessionMoved,
            Reject::EphemeralOnLocalSession,
            Reject::ReconfigDisabled,
            Reject::ReconfigInProgress,
            Reject::NewConfigNoQuorum,
            Reject::NoWatcher,
            Reject::OutOfSequence,
        ];
        let table: Vec<String> = rejects
            .iter()
            .map(|&reject| match wire_error(reject) {
                WireError::Code(code) => format!("{reject:?}: {} {code:?}\n", code.code()),
                WireError::CloseSilently => format!("{reject:?}: closes the connection\n"),
            })
            .collect();
        expect![[r#"
            NoNode: -101 NoNode
            NoAuth: -102 NoAuth
            BadVersion: -103 BadVersion
            NoChildrenForEphemerals: -108 NoChildrenForEphemerals
            NodeExists: -110 NodeExists
            NotEmpty: -111 NotEmpty
            InvalidAcl: -114 InvalidAcl
            BadArguments: -8 BadArguments
            Marshalling: -5 MarshallingError
            Unimplemented: -6 Unimplemented
            QuotaExceeded: -125 QuotaExceeded
            SessionExpired: -112 SessionExpired
            SessionMoved: closes the connection
            EphemeralOnLocalSession: -120 EphemeralOnLocalSession
            ReconfigDisabled: -123 ReconfigDisabled
            ReconfigInProgress: -14 ReconfigInProgress
            NewConfigNoQuorum: -13 NewConfigNoQuorum
            NoWatcher: -121 NoWatcher
            OutOfSequence: closes the connection
        "#]]
        .assert_eq(&table.concat());
    }
}
