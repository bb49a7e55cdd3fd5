//! Every request by its operation: the closed list that a server has to answer.

use bytes::BytesMut;
use jute::{DecodeError, Record};

use crate::{
    AddWatchRequest, AuthPacket, CheckWatchesRequest, CreateRequest, CreateTtlRequest,
    DeleteRequest, ExistsRequest, GetAclRequest, GetAllChildrenNumberRequest, GetChildrenRequest,
    GetDataRequest, GetEphemeralsRequest, GetSaslRequest, MultiRequest, OpCode, ReconfigRequest,
    RemoveWatchesRequest, RequestHeader, SetAclRequest, SetDataRequest, SetWatches, SetWatches2,
    SyncRequest,
};

/// A request, decoded but not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the operation of the same name in OpCode")]
pub enum Request<'a> {
    Create(CreateRequest<'a>),
    Create2(CreateRequest<'a>),
    CreateContainer(CreateRequest<'a>),
    CreateTtl(CreateTtlRequest<'a>),
    Delete(DeleteRequest<'a>),
    Exists(ExistsRequest<'a>),
    GetData(GetDataRequest<'a>),
    SetData(SetDataRequest<'a>),
    GetAcl(GetAclRequest<'a>),
    SetAcl(SetAclRequest<'a>),
    GetChildren(GetChildrenRequest<'a>),
    GetChildren2(GetChildrenRequest<'a>),
    GetAllChildrenNumber(GetAllChildrenNumberRequest<'a>),
    GetEphemerals(GetEphemeralsRequest<'a>),
    Sync(SyncRequest<'a>),
    Ping,
    Multi(MultiRequest<'a>),
    MultiRead(MultiRequest<'a>),
    Reconfig(ReconfigRequest<'a>),
    CheckWatches(CheckWatchesRequest<'a>),
    RemoveWatches(RemoveWatchesRequest<'a>),
    SetWatches(SetWatches<'a>),
    SetWatches2(SetWatches2<'a>),
    AddWatch(AddWatchRequest<'a>),
    Auth(AuthPacket<'a>),
    Sasl(GetSaslRequest<'a>),
    WhoAmI,
    CloseSession,
    /// A number that no client may send: unknown, or of servers among themselves.
    Unknown(i32),
}

impl<'a> Request<'a> {
    /// Decodes what stands behind the header of operation `op`. Bytes behind the record
    /// are ignored, as ZooKeeper does.
    ///
    /// # Errors
    /// [`DecodeError`] when the body is not the record of the operation.
    pub fn decode(op: i32, body: &'a [u8]) -> Result<Self, DecodeError> {
        let Some(known) = OpCode::from_code(op) else { return Ok(Self::Unknown(op)) };
        Ok(match known {
            OpCode::Create => Self::Create(Record::from_bytes(body)?),
            OpCode::Create2 => Self::Create2(Record::from_bytes(body)?),
            OpCode::CreateContainer => Self::CreateContainer(Record::from_bytes(body)?),
            OpCode::CreateTtl => Self::CreateTtl(Record::from_bytes(body)?),
            OpCode::Delete => Self::Delete(Record::from_bytes(body)?),
            OpCode::Exists => Self::Exists(Record::from_bytes(body)?),
            OpCode::GetData => Self::GetData(Record::from_bytes(body)?),
            OpCode::SetData => Self::SetData(Record::from_bytes(body)?),
            OpCode::GetAcl => Self::GetAcl(Record::from_bytes(body)?),
            OpCode::SetAcl => Self::SetAcl(Record::from_bytes(body)?),
            OpCode::GetChildren => Self::GetChildren(Record::from_bytes(body)?),
            OpCode::GetChildren2 => Self::GetChildren2(Record::from_bytes(body)?),
            OpCode::GetAllChildrenNumber => Self::GetAllChildrenNumber(Record::from_bytes(body)?),
            OpCode::GetEphemerals => Self::GetEphemerals(Record::from_bytes(body)?),
            OpCode::Sync => Self::Sync(Record::from_bytes(body)?),
            OpCode::Ping => Self::Ping,
            OpCode::Multi => Self::Multi(MultiRequest::decode(body)?),
            OpCode::MultiRead => Self::MultiRead(MultiRequest::decode(body)?),
            OpCode::Reconfig => Self::Reconfig(Record::from_bytes(body)?),
            OpCode::CheckWatches => Self::CheckWatches(Record::from_bytes(body)?),
            OpCode::RemoveWatches => Self::RemoveWatches(Record::from_bytes(body)?),
            OpCode::SetWatches => Self::SetWatches(Record::from_bytes(body)?),
            OpCode::SetWatches2 => Self::SetWatches2(Record::from_bytes(body)?),
            OpCode::AddWatch => Self::AddWatch(Record::from_bytes(body)?),
            OpCode::Auth => Self::Auth(Record::from_bytes(body)?),
            OpCode::Sasl => Self::Sasl(Record::from_bytes(body)?),
            OpCode::WhoAmI => Self::WhoAmI,
            OpCode::CloseSession => Self::CloseSession,
            OpCode::Check | OpCode::DeleteContainer | OpCode::CreateSession | OpCode::Error => {
                Self::Unknown(op)
            }
        })
    }

    /// The number of its operation.
    pub const fn op(&self) -> i32 {
        match self {
            Self::Create(_) => OpCode::Create.code(),
            Self::Create2(_) => OpCode::Create2.code(),
            Self::CreateContainer(_) => OpCode::CreateContainer.code(),
            Self::CreateTtl(_) => OpCode::CreateTtl.code(),
            Self::Delete(_) => OpCode::Delete.code(),
            Self::Exists(_) => OpCode::Exists.code(),
            Self::GetData(_) => OpCode::GetData.code(),
            Self::SetData(_) => OpCode::SetData.code(),
            Self::GetAcl(_) => OpCode::GetAcl.code(),
            Self::SetAcl(_) => OpCode::SetAcl.code(),
            Self::GetChildren(_) => OpCode::GetChildren.code(),
            Self::GetChildren2(_) => OpCode::GetChildren2.code(),
            Self::GetAllChildrenNumber(_) => OpCode::GetAllChildrenNumber.code(),
            Self::GetEphemerals(_) => OpCode::GetEphemerals.code(),
            Self::Sync(_) => OpCode::Sync.code(),
            Self::Ping => OpCode::Ping.code(),
            Self::Multi(_) => OpCode::Multi.code(),
            Self::MultiRead(_) => OpCode::MultiRead.code(),
            Self::Reconfig(_) => OpCode::Reconfig.code(),
            Self::CheckWatches(_) => OpCode::CheckWatches.code(),
            Self::RemoveWatches(_) => OpCode::RemoveWatches.code(),
            Self::SetWatches(_) => OpCode::SetWatches.code(),
            Self::SetWatches2(_) => OpCode::SetWatches2.code(),
            Self::AddWatch(_) => OpCode::AddWatch.code(),
            Self::Auth(_) => OpCode::Auth.code(),
            Self::Sasl(_) => OpCode::Sasl.code(),
            Self::WhoAmI => OpCode::WhoAmI.code(),
            Self::CloseSession => OpCode::CloseSession.code(),
            Self::Unknown(op) => *op,
        }
    }

    /// Appends header and body: the payload of a frame.
    pub fn encode(&self, xid: i32, out: &mut BytesMut) {
        RequestHeader { xid, op: self.op() }.encode(out);
        match self {
            Self::Create(record) | Self::Create2(record) | Self::CreateContainer(record) => {
                record.encode(out);
            }
            Self::CreateTtl(record) => record.encode(out),
            Self::Delete(record) => record.encode(out),
            Self::Exists(record) => record.encode(out),
            Self::GetData(record) => record.encode(out),
            Self::SetData(record) => record.encode(out),
            Self::GetAcl(record) => record.encode(out),
            Self::SetAcl(record) => record.encode(out),
            Self::GetChildren(record) | Self::GetChildren2(record) => record.encode(out),
            Self::GetAllChildrenNumber(record) => record.encode(out),
            Self::GetEphemerals(record) => record.encode(out),
            Self::Sync(record) => record.encode(out),
            Self::Multi(multi) | Self::MultiRead(multi) => multi.encode(out),
            Self::Reconfig(record) => record.encode(out),
            Self::CheckWatches(record) => record.encode(out),
            Self::RemoveWatches(record) => record.encode(out),
            Self::SetWatches(record) => record.encode(out),
            Self::SetWatches2(record) => record.encode(out),
            Self::AddWatch(record) => record.encode(out),
            Self::Auth(record) => record.encode(out),
            Self::Sasl(record) => record.encode(out),
            Self::Ping | Self::WhoAmI | Self::CloseSession | Self::Unknown(_) => {}
        }
    }
}
