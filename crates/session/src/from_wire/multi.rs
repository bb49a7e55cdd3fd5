//! Multis: many writes as one, or many reads of one state.
//!
//! ZooKeeper decodes all elements before it acts on any. What spoils the decoding spoils
//! the whole request; what a single element does wrong is that element's result.

use proto::{MultiOp, MultiRequest};
use tree::{Op, Reject};

use super::{
    create::CreateKind, get_children, get_data, plain_create, rejected, ttl_create, write,
};
use crate::action::{
    Action, ElementShape, Local, MultiRead, Read, Refusal, ReplyShape, Settings, StatPart,
};

/// A multi of writes.
pub(super) fn writes<'a>(request: MultiRequest<'a>, settings: &Settings) -> Action<'a> {
    let elements: Option<Vec<_>> =
        request.ops.into_iter().map(|op| element(op, settings)).collect();
    match elements {
        Some(elements) => {
            let (ops, shapes): (Vec<_>, Vec<_>) = elements.into_iter().unzip();
            write(Op::Multi(ops), ReplyShape::Multi(shapes.into()))
        }
        None => rejected(Reject::Marshalling),
    }
}

/// A multi of reads.
pub(super) fn reads<'a>(request: &MultiRequest<'a>) -> Local<'a> {
    let mut reads = Vec::with_capacity(request.ops.len());
    let mut fails_at_end = false;
    let mut writes = 0;
    let len = request.ops.len();
    for op in &request.ops {
        match read(op) {
            Element::Read(_) if fails_at_end => {}
            Element::Read(read) => reads.push(read),
            Element::NullPath => fails_at_end = true,
            Element::Write => writes += 1,
        }
    }
    if writes > 0 && writes < len {
        // Reads and writes do not mix: nothing is answered but the error.
        return Local::Refuse(Refusal::MARSHALLING);
    }
    Local::MultiRead(MultiRead { reads, fails_at_end: fails_at_end || writes > 0 })
}

/// One element of a multi of writes. None when it spoils the whole multi.
fn element<'a>(op: MultiOp<'a>, settings: &Settings) -> Option<(Op<'a>, ElementShape)> {
    match op {
        MultiOp::Create(r) => plain_create(CreateKind::Create, r).into_element(settings),
        MultiOp::Create2(r) => plain_create(CreateKind::Create2, r).into_element(settings),
        MultiOp::CreateContainer(r) => {
            plain_create(CreateKind::Container, r).into_element(settings)
        }
        MultiOp::CreateTtl(r) => ttl_create(r).into_element(settings),
        MultiOp::Delete(r) => {
            Some((Op::Delete { path: r.path?, version: r.version }, ElementShape::Delete))
        }
        MultiOp::SetData(r) => {
            let op = Op::SetData { path: Some(r.path?), data: r.data, version: r.version };
            Some((op, ElementShape::SetData))
        }
        MultiOp::Check(r) => {
            let op = Op::Check { path: Some(r.path?), version: r.version };
            Some((op, ElementShape::Check))
        }
        MultiOp::GetData(_) | MultiOp::GetChildren(_) => None,
    }
}

/// An element as a multi of reads sees it.
enum Element<'a> {
    Read(Read<'a>),
    NullPath,
    Write,
}

/// One element of a multi of reads. Its watch flag counts for nothing.
fn read<'a>(op: &MultiOp<'a>) -> Element<'a> {
    let read = match op {
        MultiOp::GetData(r) => get_data(r.path, false),
        MultiOp::GetChildren(r) => get_children(r.path, false, StatPart::Left),
        MultiOp::Create(_)
        | MultiOp::Create2(_)
        | MultiOp::CreateContainer(_)
        | MultiOp::CreateTtl(_)
        | MultiOp::Delete(_)
        | MultiOp::SetData(_)
        | MultiOp::Check(_) => return Element::Write,
    };
    read.map_or(Element::NullPath, Element::Read)
}
