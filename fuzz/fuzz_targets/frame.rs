//! Client bytes cut into frames: see `rookery_fuzz::frame`.

#![no_main]

rookery_fuzz::target!(frame);
