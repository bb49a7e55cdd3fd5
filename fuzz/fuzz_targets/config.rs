//! zoo.cfg: see `rookery_fuzz::config`.

#![no_main]

rookery_fuzz::target!(config);
