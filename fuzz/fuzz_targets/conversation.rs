//! Clients and a server: see `rookery_fuzz::conversation`.

#![no_main]

rookery_fuzz::target!(conversation);
