//! Messages between servers: see `rookery_fuzz::peer_message`.

#![no_main]

rookery_fuzz::target!(peer_message);
