//! What the Rust programs are made of: behaviours, waiting for conditions, orders to the servers.
//!
//! A behaviour is a function that takes an empty path of its own, which does not exist yet, and
//! panics when something is not as it should be. It gets one line of the report.

use std::pin::Pin;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Longer than any wait for something that does happen.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// No behaviour takes as long.
const WITHIN: Duration = Duration::from_secs(90);

/// What the digest scheme makes of the user `alice` with the password `secret`.
pub const ALICE: &str = "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=";

/// A behaviour that runs.
pub type Running = Pin<Box<dyn Future<Output = ()>>>;
/// A name, and how to run it; without, the library does not offer it.
pub type Behaviour = (&'static str, Option<fn(String) -> Running>);

/// `name => function` for what the library offers, a name for what it does not.
#[macro_export]
macro_rules! behaviours {
    ($($name:literal => $function:path,)* unsupported: $($missing:literal,)*) => {
        &[
            $(($name, Some(|root| Box::pin($function(root))),)),*,
            $(($missing, None)),*
        ]
    };
}

/// The address of the lone server.
pub fn lone() -> String {
    std::env::var("COMPAT_CONNECT").unwrap()
}

/// The addresses of the three servers.
pub fn ensemble() -> String {
    std::env::var("COMPAT_ENSEMBLE").unwrap()
}

/// Has the test's owner break connections, kill servers, start them again.
pub async fn order(word: &str) {
    let control = std::env::var("COMPAT_CONTROL").unwrap();
    let mut stream = TcpStream::connect(control).await.unwrap();
    stream.write_all(format!("{word}\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await.unwrap();
    assert_eq!(answer, "ok\n", "{word}");
}

/// What is awaited, or a failure when it takes too long.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(result) => result,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// Waits until a condition holds.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

static PANIC: Mutex<String> = Mutex::new(String::new());

/// Runs all behaviours, or those whose name contains the argument.
pub async fn run(behaviours: &[Behaviour]) {
    std::panic::set_hook(Box::new(|info| {
        *PANIC.lock().unwrap() = info.to_string().replace('\n', " ");
    }));
    let only = std::env::args().nth(1).unwrap_or_default();
    for (name, function) in behaviours {
        if !name.contains(&only) {
            continue;
        }
        let Some(function) = function else {
            println!("{name} unsupported");
            continue;
        };
        let began = Instant::now();
        // A task of its own: its panic ends nothing else.
        let tasks = tokio::task::LocalSet::new();
        let behaviour = tasks.spawn_local(function(format!("/rust-{name}")));
        let outcome = match tokio::time::timeout(WITHIN, tasks.run_until(behaviour)).await {
            Ok(Ok(())) => "works".to_owned(),
            Ok(Err(_)) => format!("fails {}", PANIC.lock().unwrap()),
            Err(_) => "fails hangs".to_owned(),
        };
        println!("({:.1?})\n{name} {outcome}", began.elapsed());
    }
    // Clients that hang must not keep the process alive.
    std::process::exit(0);
}
