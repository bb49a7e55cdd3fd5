//! ZooKeeper's client protocol as types.
//!
//! A connection starts with a [`ConnectRequest`]; from then on the client sends requests
//! (a [`RequestHeader`] and the record of its [`OpCode`]) and the server sends replies and
//! events (a [`ReplyHeader`] and a record). Every message is a frame: a length, then that
//! many bytes. The records are generated from `jute-schemas/`; what is not a record (the
//! framing of multis, the handshake's optional last byte) is written by hand beside them.
//!
//! Both directions work for everything, for the server and for the clients that test it.
//! What is not here: what any of it means. No sessions, no tree, nothing that can block.

mod codes;
mod connect;
mod frame;
mod generated;
mod multi;
mod request;
mod response;

pub use codes::{ErrorCode, EventType, KeeperState, OpCode, xid};
pub use connect::{ConnectRequest, ConnectResponse};
pub use frame::{FrameError, first_frame, put_frame};
pub use generated::{
    data::{Acl, Id, Stat},
    proto::{
        AddWatchRequest, AuthPacket, CheckVersionRequest, CheckWatchesRequest, ClientInfo,
        Create2Response, CreateRequest, CreateResponse, CreateTtlRequest, DeleteContainerRequest,
        DeleteRequest, ErrorResponse, ExistsRequest, ExistsResponse, GetAclRequest, GetAclResponse,
        GetAllChildrenNumberRequest, GetAllChildrenNumberResponse, GetChildren2Response,
        GetChildrenRequest, GetChildrenResponse, GetDataRequest, GetDataResponse,
        GetEphemeralsRequest, GetEphemeralsResponse, GetSaslRequest, MultiHeader, ReconfigRequest,
        RemoveWatchesRequest, ReplyHeader, RequestHeader, SetAclRequest, SetAclResponse,
        SetDataRequest, SetDataResponse, SetSaslResponse, SetWatches, SetWatches2, SyncRequest,
        SyncResponse, WatcherEvent, WhoAmIResponse,
    },
};
pub use jute::{DecodeError, DecodeErrorKind, Record};
pub use multi::{MultiOp, MultiRequest, MultiResponse, MultiResult};
pub use request::Request;
pub use response::Response;
