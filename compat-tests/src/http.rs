//! The least of HTTP: one request on a connection of its own.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const WITHIN: Duration = Duration::from_secs(15);

/// The status and the body of what a server of this machine answers.
///
/// `headers` are whole lines, each with its end.
///
/// # Errors
/// When nobody listens, or the answer is not HTTP.
pub fn ask(method: &str, port: u16, path: &str, headers: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(WITHIN))?;
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let parsed = answer.split_once("\r\n\r\n").and_then(|(head, body)| {
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    });
    parsed.ok_or_else(|| io::Error::other(format!("not HTTP: {answer}")))
}

/// The same for a `GET` without headers of its own.
///
/// # Errors
/// As [`ask`].
pub fn get(port: u16, path: &str) -> io::Result<(u16, String)> {
    ask("GET", port, path, "")
}
