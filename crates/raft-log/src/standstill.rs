//! Tasks that stand still together, as those of a stopped process do, in a simulation.
//!
//! What they wait for happens all the same: timers run out, bytes arrive and lie there. They
//! notice when they go on, all at once. Outside of simulations nothing here does anything.

use std::{
    cell::RefCell,
    fmt,
    future::{Future, poll_fn},
    mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::execution::{is_simulated, shuffle};

thread_local! {
    /// Of the task that is at work.
    static PRESENT: RefCell<Option<Standstill>> = const { RefCell::new(None) };
}

/// What stops the tasks of one simulated server, and lets them go on. Cheap to clone.
#[derive(Clone, Default)]
pub struct Standstill(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    stands: bool,
    /// Those that would have gone on meanwhile.
    late: Vec<Waker>,
}

impl fmt::Debug for Standstill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standstill").field("stands", &self.0.lock().stands).finish()
    }
}

impl Standstill {
    /// From now on none of the tasks does anything.
    pub fn begin(&self) {
        self.0.lock().stands = true;
    }

    /// They go on, in any order.
    pub fn end(&self) {
        let mut late = {
            let mut inner = self.0.lock();
            inner.stands = false;
            mem::take(&mut inner.late)
        };
        shuffle(&mut late);
        late.into_iter().for_each(Waker::wake);
    }

    /// Does work that stands still with the others, and so does all that it spawns.
    pub async fn with<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| self.poll(work.as_mut(), context)).await
    }

    fn poll<T>(
        &self,
        work: Pin<&mut impl Future<Output = T>>,
        context: &mut Context<'_>,
    ) -> Poll<T> {
        {
            let mut inner = self.0.lock();
            if inner.stands {
                inner.late.push(context.waker().clone());
                return Poll::Pending;
            }
        }
        let before = PRESENT.replace(Some(self.clone()));
        let polled = work.poll(context);
        PRESENT.set(before);
        polled
    }
}

/// Work for a task, which stands still with the one that calls this.
pub(crate) fn inherited<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let present = PRESENT.with_borrow(Clone::clone);
    async move {
        match present {
            Some(present) => present.with(work).await,
            None => work.await,
        }
    }
}

/// Spawns a task, which stands still with the one that spawns it.
pub(crate) fn spawn<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    if is_simulated() { tokio::spawn(inherited(work)) } else { tokio::spawn(work) }
}

#[cfg(test)]
mod tests {
    use tokio::{
        sync::{mpsc, oneshot},
        task::yield_now,
    };

    use super::*;

    /// As often as all that can go on needs to.
    async fn let_go_on() {
        for _ in 0..10 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_is_spawned_stands_still_too_and_then_finds_what_came() {
        crate::simulate(1);
        let still = Standstill::default();
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let (answers, mut answered) = mpsc::unbounded_channel();
        let echo = async move {
            while let Some(number) = receiver.recv().await {
                answers.send(number).unwrap();
            }
        };
        let (spawned, task) = oneshot::channel();
        still.with(async { spawned.send(spawn(echo)).unwrap() }).await;
        let outside = spawn(async { 7 });
        sender.send(1).unwrap();
        let_go_on().await;
        assert_eq!(answered.try_recv(), Ok(1));
        still.begin();
        sender.send(2).unwrap();
        let_go_on().await;
        assert!(answered.try_recv().is_err());
        assert_eq!(outside.await.unwrap(), 7, "it is no task of that server");
        still.end();
        let_go_on().await;
        assert_eq!(answered.try_recv(), Ok(2));
        drop(sender);
        task.await.unwrap().await.unwrap();
    }
}
