//! Where commands go: collected into batches, sent in order, sent again if refused.
//!
//! A command goes out at once when little is in flight; otherwise commands collect until
//! something is back, or until a batch is full. There are no timers. The leader then puts
//! what waits, of all servers, into one entry ([`crate::lead`]): so a lone client waits for
//! one sync and nothing else, and a busy ensemble spreads a sync over hundreds of commands.
//!
//! Every command has a number. The state applies none twice and none after a gap, so a
//! batch whose fate is unknown can always be sent again.

use std::{collections::VecDeque, sync::Arc};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::{Notify, watch};
use tree::{Command, Millis, OriginId};

use crate::codec;

/// Batches in flight when another goes out that is not full: enough that one can be at the
/// leader when the next entry is made, while another is in the log.
const PARTIAL_IN_FLIGHT_MAX: usize = 3;
/// Full batches in flight together, and full entries of a leader.
pub(crate) const IN_FLIGHT_MAX: usize = 4;
/// Commands in one batch.
pub(crate) const BATCH_COMMANDS_MAX: u32 = 512;
/// Bytes in one batch, give or take the last command.
pub(crate) const BATCH_BYTES_MAX: usize = 256 * 1024;
/// Commands that wait for their batch, in all; a client that comes then has to wait.
const WAITING_COMMANDS_MAX: usize = 16 * 1024;
/// Bytes that wait for their batch, in all.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// Commands are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Busy {
    /// Too many wait: try again when [`Proposer::ready`] says so.
    #[error("too many commands wait for the log")]
    Full,
    /// The disk is almost full.
    #[error("the disk is almost full")]
    DiskFull,
}

/// Takes commands. Cheap to clone; all clones feed the same log.
#[derive(Clone, Debug)]
pub struct Proposer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Rung when there is something to send.
    work: Notify,
    /// Changes when there may be room again.
    room: watch::Sender<u64>,
}

#[derive(Debug)]
struct Queue {
    origin: OriginId,
    next_sequence: u64,
    /// Whole batches that wait for their turn.
    full: VecDeque<Batch>,
    /// The batch that is being collected.
    open: Option<OpenBatch>,
    waiting_commands: usize,
    waiting_bytes: usize,
    /// Batches that were sent and not applied, oldest first.
    in_flight: VecDeque<Batch>,
    disk_full: bool,
    /// Whether the bell was rung for what waits: nobody has come to take it since.
    rung: bool,
}

#[derive(Debug)]
struct OpenBatch {
    bytes: BytesMut,
    first_sequence: u64,
    commands: u32,
}

/// An encoded batch: the payload of one entry.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) payload: Bytes,
    last_sequence: u64,
    commands: u32,
}

impl Proposer {
    pub(crate) fn new(origin: OriginId) -> Self {
        let queue = Queue {
            origin,
            next_sequence: 1,
            full: VecDeque::new(),
            open: None,
            waiting_commands: 0,
            waiting_bytes: 0,
            in_flight: VecDeque::new(),
            disk_full: false,
            rung: false,
        };
        let (room, _) = watch::channel(0);
        Self { shared: Arc::new(Shared { queue: Mutex::new(queue), work: Notify::new(), room }) }
    }

    /// Encodes a command into the batch that is being collected. `sequenced` is called
    /// with its number, in the order of the numbers. `time` becomes the batch's if this
    /// is its first command.
    ///
    /// # Errors
    /// [`Busy`]; nothing was taken and `sequenced` was not called.
    pub fn propose(
        &self,
        time: Millis,
        command: &Command<'_>,
        sequenced: impl FnOnce(u64),
    ) -> Result<(), Busy> {
        let mut queue = self.shared.queue.lock();
        if queue.disk_full && !is_taken_on_a_full_disk(command) {
            return Err(Busy::DiskFull);
        }
        if queue.waiting_commands >= WAITING_COMMANDS_MAX
            || queue.waiting_bytes >= WAITING_BYTES_MAX
        {
            return Err(Busy::Full);
        }
        let full_before = queue.full.len();
        let sequence = queue.append(time, command);
        sequenced(sequence);
        let news = !queue.rung || queue.full.len() > full_before;
        let ring = news && queue.may_send();
        queue.rung |= ring;
        drop(queue);
        if ring {
            self.shared.work.notify_one();
        }
        Ok(())
    }

    /// Waits until something was sent since the last refusal, so that there may be room.
    pub async fn ready(&self) {
        let mut room = self.shared.room.subscribe();
        if self.has_room() {
            return;
        }
        // The sender lives as long as this.
        let _ = room.changed().await;
    }

    fn has_room(&self) -> bool {
        let queue = self.shared.queue.lock();
        queue.waiting_commands < WAITING_COMMANDS_MAX && queue.waiting_bytes < WAITING_BYTES_MAX
    }

    /// Refuses commands that grow the state, or takes them again.
    pub fn set_disk_full(&self, full: bool) {
        self.shared.queue.lock().disk_full = full;
        self.shared.room.send_modify(|room| *room += 1);
    }

