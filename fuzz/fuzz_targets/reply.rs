//! Every reply: see `rookery_fuzz::reply`.

#![no_main]

rookery_fuzz::target!(reply);
