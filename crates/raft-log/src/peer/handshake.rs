//! Who is on the other side: the right cluster, the right server, a version both speak.
//!
//! The dialling side says who it is and whom it wants; the other side checks that and says
//! who it is; the dialling side checks that. A server of another cluster, or one whose
//! disk was replaced under the same number, is told so in words.

use std::{io, ops::RangeInclusive, sync::Arc, time::Duration};

use fault_points::{Point, reach_in_task};
use thiserror::Error;
use tokio::time::timeout;

use super::{
    Kind, Lane,
    frame::{FrameReader, FrameWriter},
};
use crate::{
    generated::peer as wire,
    transport::{Connection, Transport},
};

/// What connections begin with.
pub(crate) const MAGIC: &[u8; 8] = b"rookery\n";
/// The versions of the protocol that are spoken. Of those that both sides speak it is the newest.
pub(crate) const VERSIONS: RangeInclusive<i32> = 1..=4;
/// How long the other side may take to say who it is.
const HANDSHAKE_MAX: Duration = Duration::from_secs(3);

/// Who a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// 0 while it belongs to none.
    pub(crate) cluster: u64,
    pub(crate) node: u64,
    pub(crate) incarnation: u64,
    pub(crate) server: i64,
}

/// Whom a dialling side wants to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wanted {
    /// This node, and no other that has its address now.
    Node(u64),
    /// Whoever has this number in `zoo.cfg`.
    Server(i64),
}

/// Why two servers do not talk.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PeerError {
    /// It cannot be reached, or the connection broke.
    #[error("{0}")]
    Unreachable(String),
    /// It belongs to another cluster.
    #[error("it belongs to another cluster: {0}")]
    WrongCluster(String),
    /// It is another server than the one wanted.
    #[error("it is another server: {0}")]
    WrongServer(String),
    /// There is no version of the protocol that both speak.
    #[error("it speaks another version: {0}")]
    WrongVersion(String),
}

impl From<io::Error> for PeerError {
    fn from(error: io::Error) -> Self {
        Self::Unreachable(error.to_string())
    }
}

impl PeerError {
    const CLUSTER: i32 = 1;
    const SERVER: i32 = 2;
    const VERSION: i32 = 3;

    fn from_refusal(reason: i32, text: &str) -> Self {
        let text = text.to_owned();
        match reason {
            Self::CLUSTER => Self::WrongCluster(text),
            Self::SERVER => Self::WrongServer(text),
            Self::VERSION => Self::WrongVersion(text),
            _ => Self::Unreachable(text),
        }
    }

    fn to_refusal(&self) -> (i32, &str) {
        match self {
            Self::Unreachable(text) => (0, text),
            Self::WrongCluster(text) => (Self::CLUSTER, text),
            Self::WrongServer(text) => (Self::SERVER, text),
            Self::WrongVersion(text) => (Self::VERSION, text),
        }
    }
}

/// A connection whose other side is known.
pub(crate) struct Session {
    pub(crate) reader: FrameReader,
    pub(crate) writer: FrameWriter,
    pub(crate) peer: Identity,
    /// The version of the protocol that both speak.
    pub(crate) version: i32,
}

/// Connects to the first of `addresses` that is the one wanted.
pub(crate) async fn dial(
    transport: &Arc<dyn Transport>,
    addresses: &[String],
    own: Identity,
    wanted: Wanted,
    lane: Lane,
) -> Result<Session, PeerError> {
    let mut last = PeerError::Unreachable("it has no address".to_owned());
    for address in addresses {
        let attempt = async {
            let connection = transport.dial(address).await?;
            greet(connection, own, wanted, lane).await
        };
        match timeout(2 * HANDSHAKE_MAX, attempt).await {
            Ok(Ok(session)) => return Ok(session),
            Ok(Err(error)) => last = error,
            Err(_) => last = PeerError::Unreachable("it does not answer".to_owned()),
        }
    }
    Err(last)
}

