//! Finds the first difference between what two servers did.
//!
//! Numbers that each server makes up are compared by what they stand for: a zxid must stand
//! for the same change and keep its place among the others, a session id for the same
//! session, a time must be the same wherever a server shows the same change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use super::observation::{Event, Observation, Value};
use super::render::{Names, password_kind};

/// Lines of what went before that are shown with a difference.
const CONTEXT_LINES: usize = 12;

/// The first thing that the two servers did not do alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Index of the step.
    pub step: usize,
    /// What differs, in words.
    pub what: String,
    /// Both sides with what went before.
    pub transcript: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (step {})\n{}", self.what, self.step + 1, self.transcript)
    }
}

/// Compares what `expected` did with what `actual` did.
pub fn compare(expected: &[Observation], actual: &[Observation]) -> Result<(), Difference> {
    compare_with(expected, actual, Progress::Compared)
}

/// Whether it is compared how far a server is that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It is.
    Compared,
    /// It is not: a ZooKeeper that follows may answer a sync with the zxid before the last.
    Left,
}

/// The same, with or without how far servers are.
pub(super) fn compare_with(
    expected: &[Observation],
    actual: &[Observation],
    progress: Progress,
) -> Result<(), Difference> {
    let expected = with_unordered_runs_sorted(expected.to_vec());
    let actual = with_unordered_runs_sorted(actual.to_vec());
    let mut matching = Matching::default();
    let mut found = None;
    for index in 0..expected.len().max(actual.len()) {
        let what = match (expected.get(index), actual.get(index)) {
            (Some(left), Some(right)) => matching.observation(left, right),
            (None, Some(_)) => Err("more than expected".to_owned()),
            (Some(_), None) | (None, None) => Err("less than expected".to_owned()),
        };
        if let Err(what) = what {
            found = Some((index, what));
            break;
        }
    }
    let found = match (found, progress) {
        (Some(found), _) => Err(found),
        (None, Progress::Compared) => matching.progress(),
        (None, Progress::Left) => Ok(()),
    };
    found.map_err(|(index, what)| {
        let step = expected.get(index).or_else(|| actual.get(index)).map_or(0, |o| o.step);
        let transcript = transcript(&expected, &actual, index);
        Difference { step, what, transcript }
    })
}

/// What stands for what.
#[derive(Debug, Default)]
struct Matching {
    zxids: BTreeMap<i64, i64>,
    zxids_back: BTreeMap<i64, i64>,
    sessions: BTreeMap<i64, i64>,
    sessions_back: BTreeMap<i64, i64>,
    times: BTreeMap<i64, (i64, i64)>,
    /// Compared at the end, when all zxids of changes are known.
    progress: Vec<(usize, i64, i64)>,
    index: usize,
}

impl Matching {
    fn observation(&mut self, left: &Observation, right: &Observation) -> Result<(), String> {
        if (left.step, &left.connection) != (right.step, &right.connection) {
            return Err(if left.step < right.step { "missing" } else { "unexpected" }.to_owned());
        }
        if left.event != right.event {
            return Err("not the same".to_owned());
        }
        let names = |o: &Observation| o.values.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>();
        if names(left) != names(right) {
            return Err("not the same parts".to_owned());
        }
        for ((name, left), (_, right)) in left.values.iter().zip(&right.values) {
            self.value(left, right).map_err(|why| format!("{name}: {why}"))?;
        }
        self.index += 1;
        Ok(())
    }

    fn value(&mut self, left: &Value, right: &Value) -> Result<(), String> {
        match (left, right) {
            (Value::Zxid(left), Value::Zxid(right)) => self.zxid(*left, *right),
            (Value::Progress(left), Value::Progress(right)) => {
                if *left > 0 && *right > 0 {
                    self.progress.push((self.index, *left, *right));
                    return Ok(());
                }
                equal(left, right)
            }
            (Value::Session(left), Value::Session(right)) => self.session(*left, *right),
            (Value::Time { zxid, millis: left }, Value::Time { millis: right, .. }) => {
                self.time(*zxid, *left, *right)
            }
            (Value::Password(left), Value::Password(right)) => {
                equal(&password_kind(left.as_deref()), &password_kind(right.as_deref()))
            }
            _ => equal(left, right),
        }
    }

