//! Parts that must not end alone: when they panic, the process ends.
//!
//! A server without its log thread, or with half of a batch applied, would go on answering
//! reads and acknowledge nothing, or worse. Started again, it is as before.

/// Runs `body`; ends the process if it panics.
pub(crate) fn abort_on_panic<T>(body: impl FnOnce() -> T) -> T {
    struct Abort;
    impl Drop for Abort {
        fn drop(&mut self) {
            std::process::abort();
        }
    }
    let guard = Abort;
    let result = body();
    std::mem::forget(guard);
    result
}
