//! The socket to Rookery for one client: sends what it is given, tells what comes.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use proto::put_frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::frames::Cutter;
use crate::input::{ConnId, FromRookery, Input};
use crate::servers::Servers;

/// What is read at once, in bytes.
const CHUNK_BYTES: usize = 16 << 10;

/// Connects, and relays until either side ends. Tells in any case when it is over.
pub(crate) async fn run(
    conn: ConnId,
    servers: Servers,
    payloads: mpsc::UnboundedReceiver<Bytes>,
    to: mpsc::Sender<Input>,
) {
    // How it ended does not matter: that it did, does.
    if let Err(error) = exchange(conn, &servers, payloads, &to).await {
        tracing::debug!("connection {conn} to Rookery: {error}");
    }
    let _ = to.send(Input::Rookery(conn, FromRookery::Closed)).await;
}

async fn exchange(
    conn: ConnId,
    servers: &Servers,
    mut payloads: mpsc::UnboundedReceiver<Bytes>,
    to: &mpsc::Sender<Input>,
) -> std::io::Result<()> {
    let mut stream = servers.connect().await?;
    let (mut from, mut into) = stream.split();
    let mut cutter = Cutter::default();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut out = BytesMut::new();
    // What Rookery does not take yet is not copied: it counts once, where it came from.
    let mut pending: VecDeque<Bytes> = VecDeque::new();
    loop {
        while out.len() < CHUNK_BYTES
            && let Some(payload) = pending.pop_front()
        {
            put_frame(&mut out, |out| out.extend_from_slice(&payload));
        }
        tokio::select! {
            payload = payloads.recv() => {
                let Some(payload) = payload else { return into.shutdown().await };
                pending.push_back(payload);
                while let Ok(payload) = payloads.try_recv() {
                    pending.push_back(payload);
                }
            }
            written = into.write_buf(&mut out), if !out.is_empty() => {
                written?;
            }
            bytes = from.read(&mut chunk) => {
                let bytes = bytes?;
                if bytes == 0 {
                    return Ok(());
                }
                cutter.push(&chunk[..bytes]);
                while let Some(frame) = cutter.next().map_err(std::io::Error::other)? {
                    let _ = to.send(Input::Rookery(conn, FromRookery::Frame(frame))).await;
                }
            }
        }
    }
}
