//! The table of what was compared, by operation, in `docs/compatibility.md`.

use std::fmt::Write;

use super::tally::{Outcomes, Tally};
use crate::script::UNKNOWN;
use crate::script::catalogue::{OPERATIONS, error_name};

/// The marks around the table in the document.
const BEGIN: &str = "<!-- begin: written by `cargo xtask oracle --write-table` -->";
const END: &str = "<!-- end -->";

/// A document without a place for the table.
#[derive(Debug, thiserror::Error)]
#[error("the document has no line {0}")]
pub struct TableError(&'static str);

/// The document with the table of these counts in place of the one it has.
///
/// # Errors
/// When the marks around the table are missing.
pub fn rewrite(document: &str, tally: &Tally) -> Result<String, TableError> {
    let (before, rest) = document.split_once(BEGIN).ok_or(TableError(BEGIN))?;
    let (_, after) = rest.split_once(END).ok_or(TableError(END))?;
    Ok(format!("{before}{BEGIN}\n\n{}\n{END}{after}", table(tally)))
}

/// The operations that stand in the table of a document.
///
/// # Errors
/// When the marks around the table are missing.
pub fn listed(document: &str) -> Result<Vec<String>, TableError> {
    let (_, rest) = document.split_once(BEGIN).ok_or(TableError(BEGIN))?;
    let (table, _) = rest.split_once(END).ok_or(TableError(END))?;
    let rows = table.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let names = rows.filter_map(|row| row.strip_prefix("| ")?.split(" |").next());
    Ok(names.map(str::to_owned).collect())
}

/// All names under which requests are counted.
pub fn names() -> Vec<&'static str> {
    let operations = OPERATIONS.iter().map(|operation| operation.name);
    ["connect"].into_iter().chain(operations).chain([UNKNOWN]).collect()
}

/// A table of one row for each operation.
pub fn table(tally: &Tally) -> String {
    let mut text = format!("{} requests were compared.\n\n", thousands(tally.total()));
    text.push_str("| operation | compared | done | refused, and how | Rookery |\n");
    text.push_str("|---|---|---|---|---|\n");
    for name in names() {
        let outcomes = tally.of(name);
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} |",
            thousands(outcomes.total()),
            thousands(outcomes.succeeded()),
            refusals(&outcomes),
            verdict(name)
        );
    }
    text
}

fn refusals(outcomes: &Outcomes) -> String {
    let mut all: Vec<String> = outcomes
        .codes
        .iter()
        .rev()
        .filter(|&(&code, _)| code != 0)
        .map(|(&code, &count)| format!("{} {}", error_name(code), thousands(count)))
        .collect();
    if outcomes.closed > 0 {
        all.push(format!("the connection was closed {}", thousands(outcomes.closed)));
    }
    all.join(", ")
}

/// What holds besides the comparison.
fn verdict(operation: &str) -> &'static str {
    match operation {
        "deleteContainer" => "not for clients: -6, and the connection is closed; see below",
        "createSession" => "not for clients: -6, and the connection is closed; see below",
        "connect" => {
            "works; a wrong password does not end the live connection, and resuming a session at \
             another server ends the old one at once"
        }
        "create" | "create2" | "createContainer" | "createTTL" => {
            "works; flags that do not fit the operation: see `create-flags`"
        }
        "auth" => "works; the reply comes in its turn",
        "multi" => "works; hard quotas count what is before an element in the same multi",
        "setACL" => "works; holds for requests that are on their way",
        "reconfig" => "works; what is refused otherwise: see below",
        _ => "works",
    }
}

/// With a comma between thousands.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_replaces_the_one_before_and_nothing_else() {
        let mut tally = Tally::default();
        tally.note("create", 0);
        tally.note("create", -110);
        let document = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let written = rewrite(&document, &tally).unwrap();
        assert!(written.starts_with("before\n") && written.ends_with("\nafter\n"));
        assert!(written.contains("| create | 2 | 1 | NodeExists 1 |"));
        assert_eq!(listed(&written).unwrap(), names());
        assert_eq!(rewrite(&written, &tally).unwrap(), written);
    }

    #[test]
    fn long_numbers_can_be_read() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }
}
