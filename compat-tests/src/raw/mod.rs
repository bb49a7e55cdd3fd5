//! A bare client: frames over a blocking socket, encoded and decoded by hand.
//!
//! It shares no code with the server on purpose: an error in the server's own codec would
//! cancel out. It hides nothing either: any bytes can be sent, and a reply with one byte too
//! many or too few is an error.

mod bytes;
mod connection;
mod handshake;
mod session;

pub use bytes::{Malformed, Reader, Writer};
pub use connection::{Incoming, RawConnection};
pub use handshake::{Handshake, Welcome};
pub use session::{Answer, Greeting, Session, put_create, put_create_flagged};
