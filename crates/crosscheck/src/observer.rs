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

use crate::client::{Auth, Client, ClientError};
use crate::input::{Input, Observed};
use crate::servers::Servers;

/// A watch on a znode and all below it.
const PERSISTENT_RECURSIVE: i32 = 1;
/// How soon `ZooKeeper` is asked again when it is behind what it has told another client.
const ASK_AGAIN: Duration = Duration::from_millis(3);
/// How often the session is kept alive.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
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
    /// Sets the watch; `None` when this `ZooKeeper` cannot.
    pub(crate) async fn start(
        servers: &Servers,
        auth: Option<&Auth>,
    ) -> Result<Option<Self>, ClientError> {
        let mut client = Client::open(servers, auth).await?;
        let request = AddWatchRequest { path: Some("/"), mode: PERSISTENT_RECURSIVE };
        let answer = match client.ask(&Request::AddWatch(request)).await {
            Ok(answer) => answer,
            // Servers before 3.6 close the connection.
            Err(ClientError::Io(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
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
        let mut watching = first;
        loop {
            let Some(current) = watching.take() else {
                return self.tell(Observed::Blind).await;
            };
            self.tell(Observed::UpTo(current.since)).await;
            if let Err(error) = self.observe(current.client).await {
                tracing::warn!("the observer of ZooKeeper: {error}");
            }
            if self.to.is_closed() {
                return;
            }
            loop {
                match Watching::start(&self.servers, self.auth.as_ref()).await {
                    Ok(again) => {
                        watching = again;
                        break;
                    }
                    Err(error) => tracing::debug!("the observer of ZooKeeper: {error}"),
                }
                if self.to.is_closed() {
                    return;
                }
                tokio::time::sleep(RECONNECT).await;
            }
            self.tell(Observed::Gap).await;
        }
    }

    async fn observe(&mut self, mut client: Client) -> Result<(), ClientError> {
        let mut keep_alive = interval(KEEP_ALIVE);
        let mut told = 0;
        let mut is_asking = false;
        let mut again: Option<Instant> = None;
        loop {
            tokio::select! {
                answer = client.next() => {
                    let answer = answer?;
                    if answer.header.xid == xid::EVENT {
                        let event = WatcherEvent::from_bytes(&answer.body)?;
                        let (zxid, kind) = (answer.header.zxid, event.kind);
                        self.tell(Observed::Change { zxid, kind, path: event.path.to_owned() }).await;
                    } else {
                        is_asking = false;
                        told = answer.header.zxid;
                        self.tell(Observed::UpTo(told)).await;
                        let is_behind = told < *self.wanted.borrow();
                        again = is_behind.then(|| Instant::now() + ASK_AGAIN);
                    }
                }
                changed = self.wanted.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    if !is_asking && told < *self.wanted.borrow_and_update() {
                        is_asking = true;
                        again = None;
                        client.ping().await?;
                    }
                }
                () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {
                    is_asking = true;
                    again = None;
                    client.ping().await?;
                }
                _ = keep_alive.tick(), if !is_asking => {
                    is_asking = true;
                    client.ping().await?;
                }
            }
        }
    }

    async fn tell(&self, observed: Observed) {
        // Nobody listens any more: the program ends.
        let _ = self.to.send(Input::Observed(observed)).await;
    }
}
