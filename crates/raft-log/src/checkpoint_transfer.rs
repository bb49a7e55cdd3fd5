//! A checkpoint on its way from the leader to a server that is too far behind.
//!
//! The leader offers the files of a frozen checkpoint; the other side says what it has of
//! each from an earlier attempt, with a checksum; the leader sends the rest, a chunk at a
//! time. So memory is flat, a broken connection costs what was in flight, and a checkpoint
//! that was made meanwhile shares the files that did not change. Nobody waits longer than
//! [`IDLE_MAX`] for the next sign of progress; how long the whole takes does not matter.
//!
//! Reading, writing and checking files is done on threads for it, beside everything else.

use std::{io, sync::Arc, time::Duration};

use bytes::BytesMut;
use fault_points::{Point, reach_in_task};
use jute::Record as _;
use openraft::raft::SnapshotResponse;
use tokio::time::timeout;

use crate::{
    checkpoints::{
        CheckpointFile, CheckpointMeta, CheckpointStore, FrozenCheckpoint, IncomingCheckpoint,
    },
    ensemble::Shared,
    execution::off_thread,
    generated::peer as wire,
    machine::{CheckpointHandle, snapshot_meta, stored},
    peer::{
        Kind, PeerError, Session,
        convert::{read_log_id, read_vote, wire_log_id, wire_vote},
        frame::{Frame, invalid, put_frame},
    },
    types::{SnapshotMeta, Types, Vote},
};

/// Bytes of a file that travel in one frame.
const CHUNK_BYTES: usize = 256 << 10;
/// How long nothing may happen.
const IDLE_MAX: Duration = Duration::from_secs(20);
/// How long the other side may take to check, install and load what it received.
const INSTALL_MAX: Duration = Duration::from_secs(600);

/// The leader's side: sends what is missing and waits until it is installed.
pub(crate) async fn send(
    session: Session,
    vote: Vote,
    meta: &SnapshotMeta,
    frozen: &Arc<dyn FrozenCheckpoint>,
) -> Result<SnapshotResponse<Types>, PeerError> {
    let mut session = session;
    let membership = stored(meta).membership;
    let offer = wire::Offer {
        vote: wire_vote(&vote),
        applied: wire_log_id(meta.last_log_id),
        membership: &membership,
        files: frozen
            .files()
            .iter()
            .map(|file| wire::File { name: &file.name, bytes: file.bytes.cast_signed() })
            .collect(),
    };
    reach_in_task(Point::OfferSend).await?;
    session.writer.record(Kind::Offer, &offer).await?;
    let wanted = next(&mut session, INSTALL_MAX).await?;
    if wanted.kind == Kind::Installed {
        return installed(&wanted);
    }
    let wanted: wire::Wanted = wanted.expect(Kind::Wanted)?.record()?;
    if wanted.present.len() != frozen.files().len() {
        return Err(invalid("an answer about other files than were offered").into());
    }
    for (file, present) in wanted.present.iter().enumerate() {
        send_file(&mut session, frozen, file, present).await?;
    }
    installed(&next(&mut session, INSTALL_MAX).await?.expect(Kind::Installed)?)
}

async fn next(session: &mut Session, patience: Duration) -> io::Result<Frame> {
    timeout(patience, session.reader.next()).await.map_err(|_| io::ErrorKind::TimedOut)?
}

fn installed(frame: &Frame) -> Result<SnapshotResponse<Types>, PeerError> {
    let record: wire::Installed<'_> = frame.record()?;
    if record.yes {
        return Ok(SnapshotResponse::new(read_vote(record.vote)));
    }
    Err(PeerError::Unreachable(record.text.to_owned()))
}

async fn send_file(
    session: &mut Session,
    frozen: &Arc<dyn FrozenCheckpoint>,
    file: usize,
    present: &wire::Present,
) -> io::Result<()> {
    let bytes = frozen.files()[file].bytes;
    let mut offset = present.bytes.cast_unsigned();
    if offset > bytes || checksum_of(frozen, file, offset).await? != present.checksum {
        offset = 0;
    }
    let mut out = BytesMut::new();
    loop {
        // Behind the last part comes an empty one: the file is as it should be.
        let chunk = read(frozen, file, offset).await?;
        if chunk.is_empty() && offset < bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let record = wire::Chunk {
            file: i32::try_from(file).map_err(io::Error::other)?,
            offset: offset.cast_signed(),
            bytes: &chunk,
        };
        put_frame(&mut out, Kind::Chunk, |out| record.encode(out));
        reach_in_task(Point::ChunkSend).await?;
        timeout(IDLE_MAX, session.writer.write(&out.split()))
            .await
            .map_err(|_| io::ErrorKind::TimedOut)??;
        if chunk.is_empty() {
            return Ok(());
        }
        offset += chunk.len() as u64;
    }
}

async fn read(frozen: &Arc<dyn FrozenCheckpoint>, file: usize, offset: u64) -> io::Result<Vec<u8>> {
    let frozen = Arc::clone(frozen);
    let read = off_thread(move || {
        let mut room = vec![0; CHUNK_BYTES];
        let bytes = frozen.read(file, offset, &mut room)?;
        room.truncate(bytes);
        Ok(room)
    });
    read.await?
}

/// The checksum of the first `bytes` of a file.
async fn checksum_of(
    frozen: &Arc<dyn FrozenCheckpoint>,
    file: usize,
    bytes: u64,
) -> io::Result<i32> {
    let frozen = Arc::clone(frozen);
    let read = off_thread(move || checksum(bytes, |offset, room| frozen.read(file, offset, room)));
    read.await?
}

