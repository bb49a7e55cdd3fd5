//! Session ids and their passwords, made as ZooKeeper makes them, so that the sessions of
//! an imported data directory live on.

use tree::SessionId;

/// Compat(session-passwords): the secret that every ZooKeeper server shares. The password is a
/// checksum against mistakes, not a secret.
const PASSWORD_SECRET: i64 = 0xB341_5C00;

/// The marker that ZooKeeper stores as the owner of containers.
const CONTAINER_OWNER: i64 = i64::MIN;

/// Hands out session ids: the server's id in the high byte, then 40 bits of start-up time
/// in milliseconds, then 16 bits of zeros, counting up from there.
#[derive(Debug)]
pub struct SessionIds {
    next: i64,
}

impl SessionIds {
    /// Starts at `now_ms`, which must be later than at every earlier start of this server:
    /// pass the wall clock. ZooKeeper passes the time since boot, and may hand out an id
    /// twice after the machine was started again.
    ///
    /// `server_id` is `myid`, or 1 for a server that stands alone. 255 is taken as it is,
    /// but such ids look like TTL znodes once extended types are on: refuse it where the
    /// configuration is read.
    #[expect(clippy::cast_possible_wrap, reason = "an id of a high server is negative")]
    pub fn new(server_id: u8, now_ms: u64) -> Self {
        let time = (now_ms << 24) >> 8;
        Self { next: (time | u64::from(server_id) << 56) as i64 }
    }

    /// The next id, never 0 and never ZooKeeper's marker for containers.
    #[expect(clippy::should_implement_trait, reason = "ids are no collection to iterate over")]
    pub fn next(&mut self) -> SessionId {
        while self.next == SessionId::NONE.0 || self.next == CONTAINER_OWNER {
            self.next += 1;
        }
        let id = SessionId(self.next);
        self.next = self.next.wrapping_add(1);
        id
    }
}

/// The password of a session: 16 bytes of `java.util.Random`, seeded with the id and the
/// shared secret.
pub fn session_password(session: SessionId) -> [u8; 16] {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = ((session.0 ^ PASSWORD_SECRET).cast_unsigned() ^ MULTIPLIER) & MASK;
    let mut password = [0; 16];
    for four in password.chunks_exact_mut(4) {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        // 48 bits less 16 are 32; Java hands them out lowest byte first.
        four.copy_from_slice(&(state >> 16).to_le_bytes()[..4]);
    }
    password
}
