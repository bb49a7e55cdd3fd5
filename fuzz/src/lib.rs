//! Coverage-guided targets for every parser that a stranger reaches.
//!
//! A target is a module with two functions: `check` takes any bytes at all and panics when
//! something is wrong with what was made of them, and `seeds` gives bytes to begin with. Its
//! program in `fuzz_targets/` is one line. `cargo xtask fuzz` builds and runs them all;
//! `docs/correctness.md` says what each checks.
//!
//! Beside a panic, these are findings: more than five seconds for one input, and more memory
//! than [`BYTES_MAX`] at once, since a stranger must not decide how much of it is taken.

pub mod checkpoint;
pub mod config;
pub mod connect;
pub mod conversation;
pub mod four_letter;
pub mod frame;
pub mod input;
pub mod log_entry;
pub mod peer_checkpoint;
pub mod peer_message;
pub mod peer_stream;
pub mod reconfig;
pub mod reply;
pub mod request;

mod recordings;
mod states;

use std::{alloc::System, cell::RefCell, env, fs, future::Future, path::Path, process};

use cap::Cap;

/// Most memory that one input may make a target take, in bytes, beside [`BYTES_PER_BYTE`].
pub const BYTES_MAX: usize = 48 << 20;
/// And for each of its own bytes: what is decoded is larger than what was sent.
pub const BYTES_PER_BYTE: usize = 256;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// The name of a seed, and its bytes.
pub type Seed = (String, Vec<u8>);

/// Defines the program of the target in the module of that name.
#[macro_export]
macro_rules! target {
    ($target:ident) => {
        libfuzzer_sys::fuzz_target!(
            init: $crate::begin(stringify!($target), $crate::$target::seeds),
            |input: &[u8]| $crate::run(input, $crate::$target::check)
        );
    };
}

/// Writes the seeds and ends the process, if the environment says where to.
#[expect(clippy::print_stderr, reason = "a program's own message")]
pub fn begin(target: &str, seeds: fn() -> Vec<Seed>) {
    let Some(folder) = env::var_os("ROOKERY_FUZZ_SEEDS") else { return };
    let folder = Path::new(&folder).join(target);
    let written = fs::create_dir_all(&folder).and_then(|()| {
        seeds().iter().try_for_each(|(name, bytes)| fs::write(folder.join(name), bytes))
    });
    if let Err(error) = &written {
        eprintln!("{}: {error}", folder.display());
    }
    process::exit(i32::from(written.is_err()));
}

/// Checks one input, with a limit on the memory that it may take.
///
/// # Panics
/// When something is wrong; the process is aborted when it takes too much.
pub fn run(input: &[u8], check: fn(&[u8])) {
    let limit = ALLOCATOR.allocated() + BYTES_MAX + BYTES_PER_BYTE * input.len();
    ALLOCATOR.set_limit(limit).expect("it is above what is taken");
    check(input);
    ALLOCATOR.set_limit(usize::MAX).expect("there is no higher one");
}

/// Seeds with names of their own.
fn named(seeds: Vec<(&'static str, Vec<u8>)>) -> Vec<Seed> {
    seeds.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}

/// Runs what waits for nothing but its input, on a runtime whose clock stands still.
fn runtime(work: impl Future<Output = ()>) {
    thread_local! {
        static RUNTIME: RefCell<tokio::runtime::Runtime> = RefCell::new(
            tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .expect("a runtime without IO needs nothing of the system"),
        );
    }
    RUNTIME.with_borrow(|runtime| runtime.block_on(work));
}
