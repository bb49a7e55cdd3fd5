//! Reconfigs: see `rookery_fuzz::reconfig`.

#![no_main]

rookery_fuzz::target!(reconfig);
