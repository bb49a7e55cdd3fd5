//! Every reply's body by the operation that it answers: what a client decodes.
//!
//! A reply does not say what it answers: the client knows from the xid which request it
//! was. A refused request has a header only, and never comes here.

use bytes::BytesMut;
use jute::{DecodeError, DecodeErrorKind, Record};

use crate::{
    Create2Response, CreateResponse, ErrorResponse, ExistsResponse, GetAclResponse,
    GetAllChildrenNumberResponse, GetChildren2Response, GetChildrenResponse, GetDataResponse,
    GetEphemeralsResponse, MultiResponse, OpCode, SetAclResponse, SetDataResponse, SetSaslResponse,
    SyncResponse, WhoAmIResponse,
};

/// What stands behind the header of a reply whose error code is 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response<'a> {
    /// Nothing: delete, ping, auth, the watches' operations, closing a session.
    Empty,
    /// To a create.
    Create(CreateResponse<'a>),
    /// To a create2, createContainer or createTTL.
    Create2(Create2Response<'a>),
    /// To an exists.
    Exists(ExistsResponse),
    /// To a getData, and to a reconfig: the new configuration.
    GetData(GetDataResponse<'a>),
    /// To a setData.
    SetData(SetDataResponse),
    /// To a getACL.
    GetAcl(GetAclResponse<'a>),
    /// To a setACL.
    SetAcl(SetAclResponse),
    /// To a getChildren.
    GetChildren(GetChildrenResponse<'a>),
    /// To a getChildren2.
    GetChildren2(GetChildren2Response<'a>),
    /// To a getAllChildrenNumber.
    GetAllChildrenNumber(GetAllChildrenNumberResponse),
    /// To a getEphemerals.
    GetEphemerals(GetEphemeralsResponse<'a>),
    /// To a sync.
    Sync(SyncResponse<'a>),
    /// To a multi or a multiRead, whether its elements failed or not.
    Multi(MultiResponse<'a>),
    /// To an addWatch: the code 0 once more.
    AddWatch(ErrorResponse),
    /// To a step of a SASL exchange.
    Sasl(SetSaslResponse<'a>),
    /// To a whoAmI.
    WhoAmI(WhoAmIResponse<'a>),
}

impl<'a> Response<'a> {
    /// Decodes what stands behind the header of the reply to a request of operation `op`.
    ///
    /// # Errors
    /// [`DecodeError`] when it is not the operation's record, all of it and nothing else,
    /// or when `op` is none that a server answers.
    pub fn decode(op: i32, body: &'a [u8]) -> Result<Self, DecodeError> {
        let unknown =
            DecodeError { field: "op", kind: DecodeErrorKind::Unknown(op), remaining: body.len() };
        Ok(match OpCode::from_code(op).ok_or(unknown)? {
            OpCode::Create => Self::Create(Record::from_exact_bytes(body)?),
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                Self::Create2(Record::from_exact_bytes(body)?)
            }
            OpCode::Exists => Self::Exists(Record::from_exact_bytes(body)?),
            OpCode::GetData | OpCode::Reconfig => Self::GetData(Record::from_exact_bytes(body)?),
            OpCode::SetData => Self::SetData(Record::from_exact_bytes(body)?),
            OpCode::GetAcl => Self::GetAcl(Record::from_exact_bytes(body)?),
            OpCode::SetAcl => Self::SetAcl(Record::from_exact_bytes(body)?),
            OpCode::GetChildren => Self::GetChildren(Record::from_exact_bytes(body)?),
            OpCode::GetChildren2 => Self::GetChildren2(Record::from_exact_bytes(body)?),
            OpCode::GetAllChildrenNumber => {
                Self::GetAllChildrenNumber(Record::from_exact_bytes(body)?)
            }
            OpCode::GetEphemerals => Self::GetEphemerals(Record::from_exact_bytes(body)?),
            OpCode::Sync => Self::Sync(Record::from_exact_bytes(body)?),
            OpCode::Multi | OpCode::MultiRead => match MultiResponse::decode(body)? {
                ([], multi) => Self::Multi(multi),
                (rest, _) => return Err(left_over(rest)),
            },
            OpCode::AddWatch => Self::AddWatch(Record::from_exact_bytes(body)?),
            OpCode::Sasl => Self::Sasl(Record::from_exact_bytes(body)?),
            OpCode::WhoAmI => Self::WhoAmI(Record::from_exact_bytes(body)?),
            OpCode::Delete
            | OpCode::Ping
            | OpCode::CheckWatches
            | OpCode::RemoveWatches
            | OpCode::Auth
            | OpCode::SetWatches
            | OpCode::SetWatches2
            | OpCode::CloseSession => match body {
                [] => Self::Empty,
                rest => return Err(left_over(rest)),
            },
            OpCode::Check | OpCode::DeleteContainer | OpCode::CreateSession | OpCode::Error => {
                return Err(unknown);
            }
        })
    }

    /// Appends it: what stands behind the header.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Empty => {}
            Self::Create(record) => record.encode(out),
            Self::Create2(record) => record.encode(out),
            Self::Exists(record) => record.encode(out),
            Self::GetData(record) => record.encode(out),
            Self::SetData(record) => record.encode(out),
            Self::GetAcl(record) => record.encode(out),
            Self::SetAcl(record) => record.encode(out),
            Self::GetChildren(record) => record.encode(out),
            Self::GetChildren2(record) => record.encode(out),
            Self::GetAllChildrenNumber(record) => record.encode(out),
            Self::GetEphemerals(record) => record.encode(out),
            Self::Sync(record) => record.encode(out),
            Self::Multi(multi) => multi.encode(out),
            Self::AddWatch(record) => record.encode(out),
            Self::Sasl(record) => record.encode(out),
            Self::WhoAmI(record) => record.encode(out),
        }
    }
}

const fn left_over(rest: &[u8]) -> DecodeError {
    DecodeError { field: "", kind: DecodeErrorKind::LeftOver, remaining: rest.len() }
}