    /// Whether commands that grow the state are refused.
    pub fn is_disk_full(&self) -> bool {
        self.shared.queue.lock().disk_full
    }

    /// Waits until there may be something to send.
    pub(crate) async fn work(&self) {
        self.shared.work.notified().await;
    }

    /// Whether a batch waits that does not get any larger.
    pub(crate) fn has_full_batch(&self) -> bool {
        !self.shared.queue.lock().full.is_empty()
    }

    /// The next batch to send, if one may be sent now.
    pub(crate) fn take(&self) -> Option<Batch> {
        let mut queue = self.shared.queue.lock();
        queue.rung = false;
        if !queue.may_send() {
            return None;
        }
        let batch = queue.next_batch()?;
        queue.waiting_commands -= batch.commands as usize;
        queue.waiting_bytes -= batch.payload.len().min(queue.waiting_bytes);
        queue.in_flight.push_back(batch.clone());
        drop(queue);
        self.shared.room.send_modify(|room| *room += 1);
        Some(batch)
    }

    /// Waits until everything that was taken is applied.
    pub(crate) async fn drained(&self) {
        let mut room = self.shared.room.subscribe();
        loop {
            room.borrow_and_update();
            if self.is_drained() {
                return;
            }
            // The sender lives as long as this.
            let _ = room.changed().await;
        }
    }

    /// Whether commands wait for their batch to be sent.
    pub(crate) fn has_waiting(&self) -> bool {
        self.shared.queue.lock().waiting_commands > 0
    }

    fn is_drained(&self) -> bool {
        let queue = self.shared.queue.lock();
        queue.in_flight.is_empty() && queue.waiting_commands == 0
    }

    /// Everything sent and not applied, to be sent again.
    pub(crate) fn unapplied(&self) -> Vec<Batch> {
        self.shared.queue.lock().in_flight.iter().cloned().collect()
    }

    /// The number of the oldest command that was sent and is not applied.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.shared.queue.lock().in_flight.front().map(|batch| batch.last_sequence)
    }

    /// Commands up to this number are in the state.
    pub(crate) fn applied(&self, sequence: u64) {
        let mut queue = self.shared.queue.lock();
        let before = queue.in_flight.len();
        while queue.in_flight.front().is_some_and(|batch| batch.last_sequence <= sequence) {
            queue.in_flight.pop_front();
        }
        let waiting = queue.in_flight.len() < before && queue.may_send();
        queue.rung |= waiting;
        let drained = queue.in_flight.is_empty() && !waiting;
        drop(queue);
        if waiting {
            self.shared.work.notify_one();
        }
        if drained {
            self.shared.room.send_modify(|room| *room += 1);
        }
    }
}

impl Queue {
    /// Whether there is a batch that should go out now.
    fn may_send(&self) -> bool {
        if self.in_flight.len() < PARTIAL_IN_FLIGHT_MAX {
            return self.waiting_commands > 0;
        }
        self.in_flight.len() < IN_FLIGHT_MAX && !self.full.is_empty()
    }

    fn append(&mut self, time: Millis, command: &Command<'_>) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let origin = self.origin;
        let open = self.open.get_or_insert_with(|| {
            let mut bytes = BytesMut::new();
            codec::begin_entry(&mut bytes, origin, sequence, time);
            OpenBatch { bytes, first_sequence: sequence, commands: 0 }
        });
        let before = open.bytes.len();
        codec::encode_command(command, &mut open.bytes);
        open.commands += 1;
        self.waiting_commands += 1;
        self.waiting_bytes += open.bytes.len() - before;
        if open.commands >= BATCH_COMMANDS_MAX || open.bytes.len() >= BATCH_BYTES_MAX {
            self.close();
        }
        sequence
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.full.push_back(open.close());
        }
    }

    fn next_batch(&mut self) -> Option<Batch> {
        if self.full.is_empty() {
            self.close();
        }
        self.full.pop_front()
    }
}

impl OpenBatch {
    fn close(mut self) -> Batch {
        codec::end_entry(&mut self.bytes, self.commands);
        Batch {
            payload: self.bytes.freeze(),
            last_sequence: self.first_sequence + u64::from(self.commands) - 1,
            commands: self.commands,
        }
    }
}

/// What is taken even when the disk is almost full: sessions must be able to come back
/// and to end, and deleting makes room.
fn is_taken_on_a_full_disk(command: &Command<'_>) -> bool {
    use tree::Op;
    match &command.op {
        Op::Delete { .. }
        | Op::OpenSession { .. }
        | Op::AttachSession { .. }
        | Op::CloseSession
        | Op::ExpireSession { .. }
        | Op::Reap { .. }
        | Op::Reconfig { .. }
        | Op::Reject(_) => true,
        Op::Create { .. }
        | Op::SetData { .. }
        | Op::SetAcl { .. }
        | Op::Check { .. }
        | Op::Multi(_) => false,
    }
}