/// The dialling side.
pub(crate) async fn greet(
    connection: Connection,
    own: Identity,
    wanted: Wanted,
    lane: Lane,
) -> Result<Session, PeerError> {
    let Connection { reader, writer, .. } = connection;
    let (mut reader, mut writer) = (FrameReader::new(reader), FrameWriter(writer));
    let (to_node, to_server) = match wanted {
        Wanted::Node(node) => (node, -1),
        Wanted::Server(server) => (0, server),
    };
    let hello = wire::Hello {
        version_min: *VERSIONS.start(),
        version_max: *VERSIONS.end(),
        cluster: own.cluster.cast_signed(),
        node: own.node.cast_signed(),
        incarnation: own.incarnation.cast_signed(),
        server: own.server,
        to_node: to_node.cast_signed(),
        to_server,
        lane: lane.number(),
    };
    reach_in_task(Point::DialHello).await?;
    writer.write(MAGIC).await?;
    writer.record(Kind::Hello, &hello).await?;
    let answer = async {
        reader.expect(MAGIC).await?;
        reader.next().await
    };
    let answer = timeout(HANDSHAKE_MAX, answer)
        .await
        .map_err(|_| PeerError::Unreachable("it does not answer".to_owned()))??;
    if answer.kind == Kind::Refusal {
        let refusal: wire::Refusal<'_> = answer.record()?;
        return Err(PeerError::from_refusal(refusal.reason, refusal.text));
    }
    let welcome: wire::Welcome = answer.expect(Kind::Welcome)?.record()?;
    let version = welcome.version;
    if !VERSIONS.contains(&version) {
        return Err(PeerError::WrongVersion(format!(
            "server.{} chose version {version} of the peer protocol, which was not offered",
            welcome.server
        )));
    }
    let peer = Identity {
        cluster: welcome.cluster.cast_unsigned(),
        node: welcome.node.cast_unsigned(),
        incarnation: welcome.incarnation.cast_unsigned(),
        server: welcome.server,
    };
    check(own, peer, wanted)?;
    reader.trust();
    Ok(Session { reader, writer, peer, version })
}

/// Whether the other side is the one wanted.
fn check(own: Identity, peer: Identity, wanted: Wanted) -> Result<(), PeerError> {
    check_cluster(own, peer)?;
    let right = match wanted {
        Wanted::Node(node) => peer.node == node,
        Wanted::Server(server) => peer.server == server,
    };
    if right { Ok(()) } else { Err(wrong_server(wanted, peer)) }
}

/// A server that belongs to no cluster yet may talk to any.
fn check_cluster(own: Identity, peer: Identity) -> Result<(), PeerError> {
    if own.cluster == 0 || peer.cluster == 0 || own.cluster == peer.cluster {
        return Ok(());
    }
    Err(PeerError::WrongCluster(format!(
        "server.{} is of cluster {:016x}, server.{} of cluster {:016x}",
        own.server, own.cluster, peer.server, peer.cluster
    )))
}

fn wrong_server(wanted: Wanted, found: Identity) -> PeerError {
    PeerError::WrongServer(match wanted {
        Wanted::Node(node) => format!(
            "node {node:016x} is wanted, but node {:016x} is there, server.{}",
            found.node, found.server
        ),
        Wanted::Server(server) => format!("server.{server} is wanted, not server.{}", found.server),
    })
}

