//! Answers that are known when a request is read, and wait for those before it.

use std::sync::Arc;

use bytes::BytesMut;
use session::{After, Refusal, refuse, to_wire};

use super::{Conversation, OWED_MAX, Progress, Taken};

impl Conversation {
    /// Identities hold for every request behind the auth packet; its reply comes in turn.
    ///
    /// Compat(auth-in-turn): Apache answers from the socket's thread and may overtake earlier
    /// replies.
    pub(super) fn take_auth(
        &mut self,
        xid: i32,
        scheme: &str,
        data: Option<&[u8]>,
        output: &mut BytesMut,
    ) -> Taken {
        let authenticated = self.service.auth.authenticate(&self.identities, scheme, data);
        self.service.core.metrics.authenticated(authenticated.is_ok());
        let Ok(identities) = authenticated else {
            return self.take_refusal(xid, &Refusal::AUTH_FAILED, output);
        };
        self.link.lane.lock().set_identities(identities.clone());
        self.identities = identities;
        let mut reply = BytesMut::new();
        to_wire::put_auth_done(&mut reply, xid);
        self.send_in_turn(&reply, output)
    }

    /// Sends an error behind all that is owed.
    pub(super) fn take_refusal(
        &mut self,
        xid: i32,
        refusal: &Refusal,
        output: &mut BytesMut,
    ) -> Taken {
        let mut lane = self.link.lane.lock();
        if lane.owed() >= OWED_MAX {
            return Taken::No(Progress::NeedsBell);
        }
        if lane.append_refusal(xid, refusal) {
            self.closing = refusal.then == After::Close;
            return Taken::Yes;
        }
        drop(lane);
        let core = Arc::clone(&self.service.core);
        let state = core.read();
        if !self.may_answer_from(&state, output) {
            return Taken::Yes;
        }
        let before = output.len();
        let then = refuse(xid, refusal, state.last_zxid(), output);
        self.note_replies(&output[before..]);
        if then == After::Close {
            self.finish();
        }
        Taken::Yes
    }

    /// Sends a finished reply, which shows no zxid, behind all that is owed.
    fn send_in_turn(&mut self, reply: &[u8], output: &mut BytesMut) -> Taken {
        let mut lane = self.link.lane.lock();
        if lane.owed() >= OWED_MAX {
            return Taken::No(Progress::NeedsBell);
        }
        if lane.append_ready(reply, After::Continue) {
            return Taken::Yes;
        }
        let collected = lane.collect(output);
        drop(lane);
        self.note_collected(&collected);
        output.extend_from_slice(reply);
        self.note_replies(reply);
        Taken::Yes
    }
}
