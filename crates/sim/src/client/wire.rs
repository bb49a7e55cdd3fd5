//! A client's connection as frames.

use std::{io, time::Duration};

use bytes::{Buf, BytesMut};
use proto::{first_frame, put_frame};
use raft_log::transport::Connection;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

/// Longer frames than any answer here.
const FRAME_MAX: usize = 1 << 20;

/// A connection to a server.
pub(super) struct Wire {
    connection: Connection,
    input: BytesMut,
    out: BytesMut,
}

impl Wire {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, input: BytesMut::new(), out: BytesMut::new() }
    }

    /// Puts a frame behind those that wait for [`Self::flush`].
    pub(super) fn put(&mut self, payload: impl FnOnce(&mut BytesMut)) {
        put_frame(&mut self.out, payload);
    }

    pub(super) async fn flush(&mut self) -> io::Result<()> {
        self.connection.writer.write_all(&self.out.split()).await
    }

    /// The next frame; none when none came for so long.
    ///
    /// # Errors
    /// When the server has closed the connection, or is gone.
    pub(super) async fn next(&mut self, patience: Duration) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(frame) = first_frame(&self.input, FRAME_MAX).map_err(io::Error::other)? {
                let frame = frame.to_vec();
                self.input.advance(4 + frame.len());
                return Ok(Some(frame));
            }
            match timeout(patience, self.connection.reader.read_buf(&mut self.input)).await {
                Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => drop(read?),
                Err(_) => return Ok(None),
            }
        }
    }
}
