//! Sees every change on `ZooKeeper`, by whomever, with its zxid: one recursive watch at the root.
//!
//! That is how the proxy knows what it was not asked to do: sessions that expire, containers
//! that are reaped, clients that write past it. ZooKeeper 3.9 puts the zxid of the change in the
//! header of an event, and sends all events up to a zxid before a reply that carries it: so a
//! ping that is answered with a zxid says that all changes up to there have been seen.
//!
//! Changes of ACLs make no event, and what the observer may not read it is not told.

use std::time::Duration;

use proto::{AddWatchRequest, Record, Request, WatcherEvent, xid};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval, sleep_until};

use crate::client::{ANSWER_MAX, Auth, Client, ClientError, SILENCE_MAX};
use crate::input::{Input, Observed};
use crate::servers::Servers;

/// A watch on a znode and all below it.
const PERSISTENT_RECURSIVE: i32 = 1;
/// How soon `ZooKeeper` is asked again when it is behind what it has told another client.
const ASK_AGAIN: Duration = Duration::from_millis(3);
/// How often a watch is tried to be set before this `ZooKeeper` is thought to have none.
const TRIES: usize = 3;
/// Before the next attempt to connect.
const RECONNECT: Duration = Duration::from_millis(200);

/// The observer.
#[derive(Debug)]
pub(crate) struct Observer {
    servers: Servers,
    auth: Option<Auth>,
    to: mpsc::Sender<Input>,
    wanted: watch::Receiver<i64>,
}

/// An observer whose watch is set.
#[derive(Debug)]
pub(crate) struct Watching {
    client: Client,
    /// The zxid from which on changes are seen.
    pub(crate) since: i64,
}

impl Watching {
    /// Sets the watch for the first time; `None` when this `ZooKeeper` cannot.
    pub(crate) async fn first(
        servers: &Servers,
        auth: Option<&Auth>,
    ) -> Result<Option<Self>, ClientError> {
        for _ in 0..TRIES {
            let client = Client::open(servers, auth).await?;
            match Self::set(client).await {
                // Servers before 3.6 close the connection, and so does one that stops.
                Err(ClientError::Io(_)) => {}
                result => return result,
            }
        }
        Ok(None)
    }

    /// Sets it once more on a `ZooKeeper` that can.
    async fn again(servers: &Servers, auth: Option<&Auth>) -> Result<Self, ClientError> {
        let client = Client::open(servers, auth).await?;
        Self::set(client).await?.ok_or(ClientError::NoWatch)
    }

    async fn set(mut client: Client) -> Result<Option<Self>, ClientError> {
        let request = AddWatchRequest { path: Some("/"), mode: PERSISTENT_RECURSIVE };
        let answer = client.ask(&Request::AddWatch(request)).await?;
        let since = answer.header.zxid;
        Ok((answer.header.err == 0).then_some(Self { client, since }))
    }
}

impl Observer {
    /// Tells `to` what it sees, and up to where whenever `wanted` rises.
    pub(crate) const fn new(
        servers: Servers,
        auth: Option<Auth>,
        to: mpsc::Sender<Input>,
        wanted: watch::Receiver<i64>,
    ) -> Self {
        Self { servers, auth, to, wanted }
    }

    /// Observes until nobody listens. Connects again whenever that is needed.
    pub(crate) async fn run(mut self, first: Option<Watching>) {
        let Some(mut watching) = first else {
            return self.tell(Observed::Blind).await;
        };
        loop {
            self.tell(Observed::UpTo(watching.since)).await;
            if let Err(error) = self.observe(watching.client).await {
                tracing::warn!("the observer of ZooKeeper: {error}");
            }
            loop {
                if self.to.is_closed() {
                    return;
                }
                match Watching::again(&self.servers, self.auth.as_ref()).await {
                    Ok(again) => {
                        watching = again;
                        break;
                    }
                    Err(error) => tracing::debug!("the observer of ZooKeeper: {error}"),
                }
                tokio::time::sleep(RECONNECT).await;
            }
            self.tell(Observed::Gap).await;
        }
    }

    async fn observe(&mut self, mut client: Client) -> Result<(), ClientError> {
        let mut keep_alive = interval(SILENCE_MAX);
        let mut told = 0;
        // When a ping was sent that is not answered; events that came since count as answers.
        let mut asked: Option<Instant> = None;
        let mut again: Option<Instant> = None;
        loop {
            let silent_at = asked.map(|asked| asked + ANSWER_MAX);
            tokio::select! {
                answer = client.next() => {
                    let answer = answer?;
                    if answer.header.xid == xid::EVENT {
                        let event = WatcherEvent::from_bytes(&answer.body)?;
                        let (zxid, kind) = (answer.header.zxid, event.kind);
                        self.tell(Observed::Change { zxid, kind, path: event.path.to_owned() }).await;
                        asked = asked.map(|_| Instant::now());
                    } else {
                        asked = None;
                        told = answer.header.zxid;
                        self.tell(Observed::UpTo(told)).await;
                        let is_behind = told < *self.wanted.borrow();
                        again = is_behind.then(|| Instant::now() + ASK_AGAIN);
                    }
                    continue;
                }
                changed = self.wanted.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    if asked.is_some() || told >= *self.wanted.borrow_and_update() {
                        continue;
                    }
                }
                () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {}
                _ = keep_alive.tick(), if asked.is_none() => {}
                () = sleep_until(silent_at.unwrap_or_else(Instant::now)), if asked.is_some() => {
                    return Err(ClientError::Silent);
                }
            }
            asked = Some(Instant::now());
            again = None;
            client.ping().await?;
        }
    }

    async fn tell(&self, observed: Observed) {
        // Nobody listens any more: the program ends.
        let _ = self.to.send(Input::Observed(observed)).await;
    }
}
