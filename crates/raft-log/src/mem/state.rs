//! A tree's state to a checkpoint and back, all of it at once: for tests, whose states are small.

use tree::{LoadError, Loader, State};

use crate::{
    checkpoints::{CheckpointError, CheckpointSink, CheckpointSource},
    machine::ReadCheckpoint,
};

/// Freezes what changed since the checkpoint before.
pub fn begin_checkpoint(state: &mut State) -> Box<dyn CheckpointSource> {
    let mut cut = state.begin_cut();
    let mut changes = Vec::new();
    while !state.write_cut(&mut cut, usize::MAX, &mut |key, value| {
        changes.push((key.to_vec(), value.map(<[u8]>::to_vec)));
    }) {}
    state.end_cut(cut, true);
    Box::new(Changes(changes))
}

/// The state that `read` gives; `None` if it gives nothing.
///
/// # Errors
/// What `read` says, or that what it gave is no state.
pub fn restore(read: &mut ReadCheckpoint<'_>) -> Result<Option<State>, CheckpointError> {
    let damaged = |error: LoadError| CheckpointError::Damaged(error.to_string());
    let mut loader = Loader::new();
    let mut any = false;
    read(&mut |key, value| {
        any = true;
        loader.load(key, value).map_err(damaged)
    })?;
    if any { loader.finish().map(Some).map_err(damaged) } else { Ok(None) }
}

struct Changes(Vec<(Vec<u8>, Option<Vec<u8>>)>);

impl CheckpointSource for Changes {
    fn next_chunk(&mut self, sink: &mut CheckpointSink<'_>) -> bool {
        for (key, value) in &self.0 {
            sink(key, value.as_deref());
        }
        false
    }

    fn finish(self: Box<Self>, _: bool) {}
}
