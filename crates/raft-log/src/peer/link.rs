//! The control lane to one server: requests that are answered, on one connection that is
//! made when it is needed and made again when it broke.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use fault_points::{Point, reach_in_task};
use jute::Record;
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
    time::timeout,
};

use super::{
    Identity, Kind, Lane, PeerError, Session, Wanted, dial,
    frame::{Frame, FrameReader, FrameWriter, invalid, put_frame},
};
use crate::{standstill, transport::Transport};

/// Requests that may wait for an answer at once.
const CALLS_MAX: usize = 256;
/// How long nobody is dialled after an attempt failed.
const REDIAL_PAUSE: Duration = Duration::from_millis(100);

/// A request on its way, and who waits for the answer.
struct Outgoing {
    kind: Kind,
    body: Bytes,
    answer: Option<oneshot::Sender<Result<Frame, PeerError>>>,
}

/// The control lane to one server. Cheap to clone; it ends with its last clone.
#[derive(Clone)]
pub(crate) struct Link {
    outgoing: mpsc::Sender<Outgoing>,
    _task: Arc<EndOnDrop>,
}

struct EndOnDrop(AbortHandle);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Link {
    /// A link that dials when something is to be sent.
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        addresses: Vec<String>,
        wanted: Wanted,
        own: Arc<dyn Fn() -> Identity + Send + Sync>,
    ) -> Self {
        let (outgoing, requests) = mpsc::channel(CALLS_MAX);
        let dialler = Dialler { transport, addresses, wanted, own };
        let task = standstill::spawn(run(dialler, requests));
        Self { outgoing, _task: Arc::new(EndOnDrop(task.abort_handle())) }
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn call<'r>(
        &self,
        kind: Kind,
        record: &impl Record<'r>,
        patience: Duration,
    ) -> Result<Frame, PeerError> {
        let mut body = BytesMut::new();
        record.encode(&mut body);
        self.call_raw(kind, body.freeze(), patience).await
    }

    /// As [`Self::call`], with the bytes of the record.
    pub(crate) async fn call_raw(
        &self,
        kind: Kind,
        body: Bytes,
        patience: Duration,
    ) -> Result<Frame, PeerError> {
        let (sender, answer) = oneshot::channel();
        let request = Outgoing { kind, body, answer: Some(sender) };
        self.outgoing
            .try_send(request)
            .map_err(|_| PeerError::Unreachable("too many requests wait for it".to_owned()))?;
        match timeout(patience, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(PeerError::Unreachable("the connection broke".to_owned())),
            Err(_) => Err(PeerError::Unreachable("it does not answer".to_owned())),
        }
    }

    /// Sends what has no answer; false if there is no room for it.
    pub(crate) fn tell<'r>(&self, kind: Kind, record: &impl Record<'r>) -> bool {
        let mut body = BytesMut::new();
        record.encode(&mut body);
        self.outgoing.try_send(Outgoing { kind, body: body.freeze(), answer: None }).is_ok()
    }
}

struct Dialler {
    transport: Arc<dyn Transport>,
    addresses: Vec<String>,
    wanted: Wanted,
    own: Arc<dyn Fn() -> Identity + Send + Sync>,
}

async fn run(dialler: Dialler, mut requests: mpsc::Receiver<Outgoing>) {
    while let Some(first) = requests.recv().await {
        let own = (dialler.own)();
        let dialled =
            dial(&dialler.transport, &dialler.addresses, own, dialler.wanted, Lane::Control);
        let error = match dialled.await {
            Ok(session) => PeerError::from(converse(session, first, &mut requests).await),
            Err(error) => {
                refuse(first, &error);
                error
            }
        };
        // What came meanwhile is refused rather than kept: by now its patience is short.
        while let Ok(request) = requests.try_recv() {
            refuse(request, &error);
        }
        tokio::time::sleep(REDIAL_PAUSE).await;
    }
}

fn refuse(request: Outgoing, error: &PeerError) {
    if let Some(answer) = request.answer {
        // Who asked may have gone away.
        drop(answer.send(Err(error.clone())));
    }
}

/// Sends requests and hands out answers until the connection breaks.
async fn converse(
    session: Session,
    first: Outgoing,
    requests: &mut mpsc::Receiver<Outgoing>,
) -> io::Error {
    let Session { mut reader, mut writer, version, .. } = session;
    let mut waiting = BTreeMap::new();
    let mut next_id = 1;
    let mut out = BytesMut::new();
    let mut request = Some(first);
    loop {
        // One of an older version would take what it does not know for damage.
        if let Some(request) = request.take().filter(|request| request.kind.since() <= version) {
            put_call(&mut out, next_id, &request);
            if let Some(answer) = request.answer {
                waiting.retain(|_, answer: &mut oneshot::Sender<_>| !answer.is_closed());
                waiting.insert(next_id, answer);
            }
            next_id += 1;
            let sent = match reach_in_task(Point::CallSend).await {
                Ok(()) => writer.write(&out.split()).await,
                failed => failed,
            };
            if let Err(error) = sent {
                return error;
            }
        }
        tokio::select! {
            biased;
            reply = next_reply(&mut reader) => match reply {
                Ok((id, frame)) => {
                    if let Some(answer) = waiting.remove(&id) {
                        drop(answer.send(Ok(frame)));
                    }
                }
                Err(error) => return error,
            },
            more = requests.recv() => match more {
                Some(more) => request = Some(more),
                None => return io::ErrorKind::NotConnected.into(),
            },
        }
    }
}

