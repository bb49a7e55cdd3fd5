//! In which order requests are repeated: that of their zxids on `ZooKeeper`.
//!
//! The zxid in a reply says where the request stands among all changes: a write has its own, a
//! read has that of the last change before it. So each request is repeated when all changes
//! before it have been, and none behind it.
//!
//! Two things must be known before a request is begun. First, that no reply is on its way with
//! a lower zxid: whoever was asked before this reply came must have answered (the *barrier*);
//! who is asked later, by a server that is up to date, answers from a later state. Second, what
//! changed without the proxy, as when a session expires: the observer must have told of all up
//! to this zxid.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::change::Change;
use crate::input::ConnId;
use crate::judge::{Exchange, TURN_BYTES};

/// Where a turn stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The zxid.
    pub(crate) zxid: i64,
    /// Which comes first of those with the same zxid.
    pub(crate) rank: Rank,
    /// Among equals, the order in which they came.
    arrival: u64,
}

/// What comes first within one zxid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// The change itself.
    Change,
    /// What the observer saw of it.
    Seen,
    /// Whatever saw its effect.
    Read,
}

/// Something to be done on Rookery, in its turn.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Open or resume the session of this connection.
    Open(ConnId),
    /// Repeat a request; what it changed on `ZooKeeper`.
    Repeat(Box<Exchange>, Vec<Change>),
    /// Look at a change that the observer saw: the event's type and the path.
    Seen(i32, String),
    /// End the session with this id on `ZooKeeper`, where it ended by itself.
    EndSession(i64),
}

impl Turn {
    /// Bytes held by it, roughly, as far as they count.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Repeat(exchange, _) => exchange.bytes(),
            Self::Seen(_, path) => path.len() + TURN_BYTES,
            Self::Open(_) | Self::EndSession(_) => 0,
        }
    }

    fn seen_path(&self, wanted: i32) -> Option<&str> {
        match self {
            Self::Seen(kind, path) if *kind == wanted => Some(path),
            Self::Seen(..) | Self::Open(_) | Self::Repeat(..) | Self::EndSession(_) => None,
        }
    }
}

/// Requests that `ZooKeeper` has not answered, and turns that wait.
#[derive(Debug, Default)]
pub(crate) struct Order {
    turns: BTreeMap<Place, (u64, Turn)>,
    unanswered: BTreeSet<u64>,
    tickets: u64,
    arrivals: u64,
    observed: i64,
}

impl Order {
    /// A request was sent to `ZooKeeper`; returns its ticket.
    pub(crate) fn ask(&mut self) -> u64 {
        self.tickets += 1;
        self.unanswered.insert(self.tickets);
        self.tickets
    }

    /// It was answered, or never will be.
    pub(crate) fn answered(&mut self, ticket: u64) {
        self.unanswered.remove(&ticket);
    }

    /// The observer has told of all changes up to here.
    pub(crate) fn observed(&mut self, zxid: i64) {
        self.observed = self.observed.max(zxid);
    }

    /// Adds a turn, now that the reply or the event has come.
    pub(crate) fn add(&mut self, zxid: i64, rank: Rank, turn: Turn) {
        self.insert(Place { zxid, rank, arrival: 0 }, self.tickets, turn);
    }

    /// Adds a turn that depends on nothing before it.
    pub(crate) fn add_first(&mut self, turn: Turn) {
        self.insert(Place { zxid: 0, rank: Rank::Change, arrival: 0 }, 0, turn);
    }

    fn insert(&mut self, place: Place, barrier: u64, turn: Turn) {
        self.arrivals += 1;
        self.turns.insert(Place { arrival: self.arrivals, ..place }, (barrier, turn));
    }

    /// The next turn, if it is certain that none comes before it.
    pub(crate) fn next(&self) -> Option<(Place, &Turn)> {
        let (place, (barrier, turn)) = self.turns.first_key_value()?;
        let is_certain = place.zxid <= self.observed
            && self.unanswered.first().is_none_or(|ticket| ticket > barrier);
        is_certain.then_some((*place, turn))
    }

    /// Takes the next turn.
    pub(crate) fn take(&mut self) -> Option<Turn> {
        self.turns.pop_first().map(|(_, (_, turn))| turn)
    }

    /// Paths of which the observer saw that this change deleted them, and whose turn has not
    /// come; `deleted` is the number of such an event's type.
    pub(crate) fn deleted_at(&self, zxid: i64, deleted: i32) -> HashSet<&str> {
        let rank = Rank::Seen;
        let places = Place { zxid, rank, arrival: 0 }..=Place { zxid, rank, arrival: u64::MAX };
        let at_once = self.turns.range(places);
        at_once.filter_map(|(_, (_, turn))| turn.seen_path(deleted)).collect()
    }

    /// Up to where the observer must tell for the next turn to begin.
    pub(crate) fn wants_observed(&self) -> Option<i64> {
        let (place, _) = self.turns.first_key_value()?;
        (place.zxid > self.observed).then_some(place.zxid)
    }

    /// Whether all turns up to this zxid have been taken, and it has been observed.
    pub(crate) fn is_past(&self, zxid: i64) -> bool {
        let next = self.turns.first_key_value().map(|(place, _)| place.zxid);
        zxid <= self.observed && next.is_none_or(|next| next > zxid)
    }

    /// Turns that wait.
    pub(crate) fn len(&self) -> usize {
        self.turns.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(order: &mut Order) -> Option<i64> {
        order.next()?;
        match order.take() {
            Some(Turn::EndSession(name)) => Some(name),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_turn_waits_for_those_who_were_asked_before_it() {
        let mut order = Order::default();
        order.observed(i64::MAX);
        let (first, second) = (order.ask(), order.ask());
        order.answered(second);
        order.add(6, Rank::Change, Turn::EndSession(6));
        assert_eq!(next(&mut order), None, "the other reply may have zxid 5");
        let third = order.ask();
        order.answered(first);
        order.add(5, Rank::Change, Turn::EndSession(5));
        assert_eq!(next(&mut order), None, "the third was asked before the first was answered");
        order.answered(third);
        order.add(6, Rank::Read, Turn::EndSession(60));
        order.ask();
        let turns: Vec<Option<i64>> = (0..4).map(|_| next(&mut order)).collect();
        assert_eq!(turns, [Some(5), Some(6), Some(60), None]);
    }

    #[test]
    fn a_turn_waits_for_the_observer() {
        let mut order = Order::default();
        order.add(7, Rank::Read, Turn::EndSession(70));
        order.add(7, Rank::Seen, Turn::EndSession(7));
        assert_eq!((next(&mut order), order.wants_observed()), (None, Some(7)));
        order.observed(7);
        assert!(!order.is_past(7));
        assert_eq!((next(&mut order), next(&mut order)), (Some(7), Some(70)));
        assert!(order.is_past(7) && !order.is_past(8));
    }
}
