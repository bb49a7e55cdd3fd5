//! Syncs: what they promise holds once this server has applied all that the leader had
//! decided when they were asked.

use std::{mem, sync::Arc, time::Duration};

use parking_lot::Mutex;
use session::{Delivery, Reader};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};

use super::Ensemble;
use crate::{link::Link, service::Service};

/// Between two attempts when there is no leader.
const PAUSE: Duration = Duration::from_millis(20);

/// The syncs of this server that wait. Each connection's own limit bounds them.
#[derive(Debug, Default)]
pub(crate) struct Barriers {
    waiting: Mutex<Vec<(Arc<Link>, u64)>>,
    work: Notify,
}

impl Barriers {
    /// Asks for a barrier: the lane of `link` is told by that number when it is passed.
    pub(crate) fn ask(&self, link: &Arc<Link>, number: u64) {
        self.waiting.lock().push((Arc::clone(link), number));
        self.work.notify_one();
    }

    /// How many wait for the next round.
    pub(super) fn count(&self) -> usize {
        self.waiting.lock().len()
    }

    fn take(&self) -> Vec<(Arc<Link>, u64)> {
        mem::take(&mut *self.waiting.lock())
    }
}

/// Passes barriers, all that wait in one round, until told to stop.
pub(crate) async fn run(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let Some(ensemble) = &service.ensemble else { return };
    loop {
        tokio::select! {
            () = ensemble.barriers.work.notified() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let waiting = ensemble.barriers.take();
        tokio::select! {
            () = reach(ensemble) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        for (link, number) in waiting {
            pass(&service, &link, number);
        }
    }
}

/// Returns when this server has caught up; waits for a leader if there is none. Clients do
/// not wait for ever: without a leader they are dropped.
async fn reach(ensemble: &Ensemble) {
    while !ensemble.catch_up().await {
        sleep(PAUSE).await;
    }
}

fn pass(service: &Service, link: &Arc<Link>, number: u64) {
    let core = &service.core;
    let state = core.read();
    let mut watches = core.watches();
    let mut reader = Reader {
        state: &state,
        watches: &mut *watches,
        watcher: link.watcher(),
        flags: core.flags(),
    };
    let delivery = link.lane.lock().pass_barriers(number, &mut reader);
    match delivery {
        // The task may wait to take a write that came behind the sync.
        Delivery::Ring | Delivery::Quiet => link.bell.notify_one(),
        Delivery::Drop => link.drop_silently(),
    }
}