fn checksum(
    bytes: u64,
    mut read: impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
) -> io::Result<i32> {
    let mut room = vec![0; CHUNK_BYTES];
    let (mut offset, mut sum) = (0, 0);
    while offset < bytes {
        let left = usize::try_from(bytes - offset).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        let read = read(offset, &mut room[..left])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        sum = crc32c::crc32c_append(sum, &room[..read]);
        offset += read as u64;
    }
    Ok(sum.cast_signed())
}

/// The side that is behind: takes what it lacks, and installs it.
pub(crate) async fn receive(mut session: Session, shared: &Arc<Shared>) -> io::Result<()> {
    let frame = next(&mut session, IDLE_MAX).await?.expect(Kind::Offer)?;
    let offer: wire::Offer<'_> = frame.record()?;
    // One at a time: two leaders, or one that tried again, must not write the same files.
    let _receiving = shared.receiving.lock().await;
    let vote = read_vote(offer.vote);
    let meta = CheckpointMeta {
        applied: read_log_id(&offer.applied)?.as_ref().map(crate::types::position),
        membership: frame.body.slice_ref(offer.membership),
    };
    let outcome = take_and_install(&mut session, shared, &offer, &meta, vote).await;
    let (yes, vote, text) = match &outcome {
        Ok(vote) => (true, *vote, String::new()),
        Err(error) => (false, vote, error.to_string()),
    };
    let record = wire::Installed { yes, vote: wire_vote(&vote), text: &text };
    reach_in_task(Point::InstalledSend).await?;
    session.writer.record(Kind::Installed, &record).await?;
    outcome.map(drop)
}

async fn take_and_install(
    session: &mut Session,
    shared: &Arc<Shared>,
    offer: &wire::Offer<'_>,
    meta: &CheckpointMeta,
    vote: Vote,
) -> io::Result<Vote> {
    let from = session.peer.server;
    tracing::info!(server = from, files = offer.files.len(), "receiving the leader's checkpoint");
    let incoming = begin(shared, offer).await?;
    take(session, incoming, &offer.files).await?;
    let (checkpoints, expected) = (Arc::clone(&shared.checkpoints), meta.clone());
    off_thread(move || checkpoints.verify(&expected)).await?.map_err(io::Error::other)?;
    let meta = snapshot_meta(meta).map_err(io::Error::other)?;
    let snapshot = openraft::Snapshot { meta, snapshot: CheckpointHandle(None) };
    let installed = shared.raft().install_full_snapshot(vote, snapshot).await;
    let response = installed.map_err(io::Error::other)?;
    tracing::info!(server = from, "the leader's checkpoint is installed");
    Ok(response.vote)
}

async fn begin(
    shared: &Arc<Shared>,
    offer: &wire::Offer<'_>,
) -> io::Result<Box<dyn IncomingCheckpoint>> {
    let file = |file: &wire::File<'_>| CheckpointFile {
        name: file.name.to_owned(),
        bytes: file.bytes.cast_unsigned(),
    };
    let files: Vec<_> = offer.files.iter().map(file).collect();
    let checkpoints: Arc<dyn CheckpointStore> = Arc::clone(&shared.checkpoints);
    let begun = off_thread(move || checkpoints.receive(&files));
    begun.await?.map_err(io::Error::other)
}

/// Says what is there, and writes what comes until all of it is there.
pub(crate) async fn take(
    session: &mut Session,
    incoming: Box<dyn IncomingCheckpoint>,
    files: &[wire::File<'_>],
) -> io::Result<()> {
    let count = files.len();
    let (mut incoming, present) = off_thread(move || {
        let mut incoming = incoming;
        let present = (0..count).map(|file| present(&mut *incoming, file)).collect();
        (incoming, present)
    })
    .await
    .map(|(incoming, present): (_, io::Result<Vec<_>>)| {
        present.map(|present| (incoming, present))
    })??;
    let mut left: u64 = 0;
    for (file, present) in files.iter().zip(&present) {
        left = left.saturating_add(file.bytes.saturating_sub(present.bytes).max(0).cast_unsigned());
    }
    reach_in_task(Point::WantedSend).await?;
    session.writer.record(Kind::Wanted, &wire::Wanted { present: present.clone() }).await?;
    let mut lengths: Vec<u64> =
        present.iter().map(|present| present.bytes.cast_unsigned()).collect();
    let mut complete = 0;
    while complete < count {
        let frame = next(session, IDLE_MAX).await?.expect(Kind::Chunk)?;
        let (file, offset, bytes) = {
            let chunk: wire::Chunk<'_> = frame.record()?;
            let file = usize::try_from(chunk.file).map_err(io::Error::other)?;
            (file, chunk.offset.cast_unsigned(), frame.body.slice_ref(chunk.bytes))
        };
        let end = offset.saturating_add(bytes.len() as u64);
        let whole = files.get(file).map_or(0, |file| file.bytes.cast_unsigned());
        if file != complete || end > whole || offset > lengths[file] {
            return Err(invalid("a part of a file at an impossible place"));
        }
        if bytes.is_empty() {
            if end != whole || lengths[file] != whole {
                return Err(invalid("a file that ends too early"));
            }
            complete += 1;
            continue;
        }
        lengths[file] = end;
        let written = off_thread(move || {
            let mut incoming = incoming;
            incoming.write(file, offset, &bytes).map(|()| incoming)
        });
        incoming = written.await??;
    }
    tracing::debug!(bytes = left, "all files are there");
    let completed = off_thread(move || incoming.complete());
    completed.await?.map_err(io::Error::other)
}

fn present(incoming: &mut dyn IncomingCheckpoint, file: usize) -> io::Result<wire::Present> {
    let bytes = incoming.present(file)?;
    let checksum = checksum(bytes, |offset, room| incoming.read(file, offset, room))?;
    Ok(wire::Present { bytes: bytes.cast_signed(), checksum })
}
