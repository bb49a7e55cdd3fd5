//! What a request that `ZooKeeper` carried out changed: which znodes, and how.

use proto::{
    DecodeError, MultiOp, MultiRequest, MultiResponse, MultiResult, OpCode, Request, Response,
};

/// One znode that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Its path, with the number of a sequential one.
    pub(crate) path: String,
    /// What was done to it.
    pub(crate) what: What,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// It was created, and stays until somebody deletes it.
    CreatedPersistent,
    /// It was created, and ends with its session.
    CreatedEphemeral,
    /// It was created, and its server deletes it by the clock: a container, or one with a time
    /// to live.
    CreatedClocked,
    /// It was deleted.
    Deleted,
    /// Its data was set, or its ACL.
    Set,
}

/// The znode that holds it; `None` for the root.
pub(crate) fn parent(path: &str) -> Option<&str> {
    match path.rsplit_once('/') {
        Some(("", "")) | None => None,
        Some(("", _)) => Some("/"),
        Some((parent, _)) => Some(parent),
    }
}

/// The path that a request is mainly about, for reports; empty if it has none.
pub(crate) fn main_path<'a>(request: &Request<'a>) -> &'a str {
    match request {
        Request::Create(record) | Request::Create2(record) | Request::CreateContainer(record) => {
            record.path
        }
        Request::CreateTtl(record) => record.path,
        Request::Delete(record) => record.path,
        Request::Exists(record) => record.path,
        Request::GetData(record) => record.path,
        Request::SetData(record) => record.path,
        Request::GetAcl(record) => record.path,
        Request::SetAcl(record) => record.path,
        Request::GetChildren(record) | Request::GetChildren2(record) => record.path,
        Request::GetAllChildrenNumber(record) => record.path,
        Request::GetEphemerals(record) => record.prefix_path,
        Request::Sync(record) => record.path,
        Request::Multi(multi) | Request::MultiRead(multi) => multi.ops.first().map(element_path),
        Request::CheckWatches(record) => record.path,
        Request::RemoveWatches(record) => record.path,
        Request::AddWatch(record) => record.path,
        Request::Ping
        | Request::Reconfig(_)
        | Request::SetWatches(_)
        | Request::SetWatches2(_)
        | Request::Auth(_)
        | Request::Sasl(_)
        | Request::WhoAmI
        | Request::CloseSession
        | Request::Unknown(_) => None,
    }
    .unwrap_or("")
}

/// The path that an element of a multi is about.
pub(crate) fn element_path<'a>(op: &MultiOp<'a>) -> &'a str {
    match op {
        MultiOp::Create(record) | MultiOp::Create2(record) | MultiOp::CreateContainer(record) => {
            record.path
        }
        MultiOp::CreateTtl(record) => record.path,
        MultiOp::Delete(record) => record.path,
        MultiOp::SetData(record) => record.path,
        MultiOp::Check(record) => record.path,
        MultiOp::GetData(record) => record.path,
        MultiOp::GetChildren(record) => record.path,
    }
    .unwrap_or("")
}

/// What a request did to the tree, by what `ZooKeeper` answered. Nothing if it was refused.
///
/// # Errors
/// When the reply is not that of the request.
pub(crate) fn changes(request: &Request<'_>, body: &[u8]) -> Result<Vec<Change>, DecodeError> {
    if let Request::Multi(multi) = request {
        let (_, response) = MultiResponse::decode(body)?;
        return Ok(multi_changes(multi, &response));
    }
    let Some(what) = what(request) else { return Ok(Vec::new()) };
    let response = Response::decode(request.op(), body)?;
    let path = if let Response::Create(reply) = &response {
        reply.path
    } else if let Response::Create2(reply) = &response {
        reply.path
    } else {
        main_path(request)
    };
    Ok(vec![Change { path: path.to_owned(), what }])
}

/// Whether an operation changes the tree, if it succeeds.
pub(crate) const fn is_write(op: i32) -> bool {
    matches!(
        OpCode::from_code(op),
        Some(
            OpCode::Create
                | OpCode::Create2
                | OpCode::CreateContainer
                | OpCode::CreateTtl
                | OpCode::Delete
                | OpCode::SetData
                | OpCode::SetAcl
                | OpCode::Multi
                | OpCode::Reconfig
                | OpCode::DeleteContainer
                | OpCode::CloseSession
        )
    )
}

