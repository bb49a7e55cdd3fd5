//! How often each operation was compared, and with what outcome.

use std::collections::BTreeMap;

/// Counts by operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    operations: BTreeMap<&'static str, Outcomes>,
}

/// What came of one operation's requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Requests that were answered by the end of the connection.
    pub closed: u64,
    /// Answers by their error code; 0 is success.
    pub codes: BTreeMap<i32, u64>,
}

impl Outcomes {
    /// All requests.
    pub fn total(&self) -> u64 {
        self.closed + self.codes.values().sum::<u64>()
    }

    /// Those that did what was asked.
    pub fn succeeded(&self) -> u64 {
        self.codes.get(&0).copied().unwrap_or(0)
    }
}

impl Tally {
    /// Notes one answer.
    pub fn note(&mut self, operation: &'static str, code: i32) {
        let outcomes = self.operations.entry(operation).or_default();
        *outcomes.codes.entry(code).or_default() += 1;
    }

    /// Notes one request that the end of the connection answered.
    pub fn note_closed(&mut self, operation: &'static str) {
        self.operations.entry(operation).or_default().closed += 1;
    }

    /// All requests.
    pub fn total(&self) -> u64 {
        self.operations.values().map(Outcomes::total).sum()
    }

    /// Takes another's counts in.
    pub fn add(&mut self, other: &Self) {
        for (operation, outcomes) in &other.operations {
            let own = self.operations.entry(operation).or_default();
            own.closed += outcomes.closed;
            for (code, count) in &outcomes.codes {
                *own.codes.entry(*code).or_default() += count;
            }
        }
    }

    /// Of one operation; nothing if it was never asked.
    pub fn of(&self, operation: &str) -> Outcomes {
        self.operations.get(operation).cloned().unwrap_or_default()
    }
}
