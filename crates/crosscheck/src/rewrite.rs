//! What has to be changed in a request so that it means the same to Rookery.
//!
//! Two things only: versions of znodes whose history differs, and the zxid that a client says
//! it has seen. All else goes as it came, byte for byte.

use bytes::{Bytes, BytesMut};
use proto::{ErrorCode, MultiOp, MultiResponse, MultiResult, OpCode, Request};

use crate::judge::{Exchange, Judge};

/// Whatever version there is.
const ANY: i32 = -1;
/// A version that no znode of a test or of this world has.
const NONE: i32 = i32::MAX - 1;

/// What an expected version refers to.
#[derive(Clone, Copy, Debug)]
enum Counter {
    Data,
    Acl,
}

/// What came of the check of a version on `ZooKeeper`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    /// It failed.
    Failed,
    /// It passed, or was not reached.
    Passed,
}

impl Check {
    fn of(code: i32) -> Self {
        if code == ErrorCode::BadVersion.code() { Self::Failed } else { Self::Passed }
    }
}

impl Judge {
    /// The payload to send to Rookery for a request. `false` when the zxid that the client says
    /// it has seen is from before, so that catching up cannot be compared.
    pub(crate) fn rewritten(&self, exchange: &Exchange) -> (Bytes, bool) {
        let untouched = || (exchange.request.clone(), true);
        let needs = matches!(
            OpCode::from_code(exchange.op),
            Some(
                OpCode::Delete
                    | OpCode::SetData
                    | OpCode::SetAcl
                    | OpCode::Multi
                    | OpCode::SetWatches
                    | OpCode::SetWatches2
            )
        );
        if !needs {
            return untouched();
        }
        let Ok(mut request) = Request::decode(exchange.op, exchange.request_body()) else {
            return untouched();
        };
        let original = request.clone();
        let mut is_known = true;
        let check = Check::of(exchange.err);
        let version = |path, version, counter| self.version(path, version, counter, check);
        if let Request::Delete(record) = &mut request {
            record.version = version(record.path, record.version, Counter::Data);
        } else if let Request::SetData(record) = &mut request {
            record.version = version(record.path, record.version, Counter::Data);
        } else if let Request::SetAcl(record) = &mut request {
            record.version = version(record.path, record.version, Counter::Acl);
        } else if let Request::Multi(multi) = &mut request {
            self.elements(&mut multi.ops, &exchange.body);
        } else if let Request::SetWatches(record) = &mut request {
            is_known = self.seen(&mut record.relative_zxid);
        } else if let Request::SetWatches2(record) = &mut request {
            is_known = self.seen(&mut record.relative_zxid);
        }
        if request == original {
            return (exchange.request.clone(), is_known);
        }
        let mut out = BytesMut::with_capacity(exchange.request.len());
        request.encode(exchange.xid, &mut out);
        (out.freeze(), is_known)
    }

    fn elements(&self, ops: &mut [MultiOp<'_>], body: &[u8]) {
        let results = MultiResponse::decode(body).map(|(_, response)| response.results);
        let results = results.unwrap_or_default();
        for (index, op) in ops.iter_mut().enumerate() {
            let check = match results.get(index) {
                Some(MultiResult::Error(code)) => Check::of(*code),
                Some(_) | None => Check::Passed,
            };
            match op {
                MultiOp::Delete(record) => {
                    record.version =
                        self.version(record.path, record.version, Counter::Data, check);
                }
                MultiOp::SetData(record) => {
                    record.version =
                        self.version(record.path, record.version, Counter::Data, check);
                }
                MultiOp::Check(record) => {
                    record.version =
                        self.version(record.path, record.version, Counter::Data, check);
                }
                MultiOp::Create(_)
                | MultiOp::Create2(_)
                | MultiOp::CreateContainer(_)
                | MultiOp::CreateTtl(_)
                | MultiOp::GetData(_)
                | MultiOp::GetChildren(_) => {}
            }
        }
    }

    fn version(&self, path: Option<&str>, version: i32, of: Counter, check: Check) -> i32 {
        if version == ANY {
            return ANY;
        }
        let Some(offsets) = path.and_then(|path| self.baselines.get(path)) else {
            // Nobody knows Rookery's version of this znode. What is left to compare is what
            // the request does if the check comes out as it did on ZooKeeper.
            return if check == Check::Failed { NONE } else { ANY };
        };
        let moved = match of {
            Counter::Data => version.wrapping_add(offsets.version),
            Counter::Acl => version.wrapping_add(offsets.aversion),
        };
        if moved == ANY { NONE } else { moved }
    }

    fn seen(&self, zxid: &mut i64) -> bool {
        let known = self.zxids.floor(*zxid);
        *zxid = known.unwrap_or(*zxid);
        known.is_some()
    }
}

#[cfg(test)]
mod tests {
    use proto::{SetDataRequest, SetWatches};

    use super::*;
    use crate::input::ConnId;
    use crate::judge::baselines::Offsets;

    fn exchange(request: &Request<'_>, err: i32) -> Exchange {
        let mut out = BytesMut::new();
        request.encode(5, &mut out);
        let (request, op) = (out.freeze(), request.op());
        Exchange { conn: ConnId(1), xid: 5, op, request, zxid: 9, err, body: Bytes::new() }
    }

    fn set(version: i32) -> Request<'static> {
        Request::SetData(SetDataRequest { path: Some("/p"), data: None, version })
    }

    #[test]
    fn versions_follow_the_offset_or_the_outcome() {
        let mut judge = Judge::default();
        let sent = |judge: &Judge, version, err| {
            let (payload, _) = judge.rewritten(&exchange(&set(version), err));
            match Request::decode(OpCode::SetData.code(), &payload[8..]) {
                Ok(Request::SetData(record)) => record.version,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(sent(&judge, 4, 0), ANY);
        assert_eq!(sent(&judge, 4, -103), NONE);
        assert_eq!(sent(&judge, ANY, 0), ANY);
        judge.baselines.learn("/p", Offsets { version: -4, ..Offsets::default() });
        assert_eq!(sent(&judge, 4, 0), 0);
        assert_eq!(sent(&judge, 3, -103), NONE);
    }

    #[test]
    fn what_a_client_has_seen_is_told_in_rookerys_zxids() {
        let mut judge = Judge::default();
        judge.zxids.set_old(10, 100);
        judge.zxids.pair(12, 107);
        let sent = |relative_zxid| {
            let request = Request::SetWatches(SetWatches {
                relative_zxid,
                data_watches: Some(vec!["/p"]),
                exist_watches: Some(Vec::new()),
                child_watches: Some(Vec::new()),
            });
            let (payload, is_known) = judge.rewritten(&exchange(&request, 0));
            match Request::decode(OpCode::SetWatches.code(), &payload[8..]) {
                Ok(Request::SetWatches(record)) => (record.relative_zxid, is_known),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(sent(13), (107, true));
        assert_eq!(sent(11), (100, true));
        assert_eq!(sent(5), (5, false));
    }
}
