//! The leader's side: what all servers send becomes entries, as few as will do.
//!
//! While an entry is on its way, batches collect, this server's own with those that the
//! others forward, and the next entry has all of them. So a round of the ensemble (an
//! append, a sync on each disk, a word that it is committed) carries what came during the
//! one before, from whichever server it came. Nothing waits when nothing is on its way, and
//! there are no timers.
//!
//! Why part of an entry waits for everything: what comes meanwhile would wait for the next
//! sync anyway, and each entry more costs as much as ten commands. With 64 clients that
//! wait for each answer it is a fifth less processor time, on one server and on three.
//!
//! Who sends to whom, and sends again, is [`crate::forward`]'s.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use fault_points::{Point, pass};
use futures_util::{StreamExt, stream::FuturesOrdered};
use openraft::{errors::ClientWriteError, impls::OneshotResponder};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, oneshot},
    time::sleep,
};

use crate::{
    codec,
    ensemble::Shared,
    forward::Ended,
    proposer::{BATCH_BYTES_MAX, BATCH_COMMANDS_MAX, Batch, IN_FLIGHT_MAX},
    types::{Batches, Types},
};

/// How long to wait before batches are appended again that were refused: a new leader refuses
/// until it has heard from a quorum, which takes a few milliseconds.
const RETRY_PAUSE: Duration = Duration::from_millis(5);

/// A batch of another server that waits for its entry.
struct Offer {
    batch: Bytes,
    /// Told when it is applied; dropped when it will not be.
    applied: oneshot::Sender<()>,
}

/// The batches of other servers that wait for an entry. Each server has a limit to what it
/// has here.
#[derive(Default)]
pub(crate) struct Offers {
    waiting: Mutex<Waiting>,
    bell: Notify,
}

#[derive(Default)]
struct Waiting {
    offers: VecDeque<Offer>,
    commands: u64,
    bytes: usize,
}

impl Offers {
    /// Queues a batch for the next entry that this server appends as the leader. What comes
    /// back says that it was applied, or, by an error, that it must be sent again.
    pub(crate) fn offer(&self, batch: Bytes) -> oneshot::Receiver<()> {
        let (applied, answer) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        waiting.commands += codec::count_commands(&batch);
        waiting.bytes += batch.len();
        waiting.offers.push_back(Offer { batch, applied });
        // In between it is known that something waits.
        let ring = waiting.offers.len() == 1 || waiting.is_full();
        drop(waiting);
        if ring {
            self.bell.notify_one();
        }
        answer
    }

    /// Refuses all that waits: another server leads.
    pub(crate) fn refuse(&self) {
        *self.waiting.lock() = Waiting::default();
    }

    fn is_full(&self) -> bool {
        self.waiting.lock().is_full()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.lock().offers.is_empty()
    }

    fn take(&self) -> Option<Offer> {
        let mut waiting = self.waiting.lock();
        let offer = waiting.offers.pop_front()?;
        waiting.commands -= codec::count_commands(&offer.batch);
        waiting.bytes -= offer.batch.len();
        Some(offer)
    }
}

impl Waiting {
    fn is_full(&self) -> bool {
        self.commands >= u64::from(BATCH_COMMANDS_MAX) || self.bytes >= BATCH_BYTES_MAX
    }
}

/// An entry that is being put together.
#[derive(Default)]
struct Gathered {
    batches: Vec<Bytes>,
    applied: Vec<oneshot::Sender<()>>,
    commands: u64,
    bytes: usize,
}

impl Gathered {
    fn has_room(&self) -> bool {
        self.commands < u64::from(BATCH_COMMANDS_MAX) && self.bytes < BATCH_BYTES_MAX
    }

    fn push(&mut self, batch: Bytes) {
        self.commands += codec::count_commands(&batch);
        self.bytes += batch.len();
        self.batches.push(batch);
    }
}

type Answer =
    oneshot::Receiver<Result<openraft::raft::ClientWriteResponse<Types>, ClientWriteError<Types>>>;

/// A leader's work, from when it leads until it does not.
struct Lead<'l> {
    shared: &'l Shared,
    /// This server's own batches that are appended again.
    again: VecDeque<Batch>,
}

/// Appends this server's own batches and those of the others as long as it leads. If one is
/// refused, all that are not applied are appended again: those that come twice, or after a
/// gap, have no effect.
pub(crate) async fn lead(shared: &Shared) -> Ended {
    let proposer = &shared.proposer;
    let mut lead = Lead { shared, again: proposer.unapplied().into() };
    let mut in_flight = FuturesOrdered::new();
    loop {
        while let Some(gathered) = lead.gather(in_flight.len()) {
            let Gathered { batches, applied, .. } = gathered;
            let Some(answer) = append(shared, &batches).await else {
                return Ended::Stopped;
            };
            in_flight.push_back(async move {
                let taken = matches!(answer.await, Ok(Ok(_)));
                if taken {
                    // Who is gone sends again.
                    for applied in applied {
                        let _ = applied.send(());
                    }
                }
                taken
            });
        }
        let taken = tokio::select! {
            biased;
            Some(taken) = in_flight.next(), if !in_flight.is_empty() => taken,
            () = proposer.work() => true,
            () = shared.offers.bell.notified() => true,
        };
        if !taken {
            tracing::debug!("an entry was refused; what is not applied goes out again");
            in_flight = FuturesOrdered::new();
            shared.offers.refuse();
            sleep(RETRY_PAUSE).await;
            lead.again = proposer.unapplied().into();
        }
    }
}

impl Lead<'_> {
    /// The next entry, if there is something for it and it should go out now.
    fn gather(&mut self, in_flight: usize) -> Option<Gathered> {
        let now = match in_flight {
            0 => true,
            1..IN_FLIGHT_MAX => {
                self.shared.offers.is_full() || self.shared.proposer.has_full_batch()
            }
            _ => false,
        };
        if !now {
            return None;
        }
        let mut gathered = Gathered::default();
        // In turn, and one of each whatever its size: nobody's writes wait for ever behind
        // those of a server that has many.
        loop {
            let own = self.again.pop_front().or_else(|| self.shared.proposer.take());
            let offer = self.shared.offers.take();
            let more = own.is_some() || offer.is_some();
            own.into_iter().for_each(|batch| gathered.push(batch.payload));
            if let Some(Offer { batch, applied }) = offer {
                gathered.push(batch);
                gathered.applied.push(applied);
            }
            if !more || !gathered.has_room() {
                break;
            }
        }
        (!gathered.batches.is_empty()).then_some(gathered)
    }
}

/// Appends an entry that every member can read; `None` when openraft has stopped.
async fn append(shared: &Shared, batches: &[Bytes]) -> Option<Answer> {
    pass(Point::ProposeAppend);
    let version = shared.members_speak();
    let readable = |batch| codec::readable_by(version, batch).into_owned();
    let batches: Vec<Bytes> = batches.iter().map(readable).collect();
    let entry = codec::join_entries(&batches);
    let (responder, answer) = OneshotResponder::new_pair();
    shared.raft().client_write_ff(Batches(entry), Some(responder)).await.ok()?;
    Some(answer)
}
