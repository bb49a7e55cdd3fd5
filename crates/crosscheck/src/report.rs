//! What is told: a line for each difference, and how much was compared.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

/// Differences that are remembered so as not to be told twice.
const TOLD_MAX: usize = 100_000;
/// Characters of a value that are shown.
const SHOWN_MAX: usize = 400;

/// Why something was not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Somebody changed the znode on `ZooKeeper` without this proxy.
    Foreign,
    /// A difference of this znode was reported before.
    Consequence,
    /// The server deletes the znode by its own clock.
    Clock,
    /// The session is not compared any more.
    GivenUp,
    /// The server of `ZooKeeper` was behind, and the znode had been changed since.
    LateRead,
    /// The request is not one that can be repeated: SASL, reconfig.
    NotRepeated,
    /// `ZooKeeper` never answered it.
    Unanswered,
    /// The znode is from before the comparison and belongs to a session of that time.
    Before,
    /// Each server has its own: `/zookeeper/config`.
    Excluded,
    /// The connection ended before the other side's event.
    Ended,
}

impl Reason {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Foreign,
        Self::Consequence,
        Self::Clock,
        Self::GivenUp,
        Self::LateRead,
        Self::NotRepeated,
        Self::Unanswered,
        Self::Before,
        Self::Excluded,
        Self::Ended,
    ];

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Foreign => "foreign-change",
            Self::Consequence => "after-a-difference",
            Self::Clock => "servers-clock",
            Self::GivenUp => "session-given-up",
            Self::LateRead => "late-read",
            Self::NotRepeated => "not-repeated",
            Self::Unanswered => "unanswered",
            Self::Before => "from-before",
            Self::Excluded => "excluded",
            Self::Ended => "connection-ended",
        }
    }
}

/// Why a session is not compared any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GivenUp {
    /// There was no room for what waits to be compared.
    NoRoom,
    /// It proves who it is by SASL, which cannot be repeated.
    Sasl,
    /// What it or `ZooKeeper` sent cannot be understood.
    NotUnderstood,
    /// Rookery ended the session or its connection.
    EndedByRookery,
    /// `ZooKeeper` did not answer a request for long.
    NoAnswer,
    /// Rookery cannot be reached.
    RookeryGone,
}

impl GivenUp {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoRoom => "no-room",
            Self::Sasl => "sasl",
            Self::NotUnderstood => "not-understood",
            Self::EndedByRookery => "ended-by-rookery",
            Self::NoAnswer => "no-answer-from-zookeeper",
            Self::RookeryGone => "rookery-gone",
        }
    }
}

/// Where a difference was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `ZooKeeper`'s id of the session.
    pub session: i64,
    /// The operation, such as `getData`, or `event`.
    pub operation: String,
    /// The request's number; 0 for events.
    pub xid: i32,
    /// `ZooKeeper`'s zxid in the header.
    pub zxid: i64,
}

/// Two values that should be alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The znode.
    pub path: String,
    /// What of it, such as `version`.
    pub field: &'static str,
    /// `ZooKeeper`'s value, for people.
    pub zookeeper: String,
    /// Rookery's.
    pub rookery: String,
}

impl Found {
    /// Two values, as they are written.
    #[expect(clippy::needless_pass_by_value, reason = "callers have numbers as well as text")]
    pub(crate) fn new(
        path: &str,
        field: &'static str,
        zookeeper: impl ToString,
        rookery: impl ToString,
    ) -> Self {
        Self {
            path: path.to_owned(),
            field,
            zookeeper: zookeeper.to_string(),
            rookery: rookery.to_string(),
        }
    }
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests of clients that `ZooKeeper` answered, or should have.
    pub requests: u64,
    /// Requests whose replies were alike.
    pub equal: u64,
    /// Requests whose replies differed.
    pub different: u64,
    /// Requests that could not be judged.
    pub not_judged: BTreeMap<Reason, u64>,
    /// Events that were alike.
    pub events_equal: u64,
    /// Events that differed, or came on one side only.
    pub events_different: u64,
    /// Events that could not be judged.
    pub events_not_judged: BTreeMap<Reason, u64>,
    /// Sessions of clients.
    pub sessions: u64,
    /// Sessions that are not compared any more.
    pub given_up: BTreeMap<GivenUp, u64>,
    /// Changes of others on `ZooKeeper`.
    pub foreign_changes: u64,
}

impl Counts {
    /// Requests of which the replies of both servers were compared.
    pub const fn compared(&self) -> u64 {
        self.equal + self.different
    }

    /// Whether anything differed.
    pub const fn is_different(&self) -> bool {
        self.different > 0 || self.events_different > 0
    }

    /// Requests that could not be judged.
    pub fn not_judged_total(&self) -> u64 {
        self.not_judged.values().sum()
    }
}

/// What has been found.
#[derive(Debug, Default)]
pub struct Report {
    /// The figures.
    pub counts: Counts,
    /// Why the comparison ended before its time.
    pub ended: Option<&'static str>,
    told: HashSet<(String, &'static str)>,
    lines: Vec<Line>,
}

/// A line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// For people, and for `grep`.
    pub text: String,
    /// For programs.
    pub json: Value,
}

impl Report {
    /// A difference; the same field of the same znode is told once.
    pub(crate) fn difference(&mut self, place: &Place, found: &Found) {
        let is_known =
            self.told.len() >= TOLD_MAX || !self.told.insert((found.path.clone(), found.field));
        if is_known {
            return;
        }
        let (zookeeper, rookery) = (shown(&found.zookeeper), shown(&found.rookery));
        let text = format!(
            "difference path={} operation={} field={} zookeeper={} rookery={} session={:#x} \
             xid={} zxid={:#x}",
            quoted(&found.path),
            place.operation,
            found.field,
            quoted(&zookeeper),
            quoted(&rookery),
            place.session,
            place.xid,
            place.zxid,
        );
        let json = json!({
            "kind": "difference", "path": found.path, "operation": place.operation,
            "field": found.field, "zookeeper": zookeeper, "rookery": rookery,
            "session": format!("{:#x}", place.session), "xid": place.xid,
            "zxid": format!("{:#x}", place.zxid),
        });
        self.lines.push(Line { text, json });
    }

