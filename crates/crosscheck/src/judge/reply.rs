//! Two replies to one request.

use std::collections::BTreeSet;

use proto::{Acl, MultiResponse, MultiResult, OpCode, Request, Response, Stat, WhoAmIResponse};

use super::{Exchange, Judge, Reply, values};
use crate::change::{element_path, is_write, main_path};
use crate::report::Found;

/// The field under which a refusal on one side is reported.
pub(crate) const ERROR: &str = "error";
/// The field of names that servers make up.
pub(crate) const PATH: &str = "path";
/// The field of a listing.
pub(crate) const CHILDREN: &str = "children";

impl Judge {
    /// What differs between the two replies. Nothing is excused yet.
    ///
    /// `is_late` when Rookery's is of a later state than `ZooKeeper`'s.
    pub(crate) fn compare(
        &mut self,
        exchange: &Exchange,
        reply: &Reply<'_>,
        is_late: bool,
    ) -> Vec<Found> {
        let mut found = Vec::new();
        let request = Request::decode(exchange.op, exchange.request_body());
        let path = request.as_ref().map_or("", main_path);
        if exchange.xid != reply.xid {
            found.push(Found::new(path, "xid", exchange.xid, reply.xid));
        }
        if exchange.err != reply.err {
            let (left, right) = (values::error(exchange.err), values::error(reply.err));
            found.push(Found::new(path, ERROR, left, right));
            return found;
        }
        if exchange.err != 0 {
            if exchange.body != reply.body {
                found.push(Found::new(path, "body", exchange.body.len(), reply.body.len()));
            }
            return found;
        }
        // A request that cannot be decoded and succeeds all the same has nothing to compare.
        let Ok(request) = request else { return found };
        let theirs = Response::decode(exchange.op, &exchange.body);
        let ours = Response::decode(exchange.op, reply.body);
        match (theirs, ours) {
            (Ok(theirs), Ok(ours)) => self.bodies(&request, (&theirs, &ours), is_late, &mut found),
            // Nothing that ZooKeeper sends should be unknown here.
            (Err(error), Ok(_)) => found.push(Found::new(path, "body", error, "as it should be")),
            (Ok(_), Err(error)) => found.push(Found::new(path, "body", "as it should be", error)),
            (Err(_), Err(_)) => {}
        }
        if is_write(exchange.op) && reply.zxid <= 0 {
            found.push(Found::new(path, "zxid", exchange.zxid, reply.zxid));
        }
        found
    }

