//! Observations as text that does not change from run to run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::observation::{Event, Observation, Value};
use crate::script::catalogue::error_name;

/// One line an observation. zxids become ranks (`z1`, `z2` …), session ids `s1`, `s2` …;
/// times, passwords and how far a server was are left out.
pub fn render(observations: &[Observation]) -> String {
    let names = Names::of(observations);
    let mut text = String::new();
    for observation in observations {
        text.push_str(&names.line(observation));
        text.push('\n');
    }
    text
}

/// The names that replace numbers.
#[derive(Debug)]
pub(super) struct Names {
    zxids: BTreeMap<i64, usize>,
    sessions: BTreeMap<i64, usize>,
}

impl Names {
    pub(super) fn of(observations: &[Observation]) -> Self {
        let mut zxids = BTreeSet::new();
        let mut sessions = BTreeMap::new();
        for (_, value) in observations.iter().flat_map(|observation| &observation.values) {
            if let Value::Zxid(zxid @ 1..) = value {
                zxids.insert(*zxid);
            }
            if let Value::Session(id) = value
                && *id != 0
            {
                let next = sessions.len() + 1;
                sessions.entry(*id).or_insert(next);
            }
        }
        Self { zxids: zxids.into_iter().zip(1..).collect(), sessions }
    }

    /// One line, without its end.
    pub(super) fn line(&self, observation: &Observation) -> String {
        let name = &observation.connection;
        let mut line = match &observation.event {
            Event::Welcome => format!("{name} welcome"),
            Event::Reply(request) => format!("{name} {request} -> ok"),
            Event::Refusal(request, err) => {
                format!("{name} {request} -> {err} {}", error_name(*err))
            }
            Event::Watch => format!("{name} event"),
            Event::Closed => format!("{name} closed"),
            Event::Silence => format!("{name} SILENCE"),
            Event::Nonsense(what) => format!("{name} NONSENSE {what}"),
        };
        for (key, value) in &observation.values {
            if let Some(value) = self.value(key, value) {
                let _ = write!(line, " {key}={value}");
            }
        }
        line
    }

    fn value(&self, key: &str, value: &Value) -> Option<String> {
        match value {
            Value::Number(number) if key == "type" => Some(event_name(*number).to_owned()),
            Value::Number(_) if key == "xid" => None,
            Value::Number(number) => Some(number.to_string()),
            Value::Text(text) => Some(format!("{text:?}").replace("Some(", "").replace(')', "")),
            Value::Bytes(None) => Some("null".to_owned()),
            Value::Bytes(Some(bytes)) => Some(format!("\"{}\"", bytes.escape_ascii())),
            Value::Zxid(zxid) => Some(match self.zxids.get(zxid) {
                Some(rank) => format!("z{rank}"),
                None => zxid.to_string(),
            }),
            Value::Progress(zxid) if *zxid <= 0 => Some(zxid.to_string()),
            Value::Progress(_) | Value::Time { .. } => None,
            Value::Session(id) => Some(match self.sessions.get(id) {
                Some(rank) => format!("s{rank}"),
                None => id.to_string(),
            }),
            Value::Password(password) => Some(password_kind(password.as_deref())),
            Value::List(list) | Value::Set(list) => Some(match list {
                None => "null".to_owned(),
                Some(texts) => format!("{texts:?}"),
            }),
        }
    }
}

pub(super) fn password_kind(password: Option<&[u8]>) -> String {
    match password {
        None => "null".to_owned(),
        Some(bytes) if bytes.iter().all(|&byte| byte == 0) => format!("{}zeros", bytes.len()),
        Some(bytes) => format!("{}bytes", bytes.len()),
    }
}

const fn event_name(kind: i64) -> &'static str {
    match kind {
        1 => "NodeCreated",
        2 => "NodeDeleted",
        3 => "NodeDataChanged",
        4 => "NodeChildrenChanged",
        _ => "unknown",
    }
}