    /// Something that people should know.
    pub(crate) fn note(&mut self, what: &str) {
        let json = json!({ "kind": "note", "text": what });
        self.lines.push(Line { text: format!("note {what}"), json });
    }

    /// A request was not judged.
    pub(crate) fn not_judged(&mut self, reason: Reason) {
        *self.counts.not_judged.entry(reason).or_default() += 1;
    }

    /// An event was not judged.
    pub(crate) fn event_not_judged(&mut self, reason: Reason) {
        *self.counts.events_not_judged.entry(reason).or_default() += 1;
    }

    /// A session is not compared any more.
    pub(crate) fn given_up(&mut self, why: GivenUp) {
        *self.counts.given_up.entry(why).or_default() += 1;
    }

    /// The comparison is over, though the proxy goes on.
    pub(crate) fn end(&mut self, why: &'static str) {
        if self.ended.is_none() {
            self.ended = Some(why);
            self.note(&format!("nothing is compared any more: {why}"));
        }
    }

    /// Adds a line with the figures so far.
    pub(crate) fn summary(&mut self, waiting: usize) {
        let counts = &self.counts;
        let mut text = format!(
            "summary requests={} compared={} equal={} different={} not-judged={}",
            counts.requests,
            counts.compared(),
            counts.equal,
            counts.different,
            counts.not_judged_total(),
        );
        add_named(&mut text, counts.not_judged.iter().map(|(reason, n)| (reason.name(), *n)));
        let _ = write!(
            text,
            " events-equal={} events-different={} events-not-judged={}",
            counts.events_equal,
            counts.events_different,
            counts.events_not_judged.values().sum::<u64>(),
        );
        let events = counts.events_not_judged.iter();
        add_named(&mut text, events.map(|(reason, n)| (reason.name(), *n)));
        let given_up = counts.given_up.values().sum::<u64>();
        let _ = write!(text, " sessions={} given-up={given_up}", counts.sessions);
        add_named(&mut text, counts.given_up.iter().map(|(why, n)| (why.name(), *n)));
        let _ = write!(text, " foreign-changes={} waiting={waiting}", counts.foreign_changes);
        if let Some(why) = self.ended {
            let _ = write!(text, " ended={}", quoted(why));
        }
        let json = self.summary_json(waiting);
        self.lines.push(Line { text, json });
    }

    fn summary_json(&self, waiting: usize) -> Value {
        let counts = &self.counts;
        let named = |reasons: &BTreeMap<Reason, u64>| -> Value {
            reasons.iter().map(|(reason, n)| (reason.name().to_owned(), json!(n))).collect()
        };
        let given_up: Value =
            counts.given_up.iter().map(|(why, n)| (why.name().to_owned(), json!(n))).collect();
        json!({
            "kind": "summary", "requests": counts.requests, "compared": counts.compared(),
            "equal": counts.equal, "different": counts.different,
            "not_judged": named(&counts.not_judged), "events_equal": counts.events_equal,
            "events_different": counts.events_different,
            "events_not_judged": named(&counts.events_not_judged),
            "sessions": counts.sessions, "given_up": given_up,
            "foreign_changes": counts.foreign_changes, "waiting": waiting,
            "ended": self.ended,
        })
    }

    /// The lines that have come since the last time.
    pub(crate) fn take_lines(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.lines)
    }
}

fn add_named<'a>(text: &mut String, named: impl Iterator<Item = (&'a str, u64)>) {
    let parts: Vec<String> = named.map(|(name, count)| format!("{name}:{count}")).collect();
    if !parts.is_empty() {
        let _ = write!(text, "({})", parts.join(","));
    }
}

fn shown(value: &str) -> String {
    let mut shown: String = value.chars().take(SHOWN_MAX).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    shown
}

/// In quotes where it would not be one word.
fn quoted(text: &str) -> String {
    let is_word = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && c != '"');
    if is_word { text.to_owned() } else { format!("{text:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_one_line_and_told_once() {
        let mut report = Report::default();
        let place = Place { session: 0x10, operation: "getData".to_owned(), xid: 3, zxid: 0x1f };
        let found = Found::new("/a b", "version", 1, 2);
        report.difference(&place, &found);
        report.difference(&place, &found);
        let lines: Vec<String> = report.take_lines().into_iter().map(|line| line.text).collect();
        assert_eq!(
            lines,
            ["difference path=\"/a b\" operation=getData field=version zookeeper=1 rookery=2 \
             session=0x10 xid=3 zxid=0x1f"]
        );
    }

    #[test]
    fn a_summary_gives_the_reasons() {
        let mut report = Report::default();
        report.counts.requests = 3;
        report.counts.equal = 1;
        report.not_judged(Reason::Foreign);
        report.not_judged(Reason::Foreign);
        report.given_up(GivenUp::Sasl);
        report.end("Rookery is gone");
        report.summary(5);
        let text = report.take_lines().pop().expect("a summary").text;
        assert_eq!(
            text,
            "summary requests=3 compared=1 equal=1 different=0 \
             not-judged=2(foreign-change:2) events-equal=0 events-different=0 \
             events-not-judged=0 sessions=0 given-up=1(sasl:1) foreign-changes=0 waiting=5 \
             ended=\"Rookery is gone\""
        );
    }
}
