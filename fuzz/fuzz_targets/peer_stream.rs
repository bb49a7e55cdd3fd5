//! Connections between servers: see `rookery_fuzz::peer_stream`.

#![no_main]

rookery_fuzz::target!(peer_stream);
