//! Every request: see `rookery_fuzz::request`.

#![no_main]

rookery_fuzz::target!(request);
