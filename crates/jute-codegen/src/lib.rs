//! Turns Jute schemas into Rust, for xtask.
