//! The page that lists the commands.

use std::fmt::Write;

use super::commands::Command;

/// Names of the command that gives the state away.
pub(super) const SNAPSHOT: [&str; 2] = ["snapshot", "snap"];
/// Names of the command that takes one back.
pub(super) const RESTORE: [&str; 2] = ["restore", "rest"];

/// One link a command, in the order of their names.
pub(super) fn page(command_url: &str) -> String {
    let mut names: Vec<_> = Command::ALL.iter().map(|command| command.name()).collect();
    names.extend([SNAPSHOT[0], RESTORE[0]]);
    names.sort_unstable();
    let mut page = String::new();
    let base = command_url.trim_end_matches('/');
    for name in names {
        let _ = writeln!(page, "<a href=\"{base}/{name}\">{name}</a>\n<br/>");
    }
    page
}