    fn zxid(&mut self, left: i64, right: i64) -> Result<(), String> {
        if left <= 0 || right <= 0 {
            return equal(&left, &right);
        }
        let known = (self.zxids.insert(left, right), self.zxids_back.insert(right, left));
        match known {
            (None, None) => {}
            (Some(before), Some(_)) if before == right => return Ok(()),
            _ => {
                return Err(format!(
                    "{left:#x} and {right:#x} do not stand for the same change (seen before: {known:x?})"
                ));
            }
        }
        let below = self.zxids.range(..left).next_back();
        let above = self.zxids.range(left + 1..).next();
        let in_place = below.is_none_or(|(_, &below)| below < right)
            && above.is_none_or(|(_, &above)| right < above);
        if in_place { Ok(()) } else { Err(format!("{left:#x} and {right:#x} are out of order")) }
    }

    fn session(&mut self, left: i64, right: i64) -> Result<(), String> {
        if left == 0 || right == 0 {
            return equal(&left, &right);
        }
        let forth = *self.sessions.entry(left).or_insert(right);
        let back = *self.sessions_back.entry(right).or_insert(left);
        if (forth, back) == (right, left) {
            return Ok(());
        }
        Err(format!("{left:#x} and {right:#x} are not the same session"))
    }

    fn time(&mut self, zxid: i64, left: i64, right: i64) -> Result<(), String> {
        if left <= 0 || right <= 0 || zxid <= 0 {
            return equal(&left, &right);
        }
        let known = *self.times.entry(zxid).or_insert((left, right));
        equal(&known, &(left, right))
    }

    /// A server's progress lies between the changes that lie around it on the other server.
    fn progress(&self) -> Result<(), (usize, String)> {
        for &(index, left, right) in &self.progress {
            let below = self.zxids.range(..=left).next_back();
            let above = self.zxids.range(left + 1..).next();
            let in_place = below.is_none_or(|(_, &below)| below <= right)
                && above.is_none_or(|(_, &above)| right < above);
            if !in_place {
                let what = format!(
                    "zxid: {left:#x} and {right:#x} lie between other changes: the first behind \
                     {below:x?} and before {above:x?}"
                );
                return Err((index, what));
            }
        }
        Ok(())
    }
}

fn equal<T: PartialEq + fmt::Debug>(left: &T, right: &T) -> Result<(), String> {
    if left == right { Ok(()) } else { Err(format!("expected {left:?}, got {right:?}")) }
}

/// The deletions at the end of a session share one zxid and come in any order: such runs of
/// events are sorted. Runs with the zxid of a client's own write keep their order.
fn with_unordered_runs_sorted(mut observations: Vec<Observation>) -> Vec<Observation> {
    let is_close = |request: &str| request.starts_with("close");
    let ordered: BTreeSet<i64> = observations
        .iter()
        .filter(|o| match &o.event {
            Event::Reply(request) => !is_close(request),
            Event::Welcome | Event::Refusal(..) | Event::Watch => false,
            Event::Closed | Event::Silence | Event::Nonsense(_) => false,
        })
        .flat_map(|o| &o.values)
        .filter_map(|(name, value)| {
            if let (Value::Zxid(zxid), "zxid") = (value, name.as_str()) {
                Some(*zxid)
            } else {
                None
            }
        })
        .collect();
    let same_run = |a: &Observation, b: &Observation| {
        (&a.event, &b.event) == (&Event::Watch, &Event::Watch)
            && a.connection == b.connection
            && a.zxid() == b.zxid()
            && a.zxid().is_some_and(|zxid| zxid > 0 && !ordered.contains(&zxid))
    };
    for run in observations.chunk_by_mut(same_run) {
        // Which of them a step that waits for one event gets is a matter of their order, too.
        let steps: Vec<usize> = run.iter().map(|observation| observation.step).collect();
        run.sort_by_key(|observation| format!("{:?}", observation.values));
        for (observation, step) in run.iter_mut().zip(steps) {
            observation.step = step;
        }
    }
    observations
}

fn transcript(expected: &[Observation], actual: &[Observation], index: usize) -> String {
    let (left, right) = (Names::of(expected), Names::of(actual));
    let mut text = String::new();
    for observation in &expected[index.saturating_sub(CONTEXT_LINES)..index.min(expected.len())] {
        let _ = writeln!(text, "    {}", left.line(observation));
    }
    for (sign, names, side) in [('-', &left, expected), ('+', &right, actual)] {
        for observation in side.iter().skip(index).take(2) {
            let _ = writeln!(text, "  {sign} {}", names.line(observation));
        }
    }
    text
}

#[cfg(test)]
mod tests;
