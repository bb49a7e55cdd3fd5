//! Multis: the one framing that is not a record.
//!
//! A header stands before each element, and one that says "done" behind the last.

use bytes::BytesMut;
use jute::{DecodeError, DecodeErrorKind, Record, finish};

use crate::{
    CheckVersionRequest, Create2Response, CreateRequest, CreateResponse, CreateTtlRequest,
    DeleteRequest, ErrorResponse, GetChildrenRequest, GetChildrenResponse, GetDataRequest,
    GetDataResponse, MultiHeader, OpCode, SetDataRequest, SetDataResponse,
};

/// The elements of a multi or a multiRead. Which may stand in which is for the server to
/// say: all that can be told apart are decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MultiRequest<'a> {
    /// In order.
    pub ops: Vec<MultiOp<'a>>,
}

/// One element of a multi.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the operation of the same name in OpCode")]
pub enum MultiOp<'a> {
    Create(CreateRequest<'a>),
    Create2(CreateRequest<'a>),
    CreateContainer(CreateRequest<'a>),
    CreateTtl(CreateTtlRequest<'a>),
    Delete(DeleteRequest<'a>),
    SetData(SetDataRequest<'a>),
    Check(CheckVersionRequest<'a>),
    GetData(GetDataRequest<'a>),
    GetChildren(GetChildrenRequest<'a>),
}

const DONE: MultiHeader = MultiHeader { op: -1, done: true, err: -1 };

impl<'a> MultiRequest<'a> {
    /// Decodes the body of a multi. What follows the end is ignored.
    ///
    /// # Errors
    /// [`DecodeError`] when it is cut short or has an element that no multi can have.
    pub fn decode(mut input: &'a [u8]) -> Result<Self, DecodeError> {
        let mut ops = Vec::new();
        loop {
            let (rest, header) = finish(MultiHeader::decode(input))?;
            if header.done {
                return Ok(Self { ops });
            }
            let (rest, op) = MultiOp::decode(header.op, rest)?;
            ops.push(op);
            input = rest;
        }
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut BytesMut) {
        for op in &self.ops {
            MultiHeader { op: op.op(), done: false, err: -1 }.encode(out);
            op.encode(out);
        }
        DONE.encode(out);
    }
}

impl<'a> MultiOp<'a> {
    fn decode(op: i32, input: &'a [u8]) -> Result<(&'a [u8], Self), DecodeError> {
        match op {
            1 => one(input, Self::Create),
            15 => one(input, Self::Create2),
            19 => one(input, Self::CreateContainer),
            21 => one(input, Self::CreateTtl),
            2 => one(input, Self::Delete),
            5 => one(input, Self::SetData),
            13 => one(input, Self::Check),
            4 => one(input, Self::GetData),
            8 => one(input, Self::GetChildren),
            other => Err(unknown(other, input)),
        }
    }

    /// The number of the element's operation.
    pub const fn op(&self) -> i32 {
        match self {
            Self::Create(_) => OpCode::Create.code(),
            Self::Create2(_) => OpCode::Create2.code(),
            Self::CreateContainer(_) => OpCode::CreateContainer.code(),
            Self::CreateTtl(_) => OpCode::CreateTtl.code(),
            Self::Delete(_) => OpCode::Delete.code(),
            Self::SetData(_) => OpCode::SetData.code(),
            Self::Check(_) => OpCode::Check.code(),
            Self::GetData(_) => OpCode::GetData.code(),
            Self::GetChildren(_) => OpCode::GetChildren.code(),
        }
    }

    fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Create(record) | Self::Create2(record) | Self::CreateContainer(record) => {
                record.encode(out);
            }
            Self::CreateTtl(record) => record.encode(out),
            Self::Delete(record) => record.encode(out),
            Self::SetData(record) => record.encode(out),
            Self::Check(record) => record.encode(out),
            Self::GetData(record) => record.encode(out),
            Self::GetChildren(record) => record.encode(out),
        }
    }
}

/// The results of a multi or a multiRead, as a client sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MultiResponse<'a> {
    /// In the order of the elements.
    pub results: Vec<MultiResult<'a>>,
}

/// The result of one element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiResult<'a> {
    /// A create.
    Create(CreateResponse<'a>),
    /// A create2, createContainer or createTTL.
    Create2(Create2Response<'a>),
    /// A delete.
    Delete,
    /// A setData.
    SetData(SetDataResponse),
    /// A check.
    Check,
    /// A getData.
    GetData(GetDataResponse<'a>),
    /// A getChildren.
    GetChildren(GetChildrenResponse<'a>),
    /// It failed, or another one did.
    Error(i32),
}

impl<'a> MultiResponse<'a> {
    /// Decodes the body of a reply; returns what is left behind it.
    ///
    /// # Errors
    /// [`DecodeError`] when it is cut short or not of a known kind.
    pub fn decode(mut input: &'a [u8]) -> Result<(&'a [u8], Self), DecodeError> {
        let mut results = Vec::new();
        loop {
            let (rest, header) = finish(MultiHeader::decode(input))?;
            if header.done {
                return Ok((rest, Self { results }));
            }
            let (rest, result) = MultiResult::decode(header.op, rest)?;
            results.push(result);
            input = rest;
        }
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut BytesMut) {
        for result in &self.results {
            MultiHeader { op: result.op(), done: false, err: result.code() }.encode(out);
            result.encode(out);
        }
        DONE.encode(out);
    }
}

impl<'a> MultiResult<'a> {
    /// The number that its header carries.
    const fn op(&self) -> i32 {
        match self {
            Self::Create(_) => OpCode::Create.code(),
            Self::Create2(_) => OpCode::Create2.code(),
            Self::Delete => OpCode::Delete.code(),
            Self::SetData(_) => OpCode::SetData.code(),
            Self::Check => OpCode::Check.code(),
            Self::GetData(_) => OpCode::GetData.code(),
            Self::GetChildren(_) => OpCode::GetChildren.code(),
            Self::Error(_) => OpCode::Error.code(),
        }
    }

    /// The error code that its header carries: that of its body, if it is an error.
    const fn code(&self) -> i32 {
        match self {
            Self::Error(code) => *code,
            Self::Create(_)
            | Self::Create2(_)
            | Self::Delete
            | Self::SetData(_)
            | Self::Check
            | Self::GetData(_)
            | Self::GetChildren(_) => 0,
        }
    }

    fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Create(record) => record.encode(out),
            Self::Create2(record) => record.encode(out),
            Self::Delete | Self::Check => {}
            Self::SetData(record) => record.encode(out),
            Self::GetData(record) => record.encode(out),
            Self::GetChildren(record) => record.encode(out),
            Self::Error(err) => ErrorResponse { err: *err }.encode(out),
        }
    }

    fn decode(op: i32, input: &'a [u8]) -> Result<(&'a [u8], Self), DecodeError> {
        match op {
            1 => one(input, Self::Create),
            15 => one(input, Self::Create2),
            2 => Ok((input, Self::Delete)),
            5 => one(input, Self::SetData),
            13 => Ok((input, Self::Check)),
            4 => one(input, Self::GetData),
            8 => one(input, Self::GetChildren),
            -1 => one(input, |error: ErrorResponse| Self::Error(error.err)),
            other => Err(unknown(other, input)),
        }
    }
}

/// Decodes one element's record.
fn one<'a, T: Record<'a>, U>(
    input: &'a [u8],
    wrap: impl FnOnce(T) -> U,
) -> Result<(&'a [u8], U), DecodeError> {
    finish(T::decode(input)).map(|(rest, record)| (rest, wrap(record)))
}

const fn unknown(op: i32, input: &[u8]) -> DecodeError {
    DecodeError { field: "op", kind: DecodeErrorKind::Unknown(op), remaining: input.len() }
}
