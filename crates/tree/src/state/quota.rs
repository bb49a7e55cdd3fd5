//! Quotas: `/zookeeper/quota<path>/zookeeper_limits` limits what is below `<path>`, and
//! `zookeeper_stats` beside it counts it. Clients create both; the names are what counts.
//!
//! Compat(quota-stats): the stats are rewritten in place, without a change of the Stat and without
//! an event, and hold what clients may have written into them, nonsense included.

use std::collections::{BTreeMap, BTreeSet};

use super::State;
use crate::{command::CommandFlags, outcome::Reject, path};

/// The name of a quota's limits.
pub(super) const LIMITS: &str = "zookeeper_limits";
/// The name of a quota's counts.
const STATS: &str = "zookeeper_stats";

/// The paths that have limits.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    limited: BTreeSet<Box<str>>,
}

impl Quotas {
    /// Whether it was not there.
    pub(super) fn add(&mut self, path: Box<str>) -> bool {
        self.limited.insert(path)
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, path: &str) -> bool {
        self.limited.remove(path)
    }

    /// The deepest limited path among `path` and those above it.
    fn deepest<'p>(&self, path: &'p str) -> Option<&'p str> {
        if self.limited.is_empty() {
            return None;
        }
        let mut at = path;
        while !at.is_empty() {
            if self.limited.contains(at) {
                return Some(at);
            }
            at = path::parent_of(at);
        }
        None
    }
}

/// A path below the quotas, taken apart: the path that is limited, and the last name.
pub(super) fn split(path: &str) -> Option<(&str, &str)> {
    let (limited, name) = path.strip_prefix(path::QUOTA)?.rsplit_once('/')?;
    limited.starts_with('/').then_some((limited, name))
}

impl State {
    /// What a create at `path` does to the quotas.
    pub(crate) fn quota_after_create(&mut self, path: &str, data_len: usize) {
        match split(path) {
            Some((limited, LIMITS)) => self.add_quota(limited),
            Some((counted, STATS)) => self.recount(counted),
            Some(_) | None => {}
        }
        self.count(path, signed(data_len), 1);
    }

    /// What a delete at `path` does to the quotas.
    pub(crate) fn quota_after_delete(&mut self, path: &str, data_len: usize) {
        if let Some((limited, LIMITS)) = split(path) {
            self.remove_quota(limited);
        }
        self.count(path, -signed(data_len), -1);
    }

    /// What a setData at `path` does to the quotas.
    pub(crate) fn quota_after_set(&mut self, path: &str, data_len: usize, former_len: usize) {
        self.count(path, signed(data_len) - signed(former_len), 0);
    }

    /// Rejects what would exceed a hard limit. Soft limits are only logged, by others.
    pub(crate) fn check_quota(
        &self,
        flags: CommandFlags,
        path: &str,
        bytes: i64,
        count: i64,
    ) -> Result<(), Reject> {
        let Some(limited) = self.quotas.deepest(path) else { return Ok(()) };
        let Some(limits) = self.quota_text(limited, LIMITS) else { return Ok(()) };
        let stats = self.quota_text(limited, STATS);
        let judged = stats.is_some() || flags.contains(CommandFlags::JUDGE_LIMITS);
        if judged && !Track::is_well_formed(limits) {
            // Compat(quota-unreadable): limits that cannot be read are a fault of the request that
            // meets them, whether or not anything is counted.
            return Err(Reject::Marshalling);
        }
        let Some(stats) = stats else { return Ok(()) };
        let (limits, stats) = (Track::parse(limits), Track::parse(stats));
        let exceeds = |more: i64, hard: &str, counted: &str| {
            let limit = limits.get(hard);
            more != 0 && limit > -1 && stats.get(counted).saturating_add(more) > limit
        };
        let exceeded =
            exceeds(count, "countHardLimit", COUNT) || exceeds(bytes, "byteHardLimit", BYTES);
        if exceeded { Err(Reject::QuotaExceeded) } else { Ok(()) }
    }

    fn quota_text(&self, limited: &str, name: &str) -> Option<&[u8]> {
        let node = self.nodes.find(&format!("{}{limited}/{name}", path::QUOTA))?;
        Some(self.nodes.get(node).body.data_or_empty())
    }

    /// Adds to the counts of the deepest quota over `path`.
    fn count(&mut self, path: &str, bytes: i64, count: i64) {
        let Some(limited) = self.quotas.deepest(path) else { return };
        let Some(text) = self.quota_text(limited, STATS) else { return };
        let mut stats = Track::parse(text);
        let counted = stats.get(COUNT).saturating_add(count);
        let weighed = stats.get(BYTES).saturating_add(bytes);
        stats.set(COUNT, counted);
        stats.set(BYTES, weighed);
        let text = stats.print();
        self.rewrite(limited, &text);
    }

    /// Counts afresh what is at and below `counted`.
    fn recount(&mut self, counted: &str) {
        let (mut nodes, mut bytes) = (0, 0);
        if let Some(top) = self.nodes.find(counted) {
            self.nodes.walk(top, |node| {
                nodes += 1;
                bytes += signed(self.nodes.get(node).body.data_or_empty().len());
            });
        }
        let mut stats = Track::default();
        stats.set(COUNT, nodes);
        stats.set(BYTES, bytes);
        let text = stats.print();
        self.rewrite(counted, &text);
    }

    fn rewrite(&mut self, limited: &str, text: &str) {
        if let Some(node) = self.nodes.find(&format!("{}{limited}/{STATS}", path::QUOTA)) {
            self.replace_data(node, Some(text.as_bytes()), |_| {});
        }
    }
}

const COUNT: &str = "count";
const BYTES: &str = "bytes";

/// The text of limits and stats: `count=N,bytes=N`, then perhaps `=;key=N;key=N`.
#[derive(Debug, Default)]
struct Track<'t> {
    values: BTreeMap<&'t str, i64>,
}

impl<'t> Track<'t> {
    /// Whatever is not a pair of a name and a number is passed over.
    fn parse(text: &'t [u8]) -> Self {
        let text = std::str::from_utf8(text).unwrap_or_default();
        let pairs = text.split([',', ';']).filter_map(|pair| {
            let mut parts = pair.split('=');
            let key = parts.next().filter(|key| !key.is_empty())?;
            let value = parts.next()?;
            Some((key, if value.is_empty() { -1 } else { value.parse().ok()? }))
        });
        Self { values: pairs.collect() }
    }

    /// Whether ZooKeeper could read it: names with numbers, or nothing at all.
    fn is_well_formed(text: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(text) else { return false };
        text.split([',', ';']).filter(|pair| !pair.is_empty()).all(|pair| {
            let value = pair.split('=').nth(1);
            value.is_some_and(|value| value.is_empty() || value.parse::<i64>().is_ok())
        })
    }

    /// -1 means unset.
    fn get(&self, key: &str) -> i64 {
        self.values.get(key).copied().unwrap_or(-1)
    }

    fn set(&mut self, key: &'static str, value: i64) {
        self.values.insert(key, value);
    }

    /// Compat(quota-stats): the odd `=` before further keys makes parsers of 3.4 ignore them.
    fn print(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!("{COUNT}={},{BYTES}={}", self.get(COUNT), self.get(BYTES));
        let mut lead = "=;";
        for (key, value) in &self.values {
            if *key != COUNT && *key != BYTES {
                write!(text, "{lead}{key}={value}").expect("writing to a String");
                lead = ";";
            }
        }
        text
    }
}

fn signed(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}
