//! The handshake of clients: see `rookery_fuzz::connect`.

#![no_main]

rookery_fuzz::target!(connect);
