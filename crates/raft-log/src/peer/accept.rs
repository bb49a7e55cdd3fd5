//! Takes the connections of other servers, and gives each lane to those who serve it.

use std::{io, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet};

use super::{Kind, Lane, PeerError, Session, appends, link::Calls, welcome};
use crate::{
    checkpoint_transfer,
    ensemble::{Shared, answer, suspect},
    forward, standstill,
    transport::{Connection, Listener},
};

/// Connections of other servers at once: four for each of the largest sensible ensemble.
const CONNECTIONS_MAX: usize = 256;
/// Requests of one server that are worked on at once.
const CALLS_MAX: usize = 64;

/// Takes connections for ever.
pub(crate) async fn run(mut listener: Box<dyn Listener>, shared: Arc<Shared>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut serving = JoinSet::new();
    loop {
        while serving.try_join_next().is_some() {}
        let connection = match listener.accept().await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "a connection of another server could not be taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(room) = Arc::clone(&room).try_acquire_owned() else {
            tracing::warn!(from = connection.peer, "too many connections of other servers");
            continue;
        };
        let shared = Arc::clone(&shared);
        serving.spawn(standstill::inherited(async move {
            serve(connection, &shared).await;
            drop(room);
        }));
    }
}

async fn serve(connection: Connection, shared: &Arc<Shared>) {
    let from = connection.peer.clone();
    let (session, lane) = match welcome(connection, || shared.identity()).await {
        Ok(welcomed) => welcomed,
        Err(PeerError::Unreachable(error)) => {
            tracing::debug!(from, error, "a connection came to nothing");
            return;
        }
        Err(error) => {
            tracing::warn!(from, %error, "a connection is refused");
            return;
        }
    };
    let peer = session.peer;
    shared.note_version(peer.node, session.version);
    let ended = match lane {
        Lane::Control => calls(session, shared).await,
        Lane::Append => appends::serve(session, shared).await,
        Lane::Forward => forward::serve(session, shared).await,
        Lane::Checkpoint => match checkpoint_transfer::receive(session, shared).await {
            Ok(()) => return,
            Err(error) => error,
        },
    };
    tracing::debug!(server = peer.server, ?lane, error = %ended, "a connection ended");
    if lane == Lane::Append {
        suspect(shared, peer).await;
    }
}

/// Answers requests until the connection ends.
async fn calls(session: Session, shared: &Arc<Shared>) -> io::Error {
    let Session { reader, writer, peer, .. } = session;
    let mut calls = Calls::new(reader, writer);
    let room = Arc::new(Semaphore::new(CALLS_MAX));
    loop {
        let (frame, answerer) = match calls.next().await {
            Ok(call) => call,
            Err(error) => return error,
        };
        if matches!(frame.kind, Kind::SessionsHeard | Kind::Digests | Kind::StateDiffers) {
            // Without a task of its own: these come often, and take no time.
            if let Err(error) = answer(shared, peer, &frame).await {
                return error;
            }
            continue;
        }
        let Ok(room) = Arc::clone(&room).acquire_owned().await else {
            return io::ErrorKind::NotConnected.into();
        };
        let shared = Arc::clone(shared);
        standstill::spawn(async move {
            match answer(&shared, peer, &frame).await {
                Ok(Some(reply)) => answerer.answer(reply).await,
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "a request could not be answered"),
            }
            drop(room);
        });
    }
}
