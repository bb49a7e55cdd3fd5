//! What a change means to the connections of a server: events first, then the reply.
//!
//! Nobody sees a change before those who watch it: whoever applies a command publishes its
//! outcome before anybody can read the state that it left.

use proto::EventType;
use tree::{AclView, CommandFlags, Outcome, State};

use crate::{
    answer::Reader,
    lane::{Delivery, Lane},
    watch::{WatchTable, WatcherId},
};

/// The connections of a server, as publishing sees them.
pub trait Connections {
    /// A connection, as the server holds it.
    type Link;

    /// The connection with this key; none when it is gone.
    fn by_watcher(&self, watcher: WatcherId) -> Option<Self::Link>;

    /// Lets `put` append to the connection's lane, and does what it says.
    fn deliver(&mut self, link: Self::Link, put: impl FnOnce(&mut Lane) -> Delivery);

    /// An event goes to one who watches, for the figures.
    fn fired(&mut self, event: EventType, path: &str);

    /// The events of one change are out, for the figures.
    fn change_told(&mut self);
}

/// The state after a command, and who watches it.
#[derive(Debug)]
pub struct Published<'a> {
    /// What came of the command.
    pub outcome: &'a Outcome,
    /// The state with it, and nothing after it.
    pub state: &'a State,
    /// Who watches what on this server.
    pub watches: &'a mut WatchTable,
    /// The settings of this server that change what may be read.
    pub flags: CommandFlags,
}

impl Published<'_> {
    /// Puts the events of an outcome, and then its reply and the reads behind that, on the
    /// lanes of those whom they concern. `asker` is the connection that waits for it here.
    pub fn publish<C: Connections>(
        &mut self,
        connections: &mut C,
        asker: Option<(WatcherId, C::Link)>,
    ) {
        self.tell_watchers(connections);
        if let Some((watcher, link)) = asker {
            self.reply(connections, watcher, link);
        }
    }

    fn tell_watchers<C: Connections>(&mut self, connections: &mut C) {
        let Self { outcome, watches, flags, .. } = self;
        if watches.is_empty() {
            return;
        }
        let everybody_may = flags.contains(CommandFlags::SKIP_ACL);
        for change in &outcome.changes {
            watches.fire(change, &mut |watcher, event, path, acl| {
                let acl = if everybody_may { &AclView::Open } else { acl };
                connections.fired(event, path);
                if let Some(link) = connections.by_watcher(watcher) {
                    connections.deliver(link, |lane| lane.event(outcome.zxid, event, path, acl));
                }
            });
            connections.change_told();
        }
    }

    fn reply<C: Connections>(&mut self, connections: &mut C, watcher: WatcherId, link: C::Link) {
        let Self { outcome, state, watches, flags } = self;
        let mut reader = Reader { state, watches: &mut **watches, watcher, flags: *flags };
        connections.deliver(link, |lane| lane.deliver(outcome, &mut reader));
    }
}