/// The side that was dialled. `own` may change until it is asked for.
pub(crate) async fn welcome(
    connection: Connection,
    own: impl FnOnce() -> Identity,
) -> Result<(Session, Lane), PeerError> {
    let Connection { reader, writer, .. } = connection;
    let (mut reader, mut writer) = (FrameReader::new(reader), FrameWriter(writer));
    let hello = async {
        reader.expect(MAGIC).await?;
        reader.next().await
    };
    let hello = timeout(HANDSHAKE_MAX, hello)
        .await
        .map_err(|_| PeerError::Unreachable("it does not say who it is".to_owned()))??;
    let hello: wire::Hello = hello.expect(Kind::Hello)?.record()?;
    let own = own();
    reach_in_task(Point::DialWelcome).await?;
    writer.write(MAGIC).await?;
    match examine(own, &hello) {
        Ok((peer, lane, version)) => {
            let answer = wire::Welcome {
                version,
                cluster: own.cluster.cast_signed(),
                node: own.node.cast_signed(),
                incarnation: own.incarnation.cast_signed(),
                server: own.server,
            };
            writer.record(Kind::Welcome, &answer).await?;
            reader.trust();
            Ok((Session { reader, writer, peer, version }, lane))
        }
        Err(error) => {
            let (reason, text) = error.to_refusal();
            writer.record(Kind::Refusal, &wire::Refusal { reason, text }).await?;
            Err(error)
        }
    }
}

/// Who dials, what for, and in which version both go on.
fn examine(own: Identity, hello: &wire::Hello) -> Result<(Identity, Lane, i32), PeerError> {
    let version = hello.version_max.min(*VERSIONS.end());
    if version < hello.version_min.max(*VERSIONS.start()) {
        return Err(PeerError::WrongVersion(format!(
            "server.{} speaks versions {} to {} of the peer protocol, server.{} speaks {} to {}",
            hello.server,
            hello.version_min,
            hello.version_max,
            own.server,
            VERSIONS.start(),
            VERSIONS.end()
        )));
    }
    let lane = Lane::from_number(hello.lane)
        .ok_or_else(|| PeerError::WrongVersion(format!("unknown lane {}", hello.lane)))?;
    let peer = Identity {
        cluster: hello.cluster.cast_unsigned(),
        node: hello.node.cast_unsigned(),
        incarnation: hello.incarnation.cast_unsigned(),
        server: hello.server,
    };
    check_cluster(own, peer)?;
    let wanted = match (hello.to_node.cast_unsigned(), hello.to_server) {
        (0, server) => Wanted::Server(server),
        (node, _) => Wanted::Node(node),
    };
    check(peer, own, wanted)?;
    if peer.server == own.server && peer.node != own.node {
        return Err(PeerError::WrongServer(format!(
            "server.{} is the number of the server that was reached, too",
            own.server
        )));
    }
    Ok((peer, lane, version))
}

#[cfg(test)]
mod tests {
    use tokio::io::{duplex, split};

    use super::*;

    const FIRST: Identity = Identity { cluster: 9, node: 100, incarnation: 1, server: 1 };
    const SECOND: Identity = Identity { cluster: 9, node: 200, incarnation: 5, server: 2 };

    /// What both sides make of each other.
    async fn meet(
        dialling: Identity,
        wanted: Wanted,
        dialled: Identity,
    ) -> (Result<Identity, PeerError>, Result<(Identity, Lane), PeerError>) {
        let connection = |stream| {
            let (reader, writer) = split(stream);
            let (reader, writer) = (Box::new(reader), Box::new(writer));
            Connection { reader, writer, peer: "memory".to_owned() }
        };
        let (one, other) = duplex(1024);
        let (greeted, welcomed) = tokio::join!(
            greet(connection(one), dialling, wanted, Lane::Forward),
            welcome(connection(other), || dialled),
        );
        let welcomed = welcomed.map(|(session, lane)| (session.peer, lane));
        (greeted.map(|session| session.peer), welcomed)
    }

    #[tokio::test]
    async fn both_sides_learn_who_the_other_is() {
        for wanted in [Wanted::Node(200), Wanted::Server(2)] {
            let met = meet(FIRST, wanted, SECOND).await;
            assert_eq!(met, (Ok(SECOND), Ok((FIRST, Lane::Forward))));
        }
        let fresh = Identity { cluster: 0, ..FIRST };
        assert_eq!(meet(fresh, Wanted::Server(2), SECOND).await.0, Ok(SECOND), "no cluster yet");
    }

