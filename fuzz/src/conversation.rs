//! What several clients send to one server, and everything that comes of it: requests through
//! the lanes of their connections, commands through the log's encoding into two states, events
//! and replies back, checkpoints in between.
//!
//! The input is a list of steps; see [`Step`]. What must hold:
//!
//! * nothing panics, whatever is sent;
//! * every request is answered, in order, with what a client can decode; zxids never go back;
//! * two states that are fed the same log are the same, outcome for outcome;
//! * the checkpoints that were made on the way hold the last state, whose digest is recomputed
//!   from what was stored.

mod client;
mod server;

use bytes::BytesMut;

use crate::{
    Seed,
    input::{Input, put_bytes},
    recordings::recordings,
};
use server::Server;

/// Connections at once.
const CLIENTS: usize = 3;

/// One thing that happens. Its number is the first byte, the client's is in the upper bits.
enum Step<'i> {
    /// A client sends a frame: by far the most.
    Frame(&'i [u8]),
    /// What waits for a client is sent.
    Collect,
    /// A client comes back on a new connection, with the session that it has; or with that of
    /// the next one, if the byte is odd.
    Reconnect(u8),
    /// The log gives back the oldest commands.
    Apply(u8),
    /// The syncs that wait have caught up.
    PassBarriers,
    /// A session falls silent.
    Expire,
    /// Containers and what outlived its time are taken away.
    Reap,
    /// A checkpoint.
    Checkpoint,
    /// Another leader.
    NextTerm,
    /// Other members.
    Members(&'i [u8]),
}

impl<'i> Step<'i> {
    fn take(input: &mut Input<'i>) -> (usize, Self) {
        let byte = input.byte();
        let client = usize::from(byte >> 4) % CLIENTS;
        let step = match byte & 0xf {
            7 => Self::Collect,
            8 => Self::Reconnect(input.byte()),
            9 => Self::Apply(input.byte()),
            10 => Self::PassBarriers,
            11 => Self::Expire,
            12 => Self::Reap,
            13 => Self::Checkpoint,
            14 => Self::NextTerm,
            15 => Self::Members(input.bytes()),
            _ => Self::Frame(input.bytes()),
        };
        (client, step)
    }
}

/// Lets it all happen.
///
/// # Panics
/// When something of what must hold does not.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let mut server = Server::new(CLIENTS);
    while !input.is_empty() {
        let (client, step) = Step::take(&mut input);
        match step {
            Step::Frame(frame) => server.frame(client, frame),
            Step::Collect => server.collect(client),
            Step::Reconnect(whose) => {
                server.reconnect(client, (client + usize::from(whose & 1)) % CLIENTS);
            }
            Step::Apply(count) => server.apply(usize::from(count) + 1),
            Step::PassBarriers => server.pass_barriers(),
            Step::Expire => server.expire(client),
            Step::Reap => server.reap(),
            Step::Checkpoint => server.checkpoint(),
            Step::NextTerm => server.next_term(),
            Step::Members(text) => server.members(text),
        }
    }
    server.end();
}

/// Everything that Apache's client was recorded to send: in one conversation, and each request
/// by itself behind one that makes the znode that it is about.
pub fn seeds() -> Vec<Seed> {
    let sent = recordings().into_iter().filter(|one| one.from_client && !one.is_handshake());
    let sent: Vec<(String, Vec<u8>)> = sent.map(|one| (one.name, one.payload)).collect();
    let mut seeds = Vec::new();
    let mut all = Vec::new();
    for (at, (name, payload)) in sent.iter().enumerate() {
        let mut alone = Vec::new();
        for (step, payload) in [(0, &create("/golden")), (0x10, payload), (0, payload)] {
            alone.push(step);
            put_bytes(&mut alone, payload);
        }
        alone.extend([9, 9, 13]);
        seeds.push((name.clone(), alone));
        if at < 40 {
            let client = u8::try_from(at % CLIENTS).expect("there are few") << 4;
            all.push(client);
            put_bytes(&mut all, payload);
            all.extend([9, u8::try_from(at % 2).expect("it is small")]);
        }
    }
    let more = [14, 15, 0, 11]
        .into_iter()
        .chain(*b"server.1=a\n")
        .chain([7, 8, 0, 9, 9, 0x18, 1, 9, 9, 0x1b, 9, 0, 12, 9, 3, 10, 13, 27, 9, 9]);
    all.extend(more);
    seeds.push(("all".to_owned(), all));
    seeds
}

fn create(path: &str) -> Vec<u8> {
    let acl = proto::Acl { perms: 31, id: proto::Id { scheme: Some("world"), id: Some("anyone") } };
    let request = proto::Request::Create(proto::CreateRequest {
        path: Some(path),
        data: Some(b"data"),
        acl: Some(vec![acl]),
        flags: 0,
    });
    let mut out = BytesMut::new();
    request.encode(1, &mut out);
    out.to_vec()
}
