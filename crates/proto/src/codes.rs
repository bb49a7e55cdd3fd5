//! The numbers of the protocol by name: operations, errors, events, special xids.

/// Declares an enum of wire numbers: conversion both ways, and all of them as a list.
macro_rules! numbers {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $number:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i32)]
        pub enum $name {
            $($(#[$doc])* $variant = $number,)*
        }

        impl $name {
            /// All of them, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The number on the wire.
            pub const fn code(self) -> i32 {
                self as i32
            }

            /// What a number means, if anything.
            pub const fn from_code(code: i32) -> Option<Self> {
                match code {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

numbers! {
    /// What a request asks for. A number that is none of these is kept as it came
    /// ([`crate::Request::Unknown`]).
    OpCode {
        /// Create a znode, answer with its path.
        Create = 1,
        /// Delete a znode.
        Delete = 2,
        /// Ask for a znode's Stat.
        Exists = 3,
        /// Read a znode.
        GetData = 4,
        /// Replace a znode's data.
        SetData = 5,
        /// Read an ACL.
        GetAcl = 6,
        /// Replace an ACL.
        SetAcl = 7,
        /// List children.
        GetChildren = 8,
        /// Wait until this server has caught up.
        Sync = 9,
        /// The client is alive.
        Ping = 11,
        /// List children, with the Stat.
        GetChildren2 = 12,
        /// Check a version; within a multi only.
        Check = 13,
        /// Several writes, all or none.
        Multi = 14,
        /// Create a znode, answer with its path and Stat.
        Create2 = 15,
        /// Change the ensemble.
        Reconfig = 16,
        /// Ask whether there is a watch.
        CheckWatches = 17,
        /// Take watches away.
        RemoveWatches = 18,
        /// Create a container.
        CreateContainer = 19,
        /// Remove a container; servers among themselves.
        DeleteContainer = 20,
        /// Create a znode with a time to live.
        CreateTtl = 21,
        /// Several reads, each on its own.
        MultiRead = 22,
        /// Prove an identity.
        Auth = 100,
        /// Set watches again after a reconnect.
        SetWatches = 101,
        /// A step of a SASL exchange.
        Sasl = 102,
        /// List the session's own ephemerals.
        GetEphemerals = 103,
        /// Count what is below a znode.
        GetAllChildrenNumber = 104,
        /// Set watches again, persistent ones too.
        SetWatches2 = 105,
        /// Set a watch that stays.
        AddWatch = 106,
        /// Ask for one's own identities.
        WhoAmI = 107,
        /// Open a session; servers among themselves.
        CreateSession = -10,
        /// Close the session.
        CloseSession = -11,
        /// Stands for a failed element in the reply to a multi.
        Error = -1,
    }
}

numbers! {
    /// Why a request was refused. Clients treat numbers outside this list as fatal.
    ErrorCode {
        /// It was not.
        Ok = 0,
        /// A marker; no server sends it.
        SystemError = -1,
        /// An element of a multi that was not tried, because of an earlier one.
        RuntimeInconsistency = -2,
        /// Not sent.
        DataInconsistency = -3,
        /// Made by clients; a server must never send it.
        ConnectionLoss = -4,
        /// The request cannot be understood.
        MarshallingError = -5,
        /// There is no such operation, or it is off.
        Unimplemented = -6,
        /// Made by clients; a server must never send it.
        OperationTimeout = -7,
        /// A path, a flag or a time that is not valid.
        BadArguments = -8,
        /// Made by the C client.
        InvalidState = -9,
        /// Internal to ZooKeeper.
        UnknownSession = -12,
        /// A reconfiguration without a quorum.
        NewConfigNoQuorum = -13,
        /// Another reconfiguration is under way.
        ReconfigInProgress = -14,
        /// Made by the C client.
        SslConnectionError = -15,
        /// A marker; no server sends it.
        ApiError = -100,
        /// The znode or its parent does not exist.
        NoNode = -101,
        /// The ACL does not permit it.
        NoAuth = -102,
        /// The version is not the expected one.
        BadVersion = -103,
        /// An ephemeral cannot have children.
        NoChildrenForEphemerals = -108,
        /// The znode exists.
        NodeExists = -110,
        /// The znode has children.
        NotEmpty = -111,
        /// The session is gone.
        SessionExpired = -112,
        /// Made by clients.
        InvalidCallback = -113,
        /// The ACL is empty or has an invalid entry.
        InvalidAcl = -114,
        /// The proof of an identity was refused.
        AuthFailed = -115,
        /// Made by the C client.
        Closing = -116,
        /// Made by the C client.
        Nothing = -117,
        /// Internal: the connection is closed instead.
        SessionMoved = -118,
        /// A write to a server that only reads.
        NotReadOnly = -119,
        /// A local session cannot have ephemerals.
        EphemeralOnLocalSession = -120,
        /// There is no such watch.
        NoWatcher = -121,
        /// Made by the Java client.
        RequestTimeout = -122,
        /// `reconfigEnabled` is false.
        ReconfigDisabled = -123,
        /// The connection lacks a required identity, and is closed.
        SessionClosedRequireAuth = -124,
        /// A hard quota would be exceeded.
        QuotaExceeded = -125,
        /// The request waited too long.
        ThrottledOp = -127,
    }
}

numbers! {
    /// What happened to a watched znode.
    EventType {
        /// It was created.
        NodeCreated = 1,
        /// It was deleted.
        NodeDeleted = 2,
        /// Its data was set.
        NodeDataChanged = 3,
        /// A child was created or deleted.
        NodeChildrenChanged = 4,
    }
}

numbers! {
    /// The state of the connection, as events carry it. Servers send one of them only.
    KeeperState {
        /// Connected; what every event of a server says.
        SyncConnected = 3,
    }
}

/// The xids that mean something. All others are the client's own numbers.
pub mod xid {
    /// An event.
    pub const EVENT: i32 = -1;
    /// A ping and its reply.
    pub const PING: i32 = -2;
    /// An auth packet and its reply.
    pub const AUTH: i32 = -4;
    /// `setWatches` and its reply.
    pub const SET_WATCHES: i32 = -8;
}
