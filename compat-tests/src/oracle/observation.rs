//! What a program saw, taken apart into named values that know how they may be compared.

/// One thing that came from the server, or that did not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Index of the step during which it came.
    pub step: usize,
    /// On which connection.
    pub connection: String,
    /// What it is.
    pub event: Event,
    /// Its parts, by name.
    pub values: Vec<(String, Value)>,
}

/// The kinds of things that a server can do to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The answer to a handshake.
    Welcome,
    /// The reply to the request that is printed here.
    Reply(String),
    /// The reply, with an error code, to the request that is printed here.
    Refusal(String, i32),
    /// A watch fired.
    Watch,
    /// The socket was closed.
    Closed,
    /// Nothing came, though something was awaited.
    Silence,
    /// Something came that the protocol does not know, in hex.
    Nonsense(String),
}

/// A part of an observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number that must be equal.
    Number(i64),
    /// A text that must be equal.
    Text(Option<String>),
    /// Bytes that must be equal.
    Bytes(Option<Vec<u8>>),
    /// The zxid of a change: the same change on both servers, whatever its number.
    Zxid(i64),
    /// A zxid that says how far the server is: between those of the changes around it.
    Progress(i64),
    /// A time: the same wherever the same server shows the change with this zxid.
    Time {
        /// The change.
        zxid: i64,
        /// When, in milliseconds since 1970.
        millis: i64,
    },
    /// A session id: the same session on both servers, whatever its number.
    Session(i64),
    /// A password: 16 bytes, zeros or not.
    Password(Option<Vec<u8>>),
    /// Texts whose order means something.
    List(Option<Vec<String>>),
    /// Texts whose order means nothing, sorted.
    Set(Option<Vec<String>>),
}

impl Observation {
    /// The zxid in its header, if it has one.
    pub fn zxid(&self) -> Option<i64> {
        let (_, value) = self.values.iter().find(|(name, _)| name == "zxid")?;
        if let Value::Zxid(zxid) | Value::Progress(zxid) = value { Some(*zxid) } else { None }
    }
}
