//! A checkpoint that another server sends, taken as far as it comes.

use std::io;

use bytes::BytesMut;

use super::session;
use crate::{
    checkpoint_transfer::take,
    checkpoints::{CheckpointFile, CheckpointStore},
    execution::simulate,
    generated::peer as wire,
    mem::MemCheckpoints,
    peer::{Kind, frame::put_frame},
};

/// The records of a checkpoint's frames: an offer, and chunks. Must be called within a tokio
/// runtime.
pub async fn checkpoint(records: &[&[u8]]) {
    drop(taken(records).await);
}

/// Whether all of it came.
pub(super) async fn taken(records: &[&[u8]]) -> io::Result<()> {
    // Work that takes long is done on the spot.
    simulate(0);
    let mut out = BytesMut::new();
    for (at, record) in records.iter().enumerate() {
        let kind = if at == 0 { Kind::Offer } else { Kind::Chunk };
        put_frame(&mut out, kind, |out| out.extend_from_slice(record));
    }
    let mut session = session(&out);
    let frame = session.reader.next().await?.expect(Kind::Offer)?;
    let offer: wire::Offer<'_> = frame.record()?;
    let file = |file: &wire::File<'_>| CheckpointFile {
        name: file.name.to_owned(),
        bytes: file.bytes.cast_unsigned(),
    };
    let files: Vec<CheckpointFile> = offer.files.iter().map(file).collect();
    for file in files.iter().filter(|file| file.has_valid_name()) {
        let path = std::path::Path::new(&file.name);
        assert_eq!(path.file_name(), Some(path.as_os_str()), "a name leads nowhere else");
    }
    let incoming = MemCheckpoints::default().receive(&files).map_err(io::Error::other)?;
    take(&mut session, incoming, &offer.files).await
}
