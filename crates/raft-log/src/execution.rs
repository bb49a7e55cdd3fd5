//! Where work is done: on threads of its own; or, in a simulation, all on one thread in one
//! order, so that a seed gives the same run each time.
//!
//! A simulation calls [`simulate`] on its thread, which must run a single-threaded tokio
//! runtime with a paused clock. Everything that is started there from then on stays there:
//! the raft thread and the log thread become tasks, work for other threads is done by the
//! task that wants it, after some time, and chance comes from the seed. What is started on other
//! threads is not concerned.

use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    future::Future,
    io, thread,
    time::Duration,
};

use openraft::AsyncRuntime;
use openraft_rt_tokio::TokioRuntime;
use rand::{RngExt, SeedableRng, TryRng, rngs::StdRng, seq::SliceRandom};

use crate::standstill;

/// What work on another thread takes at the most in a simulation: as a checkpoint of some
/// megabytes.
const OFF_THREAD_MICROS_MAX: u64 = 30_000;
/// What writing a checkpoint takes at the most in a simulation: as one of a gigabyte.
const WRITING_MICROS_MAX: u64 = 3_000_000;
/// One in so many takes longer than [`OFF_THREAD_MICROS_MAX`].
const LONG_ONE_IN: u64 = 4;

thread_local! {
    static SIMULATED: Cell<bool> = const { Cell::new(false) };
    static CHANCE: RefCell<Option<StdRng>> = const { RefCell::new(None) };
}

/// Makes this thread a simulation's, with chance from `seed`.
pub fn simulate(seed: u64) {
    SIMULATED.set(true);
    CHANCE.set(Some(StdRng::seed_from_u64(seed)));
}

pub(crate) fn is_simulated() -> bool {
    SIMULATED.get()
}

/// Does work that takes long on a thread for it.
///
/// # Errors
/// When it panicked.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    if is_simulated() {
        // Other things happen meanwhile, there as here.
        tokio::time::sleep(Duration::from_micros(below(OFF_THREAD_MICROS_MAX))).await;
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

/// The same for writing a checkpoint, which may take seconds: commands are applied meanwhile.
///
/// # Errors
/// When it panicked.
pub(crate) async fn write_off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    if is_simulated() && below(LONG_ONE_IN) == 0 {
        tokio::time::sleep(Duration::from_micros(below(WRITING_MICROS_MAX))).await;
    }
    off_thread(work).await
}

/// A number below `max`, by the simulation's chance.
fn below(max: u64) -> u64 {
    CHANCE.with_borrow_mut(|chance| chance.as_mut().map_or(0, |chance| chance.random_range(0..max)))
}

/// Brings what happens at the same time into some order.
pub(crate) fn shuffle<T>(simultaneous: &mut [T]) {
    Chance::draw(|chance| simultaneous.shuffle(chance));
}

/// A thread of its own, or the task that stands for it in a simulation.
pub(crate) enum Worker {
    Thread(thread::JoinHandle<()>),
    Task(tokio::task::JoinHandle<()>),
}

impl Worker {
    /// Waits for its end.
    pub(crate) async fn join(self, name: &str) {
        let panicked = match self {
            Self::Thread(thread) => {
                off_thread(move || thread.join().is_err()).await.unwrap_or(true)
            }
            Self::Task(task) => task.await.is_err(),
        };
        if panicked {
            tracing::error!("the {name} thread panicked");
        }
    }
}

/// What openraft runs on: tokio, with chance from here.
#[derive(Debug)]
pub(crate) struct Runtime(TokioRuntime);

impl AsyncRuntime for Runtime {
    type JoinError = <TokioRuntime as AsyncRuntime>::JoinError;
    type JoinHandle<T: Send + 'static> = <TokioRuntime as AsyncRuntime>::JoinHandle<T>;
    type Sleep = <TokioRuntime as AsyncRuntime>::Sleep;
    type Instant = <TokioRuntime as AsyncRuntime>::Instant;
    type TimeoutError = <TokioRuntime as AsyncRuntime>::TimeoutError;
    type Timeout<R, T: Future<Output = R> + Send> = <TokioRuntime as AsyncRuntime>::Timeout<R, T>;
    type ThreadLocalRng = Chance;
    type Mpsc = <TokioRuntime as AsyncRuntime>::Mpsc;
    type Watch = <TokioRuntime as AsyncRuntime>::Watch;
    type Oneshot = <TokioRuntime as AsyncRuntime>::Oneshot;
    type Mutex<T: Send + 'static> = <TokioRuntime as AsyncRuntime>::Mutex<T>;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + Send + 'static,
        T::Output: Send + 'static,
    {
        standstill::spawn(future)
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        TokioRuntime::sleep(duration)
    }

    fn sleep_until(deadline: Self::Instant) -> Self::Sleep {
        TokioRuntime::sleep_until(deadline)
    }

    fn timeout<R, F: Future<Output = R> + Send>(
        duration: Duration,
        future: F,
    ) -> Self::Timeout<R, F> {
        TokioRuntime::timeout(duration, future)
    }

    fn timeout_at<R, F: Future<Output = R> + Send>(
        deadline: Self::Instant,
        future: F,
    ) -> Self::Timeout<R, F> {
        TokioRuntime::timeout_at(deadline, future)
    }

    fn is_panic(join_error: &Self::JoinError) -> bool {
        TokioRuntime::is_panic(join_error)
    }

    fn thread_rng() -> Chance {
        Chance
    }

    fn new(threads: usize) -> Self {
        Self(TokioRuntime::new(threads))
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        self.0.block_on(future)
    }
}

/// This thread's random numbers: a simulation's seed gives them, or the system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chance;

impl Chance {
    fn draw<T>(draw: impl FnOnce(&mut StdRng) -> T) -> T {
        CHANCE.with_borrow_mut(|chance| {
            draw(chance.get_or_insert_with(|| StdRng::seed_from_u64(rand::random())))
        })
    }
}

impl TryRng for Chance {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Self::draw(TryRng::try_next_u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Self::draw(TryRng::try_next_u64)
    }

    fn try_fill_bytes(&mut self, room: &mut [u8]) -> Result<(), Infallible> {
        Self::draw(|chance| chance.try_fill_bytes(room))
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    fn drawn(seed: Option<u64>) -> Vec<u64> {
        let draw = move || {
            if let Some(seed) = seed {
                simulate(seed);
            }
            (0..4).map(|_| Chance.next_u64()).collect()
        };
        thread::spawn(draw).join().unwrap()
    }

    #[test]
    fn a_seed_gives_the_same_numbers_and_none_gives_others() {
        assert_eq!(drawn(Some(7)), drawn(Some(7)));
        assert_ne!(drawn(Some(7)), drawn(Some(8)));
        assert_ne!(drawn(None), drawn(None));
    }
}
