//! The append lane: the leader's entries go out one behind the other without waiting, and
//! the answers come back in the same order.
//!
//! A request without entries only says how far is committed. When the next entry is about
//! to be made, such a request is not sent: that entry says the same, and saves each server
//! a frame, a wake-up and an answer, which is a third of what an entry costs.

use std::{collections::VecDeque, io, sync::Arc, time::Duration};

use bytes::BytesMut;
use fault_points::{Point, reach_in_task};
use futures_util::{
    FutureExt, Stream, StreamExt,
    stream::{BoxStream, FuturesOrdered},
};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, StreamAppendResult};

use tokio::time::{sleep, timeout};

use super::{
    Kind, Session,
    convert::{put_append, read_append, read_append_reply, wire_append_reply},
    frame::put_frame,
};
use crate::{
    ensemble::Shared,
    types::{LogId, Types},
};
use jute::Record as _;

/// Requests without an answer on one connection.
const IN_FLIGHT_MAX: usize = 64;
/// Bytes without an answer on one connection, give or take a request.
const IN_FLIGHT_BYTES_MAX: usize = 8 << 20;

/// How long the next answer may take. A slow disk is slower than this only when it is
/// about to fail; what was appended meanwhile is not sent again.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// The follower's side: appends what comes until the connection ends, which it says.
pub(crate) async fn serve(session: Session, shared: &Arc<Shared>) -> io::Error {
    let Session { mut reader, mut writer, .. } = session;
    let mut pending = FuturesOrdered::new();
    let mut pending_bytes = 0;
    let mut out = BytesMut::new();
    loop {
        let room = pending.len() < IN_FLIGHT_MAX && pending_bytes < IN_FLIGHT_BYTES_MAX;
        tokio::select! {
            biased;
            // First: what is answered makes room.
            Some(answer) = pending.next(), if !pending.is_empty() => {
                let mut answer = Some(answer);
                // Those that are ready, too, go out with it.
                while let Some((bytes, result)) = answer {
                    pending_bytes -= bytes;
                    match result {
                        Ok(response) => put_frame(&mut out, Kind::AppendReply, |out| {
                            wire_append_reply(&response).encode(out);
                        }),
                        Err(error) => return error,
                    }
                    answer = pending.next().now_or_never().flatten();
                }
                let sent = match reach_in_task(Point::AppendReply).await {
                    Ok(()) => writer.write(&out.split()).await,
                    failed => failed,
                };
                if let Err(error) = sent {
                    return error;
                }
            }
            frame = reader.next(), if room => {
                let request = frame.and_then(|frame| {
                    let frame = frame.expect(Kind::Append)?;
                    Ok((frame.body.len(), read_append(&frame)?))
                });
                if let Err(error) = reach_in_task(Point::AppendTake).await {
                    return error;
                }
                match request {
                    Ok((bytes, (request, quorum_age_ms))) => {
                        pending_bytes += bytes;
                        let answer = shared.append(request, quorum_age_ms);
                        pending.push_back(answer.map(move |answer| (bytes, answer)));
                    }
                    Err(error) => return error,
                }
            }
        }
    }
}

/// How long the next entry is waited for, to say with it what is committed. It should be
/// there within a fraction of this, as soon as the one before is applied.
const HOLD_MAX: Duration = Duration::from_millis(1);

/// What an answer is compared with.
struct Asked {
    prev: Option<LogId>,
    last: Option<LogId>,
    /// Whether it is answered by the answer to the next one, which was sent in its place.
    rides: bool,
}

impl Asked {
    fn new(request: &AppendEntriesRequest<Types>) -> Self {
        let prev = request.prev_log_id;
        let last = request.entries.last().map(|entry| entry.log_id).or(prev);
        Self { prev, last, rides: false }
    }
}

/// The leader's side of one stream of requests over a connection that is lent to it.
struct Sending<'c, S> {
    /// Given back when everything was answered; else the connection is of no more use.
    lent: &'c mut Option<Session>,
    session: Option<Session>,
    requests: Option<S>,
    asked: VecDeque<Asked>,
    /// A request without entries that waits for the next one.
    held: Option<AppendEntriesRequest<Types>>,
    /// An answer that is due when those that ride with it are given.
    arrived: Option<AppendEntriesResponse<Types>>,
    shared: Arc<Shared>,
    out: BytesMut,
}

/// Sends `requests` and gives the answers in order. Ends after an answer that is no
/// success, or with an error.
pub(crate) fn send<'c, S>(
    session: Session,
    lent: &'c mut Option<Session>,
    requests: S,
    shared: Arc<Shared>,
) -> BoxStream<'c, io::Result<StreamAppendResult<Types>>>
where
    S: Stream<Item = AppendEntriesRequest<Types>> + Send + Unpin + 'static,
{
    let sending = Sending {
        lent,
        session: Some(session),
        requests: Some(requests),
        asked: VecDeque::new(),
        held: None,
        arrived: None,
        shared,
        out: BytesMut::new(),
    };
    Box::pin(futures_util::stream::unfold(sending, |mut sending| async move {
        let item = sending.next().await?;
        Some((item, sending))
    }))
}

