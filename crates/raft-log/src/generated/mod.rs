//! The records of the log and of the peer protocol, generated from `jute-schemas/`.

#[expect(unreachable_pub, reason = "generated records are public wherever they are used")]
pub(crate) mod command;
#[expect(unreachable_pub, reason = "generated records are public wherever they are used")]
pub(crate) mod peer;
