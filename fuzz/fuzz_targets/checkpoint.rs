//! Keys and values of checkpoints: see `rookery_fuzz::checkpoint`.

#![no_main]

rookery_fuzz::target!(checkpoint);