impl<S: Stream<Item = AppendEntriesRequest<Types>> + Send + Unpin> Sending<'_, S> {
    async fn next(&mut self) -> Option<io::Result<StreamAppendResult<Types>>> {
        let answer = self.exchange().await;
        match &answer {
            Some(Ok(Ok(_))) => {}
            // Answers that are still to come would be taken for those of other requests.
            Some(Ok(Err(_)) | Err(_)) => {
                self.requests = None;
                if self.asked.is_empty() && matches!(answer, Some(Ok(_))) {
                    *self.lent = self.session.take();
                }
                self.session = None;
            }
            None => *self.lent = self.session.take(),
        }
        answer
    }

    async fn exchange(&mut self) -> Option<io::Result<StreamAppendResult<Types>>> {
        loop {
            if let Some(answer) = self.arrived.take() {
                return Some(Ok(self.settle(answer)?));
            }
            let session = self.session.as_mut()?;
            if self.requests.is_none() && self.asked.is_empty() {
                return None;
            }
            let more = async {
                match self.requests.as_mut() {
                    Some(requests) => requests.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                frame = timeout(ANSWER_MAX, session.reader.next()), if !self.asked.is_empty() => {
                    let frame = frame.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                    let answer = frame.and_then(|frame| {
                        read_append_reply(&frame.expect(Kind::AppendReply)?.record()?)
                    });
                    if let Err(error) = reach_in_task(Point::AppendAnswered).await {
                        return Some(Err(error));
                    }
                    match answer {
                        Ok(answer) => self.arrived = Some(answer),
                        Err(error) => return Some(Err(error)),
                    }
                }
                request = more, if self.asked.len() < IN_FLIGHT_MAX => {
                    if let Err(error) = self.take(request).await {
                        return Some(Err(error));
                    }
                }
                () = sleep(HOLD_MAX), if self.held.is_some() => {
                    if let Err(error) = self.release().await {
                        return Some(Err(error));
                    }
                }
            }
        }
    }

    /// The result of the oldest request, which `answer` answers, or a later one's answer if
    /// it was not sent.
    fn settle(
        &mut self,
        answer: AppendEntriesResponse<Types>,
    ) -> Option<StreamAppendResult<Types>> {
        let asked = self.asked.pop_front()?;
        if !asked.rides {
            return Some(result(answer, &asked));
        }
        // What follows it was taken, so it would have been.
        match answer {
            AppendEntriesResponse::Success | AppendEntriesResponse::PartialSuccess(_) => {
                self.arrived = Some(answer);
                Some(Ok(asked.last))
            }
            AppendEntriesResponse::Conflict | AppendEntriesResponse::HigherVote(_) => {
                Some(result(answer, &asked))
            }
        }
    }

    /// Sends a request, or holds it until the next one; none ends them.
    async fn take(&mut self, request: Option<AppendEntriesRequest<Types>>) -> io::Result<()> {
        let Some(request) = request else {
            self.requests = None;
            return self.release().await;
        };
        let more = !request.entries.is_empty();
        if let Some(held) =
            self.held.take_if(|held| more && held.prev_log_id == request.prev_log_id)
        {
            self.asked.push_back(Asked { rides: true, ..Asked::new(&held) });
        }
        self.release().await?;
        if !more && self.shared.entry_follows(request.prev_log_id.as_ref()) {
            self.held = Some(request);
            return Ok(());
        }
        self.write(&request).await
    }

    /// Sends what was held.
    async fn release(&mut self) -> io::Result<()> {
        match self.held.take() {
            Some(held) => self.write(&held).await,
            None => Ok(()),
        }
    }

    async fn write(&mut self, request: &AppendEntriesRequest<Types>) -> io::Result<()> {
        self.asked.push_back(Asked::new(request));
        let quorum_age_ms = self.shared.quorum_age_ms();
        put_frame(&mut self.out, Kind::Append, |out| put_append(out, request, quorum_age_ms));
        let is_sign_of_life = request.entries.is_empty();
        reach_in_task(if is_sign_of_life { Point::HeartbeatSend } else { Point::AppendSend })
            .await?;
        let session = self.session.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        session.writer.write(&self.out.split()).await
    }
}

fn result(answer: AppendEntriesResponse<Types>, asked: &Asked) -> StreamAppendResult<Types> {
    // Nothing conflicts with the beginning of the log; a follower that says so is wrong.
    if answer.is_conflict() && asked.prev.is_none() {
        return Ok(None);
    }
    answer.into_stream_result(asked.prev, asked.last)
}
