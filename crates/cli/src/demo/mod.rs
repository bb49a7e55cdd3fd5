//! `rookery demo`: a minute with a real server, for people who have just built it.
//!
//! Starts a server of its own on a free port with a temporary data directory, works it as
//! a client, kills it with SIGKILL, starts it again and looks whether everything is there.

mod client;

use std::{
    env, fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use client::{Client, ClientError};

/// How long a server may take to start.
const START_MAX: Duration = Duration::from_secs(30);

/// Runs the demonstration.
pub(crate) fn run() -> ExitCode {
    match show() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("the demonstration failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn show() -> Result<(), ClientError> {
    let address = free_address()?;
    let folder = Folder(env::temp_dir().join(format!("rookery-demo-{}", std::process::id())));
    fs::create_dir_all(&folder.0)?;
    let server = Server::start(address, &folder.0)?;
    say(&format!("a server on {address}, with its data in {}", folder.0.display()));

    let mut client = connect(address, None)?;
    say(&format!("connected: session {:#x}", client.session()));
    client.create("/hello", b"world", false)?;
    say("created /hello");
    let value = client.get_and_watch("/hello")?;
    say(&format!("read /hello: {:?}, and set a watch", String::from_utf8_lossy(&value)));
    let version = client.set("/hello", b"penguins")?;
    say(&format!("set /hello, now at version {version}"));
    say(&format!("event: {}", client.event().ok_or(ClientError::NoEvent)?));
    client.create("/here", b"", true)?;
    say("created the ephemeral /here, which lives as long as this session");

    drop(server);
    say("killed the server (SIGKILL)");
    let resume = client.resume();
    let _server = Server::start(address, &folder.0)?;
    let mut client = connect(address, Some(&resume))?;
    say(&format!("started it again; back in session {:#x}", client.session()));
    let value = client.get_and_watch("/hello")?;
    client.get_and_watch("/here")?;
    say(&format!("/hello is still {:?}, and /here is there", String::from_utf8_lossy(&value)));
    client.close()?;
    let mut client = connect(address, None)?;
    if !client.is_missing("/here")? {
        return Err(ClientError::Unexpected("the ephemeral outlived its session".to_owned()));
    }
    say("closed the session: /here went with it");
    client.close()
}

/// A server in a process of its own, killed when dropped.
struct Server(Child);

impl Server {
    fn start(address: SocketAddr, data_dir: &Path) -> io::Result<Self> {
        let child = Command::new(env::current_exe()?)
            .arg("serve")
            .args(["--log", "warn", "--client-address", &address.ip().to_string()])
            .args(["--client-port", &address.port().to_string(), "--data-dir"])
            .arg(data_dir)
            .stdin(Stdio::null())
            .spawn()?;
        Ok(Self(child))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about either.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder that is removed when dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Connects as soon as the server serves.
fn connect(address: SocketAddr, resume: Option<&client::Resume>) -> Result<Client, ClientError> {
    let deadline = Instant::now() + START_MAX;
    loop {
        match Client::connect(address, resume) {
            Ok(client) => return Ok(client),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

#[expect(clippy::print_stdout, reason = "showing is what this command is for")]
fn say(line: &str) {
    println!("{line}");
}
