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
/// Fewer offers than this are not looked through for those that were given up.
const OFFERS_LOOKED_AT: usize = 64;
/// Most bytes of an entry of several batches. A batch has at most one request of the largest
/// size, 32 MiB; two of them would not fit into a message to a follower.
const JOINED_BYTES_MAX: usize = 33 << 20;

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
    /// With how many offers those are forgotten again that were given up.
    look_at: usize,
}

impl Offers {
    /// Queues a batch for the next entry that this server appends as the leader. What comes
    /// back says that it was applied, or, by an error, that it must be sent again.
    pub(crate) fn offer(&self, batch: Bytes) -> oneshot::Receiver<()> {
        let (applied, answer) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        waiting.forget_abandoned();
        waiting.push(Offer { batch, applied });
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
        // Who gave up sends it again.
        std::iter::from_fn(|| waiting.pop()).find(|offer| !offer.applied.is_closed())
    }
}

impl Waiting {
    fn push(&mut self, offer: Offer) {
        self.commands += codec::count_commands(&offer.batch);
        self.bytes += offer.batch.len();
        self.offers.push_back(offer);
    }

    fn pop(&mut self) -> Option<Offer> {
        let offer = self.offers.pop_front()?;
        self.commands -= codec::count_commands(&offer.batch);
        self.bytes -= offer.batch.len();
        Some(offer)
    }

    /// Forgets what nobody waits for any more: whoever gave up sends it again, and would fill
    /// the memory of a leader that cannot append. Looks through them when they have doubled.
    fn forget_abandoned(&mut self) {
        if self.offers.len() < self.look_at.max(OFFERS_LOOKED_AT) {
            return;
        }
        let offers = std::mem::take(self).offers;
        let live = offers.into_iter().filter(|offer| !offer.applied.is_closed());
        live.for_each(|offer| self.push(offer));
        self.look_at = 2 * self.offers.len();
    }

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

    /// Takes one more; gives it back if both together would be too large.
    fn push(&mut self, next: Next) -> Option<Next> {
        let batch = next.batch();
        if !self.batches.is_empty() && self.bytes + batch.len() > JOINED_BYTES_MAX {
            return Some(next);
        }
        self.commands += codec::count_commands(batch);
        self.bytes += batch.len();
        self.batches.push(batch.clone());
        self.applied.extend(next.applied());
        None
    }
}

/// A batch for an entry.
enum Next {
    Own(Batch),
    Offered(Offer),
}

impl Next {
    const fn batch(&self) -> &Bytes {
        match self {
            Self::Own(batch) => &batch.payload,
            Self::Offered(offer) => &offer.batch,
        }
    }

    fn applied(self) -> Option<oneshot::Sender<()>> {
        match self {
            Self::Own(_) => None,
            Self::Offered(offer) => Some(offer.applied),
        }
    }
}

type Answer =
    oneshot::Receiver<Result<openraft::raft::ClientWriteResponse<Types>, ClientWriteError<Types>>>;

/// A leader's work, from when it leads until it does not.
struct Lead<'l> {
    shared: &'l Shared,
    /// This server's own batches that are appended again.
    again: VecDeque<Batch>,
    /// What did not fit into the last entry, and so begins the next one.
    left: VecDeque<Next>,
}

/// Appends this server's own batches and those of the others as long as it leads. If one is
/// refused, all that are not applied are appended again: those that come twice, or after a
/// gap, have no effect.
pub(crate) async fn lead(shared: &Shared) -> Ended {
    let proposer = &shared.proposer;
    let mut lead = Lead { shared, again: proposer.unapplied().into(), left: VecDeque::new() };
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
            lead.left.clear();
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
                !self.left.is_empty()
                    || self.shared.offers.is_full()
                    || self.shared.proposer.has_full_batch()
            }
            _ => false,
        };
        if !now {
            return None;
        }
        let mut gathered = Gathered::default();
        // In turn, and one of each whatever its size: nobody's writes wait for ever behind
        // those of a server that has many.
        while gathered.has_room() {
            if self.left.is_empty() {
                let own = self.again.pop_front().or_else(|| self.shared.proposer.take());
                let offer = self.shared.offers.take();
                self.left.extend(own.map(Next::Own).into_iter().chain(offer.map(Next::Offered)));
            }
            if self.left.is_empty() {
                break;
            }
            while let Some(next) = self.left.pop_front() {
                if let Some(next) = gathered.push(next) {
                    self.left.push_front(next);
                    return Some(gathered);
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(bytes: usize) -> Bytes {
        vec![0; bytes].into()
    }

    #[test]
    fn what_was_given_up_by_who_offered_it_is_forgotten() {
        let offers = Offers::default();
        let first = offers.offer(batch(100));
        let _waited_for = offers.offer(batch(10));
        drop(first);
        for _ in 0..1000 {
            drop(offers.offer(batch(100)));
        }
        assert!(offers.waiting.lock().offers.len() <= OFFERS_LOOKED_AT);
        assert_eq!(offers.take().map(|offer| offer.batch.len()), Some(10));
        assert!(offers.take().is_none());
        assert_eq!(offers.waiting.lock().bytes, 0);
    }

    #[test]
    fn batches_that_are_too_large_together_are_not_joined() {
        let next = |bytes| {
            let (applied, _) = oneshot::channel();
            Next::Offered(Offer { batch: batch(bytes), applied })
        };
        let mut gathered = Gathered::default();
        assert!(gathered.push(next(BATCH_BYTES_MAX - 1)).is_none());
        assert!(gathered.push(next(32 << 20)).is_none(), "a small one and the largest");
        assert!(gathered.push(next(32 << 20)).is_some(), "two of the largest");
        assert_eq!((gathered.batches.len(), gathered.applied.len()), (2, 2));
        let mut gathered = Gathered::default();
        assert!(gathered.push(next(JOINED_BYTES_MAX * 2)).is_none(), "one goes, however large");
    }
}
