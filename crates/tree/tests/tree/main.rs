//! The state machine from outside: everything goes through its public interface.

mod checkpoint;
mod generate;
mod model;
mod oracle;
mod parts;
mod properties;
mod robust;
mod script;
mod transcripts;