fn multi_changes(multi: &MultiRequest<'_>, response: &MultiResponse<'_>) -> Vec<Change> {
    let failed = response.results.iter().any(|result| matches!(result, MultiResult::Error(_)));
    if failed {
        return Vec::new();
    }
    let elements = multi.ops.iter().zip(&response.results);
    let change = |(op, result): (&MultiOp<'_>, &MultiResult<'_>)| {
        let path = match result {
            MultiResult::Create(reply) => reply.path,
            MultiResult::Create2(reply) => reply.path,
            MultiResult::Delete
            | MultiResult::SetData(_)
            | MultiResult::Check
            | MultiResult::GetData(_)
            | MultiResult::GetChildren(_)
            | MultiResult::Error(_) => element_path(op),
        };
        element_what(op).map(|what| Change { path: path.to_owned(), what })
    };
    elements.filter_map(change).collect()
}

/// The flags of `create`, as far as they say how a znode ends.
const fn created(flags: i32) -> What {
    match flags {
        1 | 3 => What::CreatedEphemeral,
        4..=6 => What::CreatedClocked,
        _ => What::CreatedPersistent,
    }
}

const fn what(request: &Request<'_>) -> Option<What> {
    match request {
        Request::Create(record) | Request::Create2(record) => Some(created(record.flags)),
        Request::CreateContainer(_) | Request::CreateTtl(_) => Some(What::CreatedClocked),
        Request::Delete(_) => Some(What::Deleted),
        Request::SetData(_) | Request::SetAcl(_) => Some(What::Set),
        Request::Exists(_)
        | Request::GetData(_)
        | Request::GetAcl(_)
        | Request::GetChildren(_)
        | Request::GetChildren2(_)
        | Request::GetAllChildrenNumber(_)
        | Request::GetEphemerals(_)
        | Request::Sync(_)
        | Request::Ping
        | Request::Multi(_)
        | Request::MultiRead(_)
        | Request::Reconfig(_)
        | Request::CheckWatches(_)
        | Request::RemoveWatches(_)
        | Request::SetWatches(_)
        | Request::SetWatches2(_)
        | Request::AddWatch(_)
        | Request::Auth(_)
        | Request::Sasl(_)
        | Request::WhoAmI
        | Request::CloseSession
        | Request::Unknown(_) => None,
    }
}

const fn element_what(op: &MultiOp<'_>) -> Option<What> {
    match op {
        MultiOp::Create(record) | MultiOp::Create2(record) => Some(created(record.flags)),
        MultiOp::CreateContainer(_) | MultiOp::CreateTtl(_) => Some(What::CreatedClocked),
        MultiOp::Delete(_) => Some(What::Deleted),
        MultiOp::SetData(_) => Some(What::Set),
        MultiOp::Check(_) | MultiOp::GetData(_) | MultiOp::GetChildren(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proto::{CreateRequest, CreateResponse, DeleteRequest};

    use super::*;

    #[test]
    fn parents_are_what_stands_before_the_last_slash() {
        assert_eq!(parent("/"), None);
        assert_eq!(parent("/a"), Some("/"));
        assert_eq!(parent("/a/b"), Some("/a"));
        assert_eq!(parent("nonsense"), None);
    }

    #[test]
    fn a_multi_changes_all_or_nothing() {
        let create = CreateRequest { path: Some("/q/n-"), data: None, acl: None, flags: 3 };
        let delete = DeleteRequest { path: Some("/p"), version: -1 };
        let ops = vec![MultiOp::Create(create), MultiOp::Delete(delete)];
        let multi = MultiRequest { ops };
        let named = MultiResult::Create(CreateResponse { path: "/q/n-0000000007" });
        let done = MultiResponse { results: vec![named, MultiResult::Delete] };
        let change = |path: &str, what| Change { path: path.to_owned(), what };
        assert_eq!(
            multi_changes(&multi, &done),
            [change("/q/n-0000000007", What::CreatedEphemeral), change("/p", What::Deleted)]
        );
        let failed =
            MultiResponse { results: vec![MultiResult::Error(0), MultiResult::Error(-101)] };
        assert_eq!(multi_changes(&multi, &failed), []);
    }
}