    fn bodies(
        &mut self,
        request: &Request<'_>,
        (theirs, ours): (&Response<'_>, &Response<'_>),
        is_late: bool,
        found: &mut Vec<Found>,
    ) {
        use Response as R;
        let path = main_path(request);
        let mut stat = |judge: &mut Self, path: &str, left: &Stat, right: &Stat| {
            judge.stat(path, left, right, is_late, found);
        };
        match (theirs, ours) {
            (R::Create(left), R::Create(right)) => self.names(left.path, right.path, found),
            (R::Create2(left), R::Create2(right)) => {
                stat(self, left.path, &left.stat, &right.stat);
                self.names(left.path, right.path, found);
            }
            (R::Exists(left), R::Exists(right)) => stat(self, path, &left.stat, &right.stat),
            (R::SetData(left), R::SetData(right)) => stat(self, path, &left.stat, &right.stat),
            (R::SetAcl(left), R::SetAcl(right)) => stat(self, path, &left.stat, &right.stat),
            (R::GetData(left), R::GetData(right)) => {
                stat(self, path, &left.stat, &right.stat);
                self.data(path, left.data, right.data, found);
            }
            (R::GetAcl(left), R::GetAcl(right)) => {
                stat(self, path, &left.stat, &right.stat);
                if left.acl != right.acl {
                    let show = |acl: &[Acl<'_>]| values::acl(acl, self.show_data);
                    found.push(Found::new(path, "acl", show(&left.acl), show(&right.acl)));
                }
            }
            (R::GetChildren(left), R::GetChildren(right)) => {
                self.children(path, &left.children, &right.children, found);
            }
            (R::GetChildren2(left), R::GetChildren2(right)) => {
                stat(self, path, &left.stat, &right.stat);
                self.children(path, &left.children, &right.children, found);
            }
            (R::GetAllChildrenNumber(left), R::GetAllChildrenNumber(right)) => {
                differ(path, "totalNumber", &left.total_number, &right.total_number, found);
            }
            (R::GetEphemerals(left), R::GetEphemerals(right)) => {
                let (left, right) = (self.sure(&left.ephemerals), self.sure(&right.ephemerals));
                sets(path, "ephemerals", &left, &right, found);
            }
            (R::Sync(left), R::Sync(right)) => {
                differ(path, PATH, &left.path.unwrap_or(""), &right.path.unwrap_or(""), found);
            }
            (R::Multi(left), R::Multi(right)) => self.multi(request, left, right, is_late, found),
            (R::AddWatch(left), R::AddWatch(right)) => {
                differ(path, ERROR, &left.err, &right.err, found);
            }
            (R::WhoAmI(left), R::WhoAmI(right)) => {
                sets(path, "identities", &identities(left), &identities(right), found);
            }
            // Two empty ones; the kind follows from the operation.
            _ => {}
        }
    }

    fn names(&self, left: &str, right: &str, found: &mut Vec<Found>) {
        differ(left, PATH, &left, &right, found);
    }

    fn data(&self, path: &str, left: Option<&[u8]>, right: Option<&[u8]>, found: &mut Vec<Found>) {
        if left != right {
            let show = |data| values::data(data, self.show_data);
            found.push(Found::new(path, "data", show(left), show(right)));
        }
    }

    /// Names of children, less those of which nothing is known for sure.
    fn children(&self, path: &str, left: &[&str], right: &[&str], found: &mut Vec<Found>) {
        let full = |names: &[&str]| -> BTreeSet<String> {
            let prefix = path.trim_end_matches('/');
            let paths = names.iter().map(|name| format!("{prefix}/{name}"));
            paths.filter(|path| !self.is_unsure(path)).collect()
        };
        sets(path, CHILDREN, &full(left), &full(right), found);
    }

    fn sure(&self, paths: &[&str]) -> BTreeSet<String> {
        let sure = paths.iter().filter(|path| !self.is_unsure(path));
        sure.map(|path| (*path).to_owned()).collect()
    }

    fn is_unsure(&self, path: &str) -> bool {
        self.marks.whole(path).is_some() || self.clocked.contains(path)
    }

    fn multi(
        &mut self,
        request: &Request<'_>,
        left: &MultiResponse<'_>,
        right: &MultiResponse<'_>,
        is_late: bool,
        found: &mut Vec<Found>,
    ) {
        let ops = if let Request::Multi(multi) | Request::MultiRead(multi) = request {
            multi.ops.as_slice()
        } else {
            &[]
        };
        if left.results.len() != right.results.len() {
            let path = main_path(request);
            found.push(Found::new(path, "results", left.results.len(), right.results.len()));
        }
        let results = left.results.iter().zip(&right.results);
        for (index, (left, right)) in results.enumerate() {
            let path = ops.get(index).map_or("", element_path);
            self.element(path, left, right, is_late, found);
        }
    }

    fn element(
        &mut self,
        path: &str,
        left: &MultiResult<'_>,
        right: &MultiResult<'_>,
        is_late: bool,
        found: &mut Vec<Found>,
    ) {
        use MultiResult as M;
        match (left, right) {
            (M::Create(left), M::Create(right)) => self.names(left.path, right.path, found),
            (M::Create2(left), M::Create2(right)) => {
                self.stat(left.path, &left.stat, &right.stat, is_late, found);
                self.names(left.path, right.path, found);
            }
            (M::SetData(left), M::SetData(right)) => {
                self.stat(path, &left.stat, &right.stat, is_late, found);
            }
            (M::GetData(left), M::GetData(right)) => {
                self.stat(path, &left.stat, &right.stat, is_late, found);
                self.data(path, left.data, right.data, found);
            }
            (M::GetChildren(left), M::GetChildren(right)) => {
                self.children(path, &left.children, &right.children, found);
            }
            (M::Delete, M::Delete) | (M::Check, M::Check) => {}
            (left, right) => {
                let (left, right) = (outcome(left), outcome(right));
                differ(path, ERROR, &left, &right, found);
            }
        }
    }

    /// The znodes whose state a read shows.
    pub(crate) fn read_paths<'a>(request: &Request<'a>) -> Vec<&'a str> {
        if let Request::MultiRead(multi) = request {
            multi.ops.iter().map(element_path).collect()
        } else {
            vec![main_path(request)]
        }
    }
}

fn outcome(result: &MultiResult<'_>) -> String {
    match result {
        MultiResult::Error(code) => values::error(*code),
        MultiResult::Create(_)
        | MultiResult::Create2(_)
        | MultiResult::Delete
        | MultiResult::SetData(_)
        | MultiResult::Check
        | MultiResult::GetData(_)
        | MultiResult::GetChildren(_) => "Ok".to_owned(),
    }
}

/// The proxy's own address is not the client's: what is known by address is left out.
fn identities(answer: &WhoAmIResponse<'_>) -> BTreeSet<String> {
    let known = answer.client_info.iter().filter(|info| info.auth_scheme != "ip");
    known.map(|info| format!("{}:{}", info.auth_scheme, info.user)).collect()
}

fn differ<T: PartialEq + ToString>(
    path: &str,
    field: &'static str,
    left: &T,
    right: &T,
    found: &mut Vec<Found>,
) {
    if left != right {
        found.push(Found::new(path, field, left.to_string(), right.to_string()));
    }
}

/// Sets differ: what is on one side only is what is of interest.
fn sets(
    path: &str,
    field: &'static str,
    left: &BTreeSet<String>,
    right: &BTreeSet<String>,
    found: &mut Vec<Found>,
) {
    if left != right {
        let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
            let names: Vec<&str> = one.difference(other).map(String::as_str).collect();
            format!("{} of them, only here: [{}]", one.len(), names.join(" "))
        };
        found.push(Found::new(path, field, only(left, right), only(right, left)));
    }
}

/// Whether an operation reads or changes the tree at all: what does not cannot come late.
pub(crate) const fn reads_tree(op: i32) -> bool {
    matches!(
        OpCode::from_code(op),
        Some(
            OpCode::Exists
                | OpCode::GetData
                | OpCode::GetAcl
                | OpCode::GetChildren
                | OpCode::GetChildren2
                | OpCode::GetAllChildrenNumber
                | OpCode::GetEphemerals
                | OpCode::MultiRead
        )
    )
}
