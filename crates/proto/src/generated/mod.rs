//! The records, generated from `jute-schemas/`.

pub(crate) mod data;
pub(crate) mod proto;
