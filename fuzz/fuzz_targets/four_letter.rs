//! Four-letter words: see `rookery_fuzz::four_letter`.

#![no_main]

rookery_fuzz::target!(four_letter);
