//! Log entries: see `rookery_fuzz::log_entry`.

#![no_main]

rookery_fuzz::target!(log_entry);