    #[tokio::test]
    async fn another_cluster_is_refused_on_both_sides() {
        let other = Identity { cluster: 8, ..FIRST };
        let (greeted, welcomed) = meet(other, Wanted::Node(200), SECOND).await;
        let (greeted, welcomed) = (greeted.unwrap_err(), welcomed.unwrap_err());
        assert_eq!(greeted, welcomed, "both say the same");
        assert!(matches!(greeted, PeerError::WrongCluster(_)), "{greeted}");
        assert!(greeted.to_string().contains("server.1 of cluster 0000000000000008"), "{greeted}");
    }

    #[tokio::test]
    async fn another_node_under_the_same_number_is_refused() {
        let (greeted, _) = meet(FIRST, Wanted::Node(201), SECOND).await;
        assert!(matches!(greeted, Err(PeerError::WrongServer(_))), "{greeted:?}");
        let (greeted, _) = meet(FIRST, Wanted::Server(3), SECOND).await;
        assert!(matches!(greeted, Err(PeerError::WrongServer(_))), "{greeted:?}");
        let twin = Identity { node: 300, ..SECOND };
        let (greeted, _) = meet(twin, Wanted::Node(200), SECOND).await;
        assert!(matches!(greeted, Err(PeerError::WrongServer(_))), "{greeted:?}");
    }

    fn hello(versions: RangeInclusive<i32>) -> wire::Hello {
        wire::Hello {
            version_min: *versions.start(),
            version_max: *versions.end(),
            cluster: 9,
            node: 100,
            incarnation: 1,
            server: 1,
            to_node: 200,
            to_server: -1,
            lane: Lane::Control.number(),
        }
    }

    #[test]
    fn the_newest_version_that_both_speak_is_chosen() {
        for (theirs, chosen) in [(1..=1, 1), (1..=2, 2), (1..=3, 3), (4..=4, 4), (2..=7, 4)] {
            let examined = examine(SECOND, &hello(theirs.clone()));
            assert_eq!(examined, Ok((FIRST, Lane::Control, chosen)), "{theirs:?}");
        }
    }

    #[test]
    fn another_version_is_refused_by_both_numbers() {
        let error = examine(SECOND, &hello(7..=9)).unwrap_err();
        assert!(matches!(error, PeerError::WrongVersion(_)), "{error}");
        let text = error.to_string();
        assert!(text.contains("7 to 9") && text.contains("speaks 1 to 4"), "{text}");
    }

    /// One who welcomes in a version that was not offered.
    #[tokio::test]
    async fn a_version_that_was_not_offered_is_not_spoken() {
        let (one, other) = duplex(1024);
        let (reader, writer) = split(one);
        let (reader, writer) = (Box::new(reader), Box::new(writer));
        let connection = Connection { reader, writer, peer: "memory".to_owned() };
        let (theirs, writer) = split(other);
        let (mut reader, mut writer) =
            (FrameReader::new(Box::new(theirs)), FrameWriter(Box::new(writer)));
        let odd = async {
            reader.expect(MAGIC).await.unwrap();
            reader.next().await.unwrap();
            writer.write(MAGIC).await.unwrap();
            let welcome =
                wire::Welcome { version: 5, cluster: 9, node: 200, incarnation: 1, server: 2 };
            writer.record(Kind::Welcome, &welcome).await.unwrap();
        };
        let greeting = greet(connection, FIRST, Wanted::Node(200), Lane::Control);
        let (greeted, ()) = tokio::join!(greeting, odd);
        let error = greeted.map(drop).unwrap_err();
        assert!(error.to_string().contains("chose version 5"), "{error}");
    }

    #[tokio::test]
    async fn a_zookeeper_that_dials_is_told_nothing() {
        let (reader, writer) =
            (Box::new(&b"\0\0\0\x2ahello, this is no rookery"[..]), tokio::io::sink());
        let connection = Connection { reader, writer: Box::new(writer), peer: "memory".to_owned() };
        let error = welcome(connection, || SECOND).await.map(drop).unwrap_err();
        assert!(error.to_string().contains("does not speak the protocol"), "{error}");
    }
}
