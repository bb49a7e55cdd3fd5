//! The log's records, generated from `jute-schemas/`.

#[expect(unreachable_pub, reason = "generated records are public wherever they are used")]
pub(crate) mod command;
