//! Asks the admin server of a running server: one request, one answer, a connection each.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use serde_json::Value;

/// How long it may take to be connected.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// How long an answer may take: handing the lead over takes seconds when it fails.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 8 << 20;

/// Where an admin server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Admin {
    /// Host and port.
    pub(crate) address: String,
    /// The path before the commands, without a slash at its end.
    pub(crate) path: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// Nobody listens there, or the connection broke.
    #[error("{address}: {error}")]
    Io {
        /// Where.
        address: String,
        /// What the system said.
        error: io::Error,
    },
    /// Something else listens there.
    #[error("{address}: its answer is not that of Rookery's admin server: {found}")]
    Other {
        /// Where.
        address: String,
        /// The beginning of what came.
        found: String,
    },
    /// The server said no.
    #[error("{address}: {error}")]
    Refused {
        /// Where.
        address: String,
        /// What it said.
        error: String,
    },
}

impl Admin {
    /// The answer to a command.
    pub(crate) fn ask(
        &self,
        method: &str,
        command: &str,
        authorization: Option<&str>,
    ) -> Result<Value, AskError> {
        let address = &self.address;
        let mut head = format!(
            "{method} {}/{command} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Content-Length: 0\r\n",
            self.path
        );
        if let Some(authorization) = authorization {
            head += &format!("Authorization: {authorization}\r\n");
        }
        head += "\r\n";
        let answer = self
            .exchange(&head)
            .map_err(|error| AskError::Io { address: address.clone(), error })?;
        let answer = String::from_utf8_lossy(&answer);
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
        let value: Option<Value> = body.and_then(|body| serde_json::from_str(body).ok());
        let Some(value) = value.filter(|value| value.get("command").is_some()) else {
            let found = answer.lines().next().unwrap_or_default().to_owned();
            return Err(AskError::Other { address: address.clone(), found });
        };
        match value.get("error").and_then(Value::as_str) {
            Some(error) => {
                Err(AskError::Refused { address: address.clone(), error: error.to_owned() })
            }
            None => Ok(value),
        }
    }

    fn exchange(&self, request: &str) -> io::Result<Vec<u8>> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "no such host");
        for address in self.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_MAX) {
                Ok(mut stream) => {
                    stream.set_read_timeout(Some(ANSWER_MAX))?;
                    stream.write_all(request.as_bytes())?;
                    let mut answer = Vec::new();
                    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
                    return Ok(answer);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}
