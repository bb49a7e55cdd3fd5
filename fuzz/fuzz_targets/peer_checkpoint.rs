//! Checkpoints between servers: see `rookery_fuzz::peer_checkpoint`.

#![no_main]

rookery_fuzz::target!(peer_checkpoint);
