//! Programs of client operations, as text: what the oracle runs against two servers.
//!
//! One step a line: the name of a connection, an operation, its arguments. The steps:
//!
//! ```text
//! # A comment.
//! server enforceQuota=true                 a line of zoo.cfg for this program
//! servers 3                                an ensemble of three instead of one server
//! a connect                                a new session over a new socket
//! b connect timeout=5001 session=a         goes on with a's session
//! c connect server=2                       at the second server
//! a create /p hello flags=3                an operation, and waiting for its reply
//! a + create /q                            only queued …
//! a flush                                  … sent in one segment, all replies awaited
//! a multi [check /p version=0] [delete /p] operations inside an operation
//! a create /p @xid=55 @cut=3 @pad=2        another xid, 3 bytes missing, 2 bytes too many
//! a create /p @length=data:-7              the length in front of an argument is a lie
//! a reconfig null null "{server.1}"        a text with the line of the first server
//! a reconfig null 4 null id=config         the version of the configuration that was seen
//! a reconfig null 4 null id=former-config  … and the one before
//! a frame 0000                             a frame of these bytes
//! a event                                  waits for one event
//! a eof                                    waits until the server closes the socket
//! a drop                                   closes the socket, not the session
//! ```
//!
//! There is no expected result: that is what the real ZooKeeper does. What operations there
//! are, with their arguments and defaults, is the table in [`catalogue`].

pub mod catalogue;
mod parse;
mod print;
mod request;
mod tokens;

pub use parse::ScriptError;
pub use request::{AclEntry, Arg, Known, Request, UNKNOWN, placeholders};

/// A program: what the server needs, then steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Lines of zoo.cfg, as key and value.
    pub settings: Vec<(String, String)>,
    /// How many servers it is for: one, or an ensemble.
    pub servers: usize,
    /// What to do, in order.
    pub steps: Vec<Step>,
}

impl Default for Program {
    fn default() -> Self {
        Self { settings: Vec::new(), servers: 1, steps: Vec::new() }
    }
}

/// One line of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The connection it is about.
    pub connection: String,
    /// What to do.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Opens a socket and shakes hands.
    Connect(Connect),
    /// Sends a request and waits for its reply.
    Request(Request),
    /// Puts a request aside for the next flush.
    Queue(Request),
    /// Sends what was queued and waits for all replies.
    Flush,
    /// Sends a frame of any bytes, and waits for nothing.
    Frame(Vec<u8>),
    /// Waits for an event.
    Event,
    /// Waits until the server closes the socket.
    Eof,
    /// Closes the socket.
    Drop,
}

/// The fields of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Requested timeout, in milliseconds.
    pub timeout_ms: i32,
    /// Goes on with the session of this connection.
    pub session: Option<String>,
    /// Which password to send.
    pub password: Password,
    /// The last zxid seen.
    pub zxid: SeenZxid,
    /// The trailing byte.
    pub read_only: Option<bool>,
    /// The protocol version.
    pub protocol: i32,
    /// Which server, from 1; of a lone server, any number is that one.
    pub server: usize,
}

impl Default for Connect {
    fn default() -> Self {
        Self {
            timeout_ms: 30_000,
            session: None,
            password: Password::Right,
            zxid: SeenZxid::Zero,
            read_only: Some(false),
            protocol: 0,
            server: 1,
        }
    }
}

/// Which password a handshake carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Password {
    /// The session's own; zeros for a new session.
    Right,
    /// Sixteen other bytes.
    Wrong,
    /// Eight bytes.
    Short,
    /// No bytes.
    Empty,
    /// Length -1.
    Null,
}

/// Which zxid a client claims to have seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenZxid {
    /// None.
    Zero,
    /// What this connection has in fact seen.
    Seen,
    /// More than any server has.
    Ahead,
}