/// An id in front of a kind and a record.
fn put_call(out: &mut BytesMut, id: i64, request: &Outgoing) {
    put_frame(out, Kind::Call, |out| {
        jute::put_long(out, if request.answer.is_some() { id } else { 0 });
        jute::put_int(out, request.kind.number());
        out.extend_from_slice(&request.body);
    });
}

async fn next_reply(reader: &mut FrameReader) -> io::Result<(i64, Frame)> {
    unwrap_call(reader.next().await?.expect(Kind::Reply)?)
}

/// The id, and the frame within a Call or a Reply.
pub(crate) fn unwrap_call(frame: Frame) -> io::Result<(i64, Frame)> {
    let mut body = frame.body;
    if body.len() < 12 {
        return Err(invalid("a call without a kind"));
    }
    let id = body.get_i64();
    let number = body.get_i32();
    let kind = Kind::from_number(number)
        .ok_or_else(|| invalid(&format!("a call of the unknown kind {number}")))?;
    Ok((id, Frame { kind, body }))
}

/// The answering side of a control lane.
pub(crate) struct Calls {
    reader: FrameReader,
    writer: Arc<tokio::sync::Mutex<FrameWriter>>,
}

/// What a request is answered with.
pub(crate) struct Reply(pub(crate) Kind, pub(crate) Bytes);

impl Reply {
    pub(crate) fn new<'r>(kind: Kind, record: &impl Record<'r>) -> Self {
        let mut body = BytesMut::new();
        record.encode(&mut body);
        Self(kind, body.freeze())
    }
}

impl Calls {
    pub(crate) fn new(reader: FrameReader, writer: FrameWriter) -> Self {
        Self { reader, writer: Arc::new(tokio::sync::Mutex::new(writer)) }
    }

    /// The next request, and how to answer it; others can be taken before it is.
    pub(crate) async fn next(&mut self) -> io::Result<(Frame, Answerer)> {
        let (id, frame) = unwrap_call(self.reader.next().await?.expect(Kind::Call)?)?;
        Ok((frame, Answerer { id, writer: Arc::downgrade(&self.writer) }))
    }
}

/// Answers one request.
pub(crate) struct Answerer {
    id: i64,
    writer: Weak<tokio::sync::Mutex<FrameWriter>>,
}

impl Answerer {
    pub(crate) async fn answer(self, Reply(kind, body): Reply) {
        let Some(writer) = self.writer.upgrade().filter(|_| self.id != 0) else { return };
        let mut out = BytesMut::new();
        put_frame(&mut out, Kind::Reply, |out| {
            jute::put_long(out, self.id);
            jute::put_int(out, kind.number());
            out.extend_from_slice(&body);
        });
        let sent = match reach_in_task(Point::CallReply).await {
            Ok(()) => writer.lock().await.write(&out).await,
            failed => failed,
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "an answer could not be sent");
        }
    }
}

/// The control lanes to all servers that were needed so far.
pub(crate) struct Links {
    transport: Arc<dyn Transport>,
    own: Arc<dyn Fn() -> Identity + Send + Sync>,
    links: Mutex<BTreeMap<Wanted, (Vec<String>, Link)>>,
}

impl Links {
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        own: Arc<dyn Fn() -> Identity + Send + Sync>,
    ) -> Self {
        Self { transport, own, links: Mutex::default() }
    }

    pub(crate) fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    pub(crate) fn own(&self) -> Identity {
        (self.own)()
    }

    /// The link to one server. If its addresses changed, it is a new one.
    pub(crate) fn to(&self, wanted: Wanted, addresses: &[String]) -> Link {
        let mut links = self.links.lock();
        if let Some((known, link)) = links.get(&wanted)
            && known == addresses
        {
            return link.clone();
        }
        let (transport, own) = (Arc::clone(&self.transport), Arc::clone(&self.own));
        let link = Link::new(transport, addresses.to_vec(), wanted, own);
        links.insert(wanted, (addresses.to_vec(), link.clone()));
        link
    }

    /// Drops the links to all but these.
    pub(crate) fn retain(&self, keep: impl Fn(Wanted) -> bool) {
        self.links.lock().retain(|wanted, _| keep(*wanted));
    }

    /// Drops all links.
    pub(crate) fn clear(&self) {
        self.links.lock().clear();
    }
}
