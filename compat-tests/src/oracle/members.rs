//! `/zookeeper/config` taken apart: what the members of two ensembles have in common.
//!
//! Each ensemble has ports and zxids of its own, and ZooKeeper shows the members in the order
//! of a hash table. So the lines are a set, in which the servers under test have the names that
//! scripts have for them, and the version is a zxid.

use super::observation::Value;
use crate::script::placeholders;

/// What the lines before the version are called.
const MEMBERS: &str = "members";
/// What the version is called: the Stat has a `version` as well.
const CONFIG: &str = "config";

/// The values, with two for each text of a configuration. `lines` describe the servers.
pub(super) fn taken_apart(values: Vec<(String, Value)>, lines: &[String]) -> Vec<(String, Value)> {
    let parts = values.into_iter().flat_map(|(name, value)| {
        let prefix = name.strip_suffix("data").unwrap_or_default().to_owned();
        match configuration(&value, lines) {
            Some((members, version)) => vec![
                (format!("{prefix}{MEMBERS}"), Value::Set(Some(members))),
                (format!("{prefix}{CONFIG}"), Value::Zxid(version)),
            ],
            None => vec![(name, value)],
        }
    });
    parts.collect()
}

/// The version of the configuration that these values show last, if they show one.
pub(super) fn version(values: &[(String, Value)]) -> Option<i64> {
    let mut versions = values.iter().rev().filter(|(name, _)| name.ends_with(CONFIG));
    versions.find_map(|(_, value)| if let Value::Zxid(zxid) = value { Some(*zxid) } else { None })
}

/// The lines and the version of data that are a configuration.
fn configuration(value: &Value, lines: &[String]) -> Option<(Vec<String>, i64)> {
    let Value::Bytes(Some(bytes)) = value else { return None };
    let (members, version) = std::str::from_utf8(bytes).ok()?.rsplit_once("\nversion=")?;
    let version = i64::from_str_radix(version, 16).ok()?;
    let mut members: Vec<String> = members
        .split('\n')
        .map(|member| {
            let own = placeholders(lines).find(|(_, line)| *line == member);
            own.map_or_else(|| member.to_owned(), |(placeholder, _)| placeholder)
        })
        .collect();
    members.sort_unstable();
    Some((members, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &str) -> Vec<(String, Value)> {
        vec![("0.data".to_owned(), Value::Bytes(Some(text.as_bytes().to_vec())))]
    }

    #[test]
    fn a_configuration_is_a_set_of_lines_and_a_version() {
        let own = ["server.1=h:11:12:participant;h:13".to_owned()];
        let text = format!("server.20=h:1:2:observer;h:3\n{}\nversion=10000000a", own[0]);
        let members = ["server.20=h:1:2:observer;h:3", "{server.1}"].map(str::to_owned).to_vec();
        let taken = taken_apart(data(&text), &own);
        let expected = [
            ("0.members".to_owned(), Value::Set(Some(members))),
            ("0.config".to_owned(), Value::Zxid(0x1_0000_000a)),
        ];
        assert_eq!(taken, expected);
        assert_eq!(version(&taken), Some(0x1_0000_000a));
    }

    #[test]
    fn other_data_stay_as_they_are() {
        for text in
            ["", "version=1", "server.1=h:1:2\nversion=", "server.1=h:1:2\nversion=x", "a\nb"]
        {
            assert_eq!(taken_apart(data(text), &[]), data(text), "{text:?}");
            assert_eq!(version(&data(text)), None);
        }
    }
}
