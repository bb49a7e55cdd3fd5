//! The table of behaviours and clients in `docs/compatibility.md`: written from runs against both
//! servers, compared with a run against one.
//!
//! What is not a plain yes or – has a note in `clients/notes.txt`, which says why.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use compat_tests::oracle::process::Software;
use compat_tests::prerequisites;

use crate::driver::{Outcome, Outcomes, behaviours};

const BEGIN: &str = "<!-- clients: begin, written by UPDATE_EXPECT=1 -->\n";
const END: &str = "<!-- clients: end -->\n";

/// Works, with ZooKeeper and with Rookery.
const YES: &str = "yes";
/// The library does not offer it.
const UNSUPPORTED: &str = "–";
/// The library fails, with ZooKeeper as with Rookery.
const NO: &str = "no";
/// It works with Rookery and not with ZooKeeper.
const BETTER: &str = "better";
/// It works with ZooKeeper and not with Rookery.
const WORSE: &str = "worse";

/// The columns, left to right.
const CLIENTS: &[&str] = &[
    "Java 3.4.14",
    "Java 3.5.10",
    "Java 3.8.4",
    "Java 3.9.5",
    "C 3.8.0",
    "kazoo 2.10.0",
    "aiozk 0.32.0",
    "go-zookeeper 1.0.4",
    "node-zookeeper-client 1.1.3",
    "zookeeper (npm) 7.3.0",
    "zookeeper-client 0.11.2",
    "tokio-zookeeper 0.4.0",
];

/// One client's cells, by behaviour.
type Column = BTreeMap<String, String>;

/// The document is one; the tests are threads.
static WRITING: Mutex<()> = Mutex::new(());

/// Writes a client's column.
pub(crate) fn write(client: &str, zookeeper: &Outcomes, rookery: &Outcomes) {
    let cell = |(name, _)| {
        let (theirs, ours) = (zookeeper.get(&name), rookery.get(&name));
        let cell = match (theirs, ours) {
            (Some(Outcome::Works), Some(Outcome::Works)) => YES,
            (Some(Outcome::Unsupported), Some(Outcome::Unsupported)) => UNSUPPORTED,
            (Some(Outcome::Fails(_)), Some(Outcome::Fails(_))) => NO,
            (Some(Outcome::Fails(_)), Some(Outcome::Works)) => BETTER,
            (Some(Outcome::Works), Some(Outcome::Fails(_))) => WORSE,
            (Some(Outcome::Unsupported), Some(_)) | (Some(_), Some(Outcome::Unsupported)) => {
                panic!("{client} offers {name} with one of the servers only")
            }
            (None, _) | (_, None) => panic!("{client} does not report on {name}"),
        };
        (name, cell.to_owned())
    };
    let column = behaviours().into_iter().map(cell).collect();
    let _guard = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let document = std::fs::read_to_string(path()).unwrap();
    let (before, old, after) = parts(&document);
    let mut columns: BTreeMap<&str, Column> =
        CLIENTS.iter().map(|name| (*name, read(old, name))).collect();
    columns.insert(client, column);
    let (table, unexplained) = render(&columns);
    std::fs::write(path(), format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    assert!(unexplained.is_empty(), "say why in clients/notes.txt: {unexplained:?}");
}

/// Asserts that a run against one server came out as a client's column says, for the behaviours
/// that were asked for.
pub(crate) fn compare(client: &str, software: Software, outcomes: &Outcomes, asked: &[String]) {
    let document = std::fs::read_to_string(path()).unwrap();
    let column = read(parts(&document).1, client);
    let (works_here_only, fails_here_only) = match software {
        Software::Rookery | Software::Faulty => (BETTER, WORSE),
        Software::ZooKeeper => (WORSE, BETTER),
    };
    let mut wrong = String::new();
    for name in asked {
        let cell = column.get(name).map_or("", String::as_str);
        let fits = match outcomes.get(name) {
            Some(Outcome::Works) => [YES, works_here_only].contains(&cell),
            Some(Outcome::Unsupported) => cell == UNSUPPORTED,
            Some(Outcome::Fails(_)) => [NO, fails_here_only].contains(&cell),
            None => false,
        };
        if !fits {
            let outcome = outcomes.get(name);
            writeln!(wrong, "{name}: the table says {cell:?}, this run {outcome:?}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{client} on {software:?}; its report is above\n{wrong}");
}

fn path() -> PathBuf {
    prerequisites::package_dir().join("../docs/compatibility.md")
}

/// What stands before, between and behind the markers.
fn parts(document: &str) -> (&str, &str, &str) {
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    (before, table, after)
}

/// The column of a client in the table as it is, without the numbers of notes.
fn read(table: &str, client: &str) -> Column {
    let cells = |line: &str| {
        let line = line.trim().trim_matches('|').to_owned();
        line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
    };
    let mut lines = table.lines().filter(|line| line.starts_with('|')).map(cells);
    let Some(index) = lines.next().and_then(|it| it.iter().position(|cell| cell == client)) else {
        return Column::new();
    };
    lines
        .map(|row| {
            let cell = row[index].split(' ').next().unwrap_or_default();
            (row[0].clone(), cell.to_owned())
        })
        .collect()
}

/// The table and its notes, and which cells lack one.
fn render(columns: &BTreeMap<&str, Column>) -> (String, Vec<String>) {
    let mut notes = notes();
    let (mut used, mut unexplained) = (Vec::new(), Vec::new());
    let mut out = format!("\n| | behaviour | {} |\n", CLIENTS.join(" | "));
    writeln!(out, "|---|---|{}", "---|".repeat(CLIENTS.len())).unwrap();
    for (name, sentence) in behaviours() {
        write!(out, "| {name} | {sentence} |").unwrap();
        for client in CLIENTS {
            let cell = columns[client].get(&name).map_or("", String::as_str);
            write!(out, " {cell}").unwrap();
            if let Some(note) = notes.remove(&format!("{client} {name}")) {
                let known = used.iter().position(|other| *other == note);
                let number = known.unwrap_or_else(|| {
                    used.push(note);
                    used.len() - 1
                });
                write!(out, " ({})", number + 1).unwrap();
            } else if [NO, BETTER, WORSE].contains(&cell) {
                unexplained.push(format!("{client} {name}"));
            }
            out.push_str(" |");
        }
        out.push('\n');
    }
    out.push('\n');
    for (number, note) in (1..).zip(used) {
        writeln!(out, "{number}. {note}").unwrap();
    }
    out.push('\n');
    assert!(notes.is_empty(), "notes about nothing: {notes:?}");
    (out, unexplained)
}

/// Why a client's cell is as it is, by client and behaviour.
fn notes() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(prerequisites::package_dir().join("clients/notes.txt"));
    let text = text.unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .flat_map(|line| {
            let (keys, note) = line.split_once(": ").unwrap();
            keys.split(", ").map(move |key| (key.to_owned(), note.to_owned()))
        })
        .collect()
}
