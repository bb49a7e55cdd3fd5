//! Turns writes away before the disk is full.

use std::{sync::Arc, time::Duration};

use store::DataDir;
use tokio::sync::watch;

use crate::service::Service;

/// How often the free space is looked at.
const EVERY: Duration = Duration::from_millis(100);
/// With less than this free, in bytes, what grows the state is refused: room for the log
/// thread's groups and a checkpoint of what is in memory only.
const LOW_BYTES: u64 = 64 << 20;
/// Writes are taken again above this.
const ENOUGH_BYTES: u64 = 96 << 20;

/// Watches the free space until told to stop.
pub(crate) async fn run(service: Arc<Service>, dir: Arc<DataDir>, mut stop: watch::Receiver<bool>) {
    loop {
        match dir.free_bytes() {
            Ok(free_bytes) => note(&service, free_bytes),
            Err(error) => tracing::warn!(%error, "the free disk space cannot be read"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

fn note(service: &Service, free_bytes: u64) {
    let full = service.proposer.is_disk_full();
    if !full && free_bytes < LOW_BYTES {
        let directory = service.config.data_dir.display();
        tracing::error!(free_bytes, %directory, "the disk is almost full: writes are refused");
        service.proposer.set_disk_full(true);
    } else if full && free_bytes > ENOUGH_BYTES {
        tracing::info!(free_bytes, "there is disk space again: writes are taken");
        service.proposer.set_disk_full(false);
    }
}
