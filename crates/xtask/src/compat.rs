//! Quirks kept for compatibility: noted in the code, listed in `docs/compatibility.md`.
//!
//! A note is a comment `Compat(tag): text`. Its tag is the first cell of a row of the
//! document's tables, and every such row has a note. A note without a tag is a quirk that
//! no operator needs to know; it is only listed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::{Problems, sources};

/// Where the tags are explained.
const DOCUMENT: &str = "docs/compatibility.md";
/// This file speaks of notes without having any.
const NOT_READ: &str = "crates/xtask/src/compat.rs";

/// One note in the code.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Note {
    /// Its tag, if it has one.
    tag: Option<String>,
    /// The rest of its line.
    text: String,
}

/// Compares the tags in the code with those in the document, both ways.
pub(crate) fn check(root: &Path) -> Problems {
    let mut problems = Problems::new();
    let mut noted = BTreeMap::new();
    for (place, note) in notes_of(root, &mut problems) {
        if let Some(tag) = note.tag {
            noted.insert(tag, place);
        }
    }
    let listed = match fs::read_to_string(root.join(DOCUMENT)) {
        Ok(text) => listed(&text),
        Err(error) => {
            problems.push(format!("{DOCUMENT}: {error}"));
            return problems;
        }
    };
    let unlisted = noted.iter().filter(|(tag, _)| !listed.contains(*tag));
    problems.extend(unlisted.map(|(tag, at)| format!("{at}: {DOCUMENT} does not list `{tag}`")));
    let unnoted = listed.iter().filter(|tag| !noted.contains_key(*tag));
    problems.extend(unnoted.map(|tag| format!("{DOCUMENT}: no code has a note `{tag}`")));
    problems
}

/// Every note with its place, one a line.
pub(crate) fn list(root: &Path) -> Result<Vec<String>, Problems> {
    let mut problems = Problems::new();
    let notes = notes_of(root, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let line = |(place, note): (String, Note)| match note.tag {
        Some(tag) => format!("{place}: [{tag}] {}", note.text),
        None => format!("{place}: {}", note.text),
    };
    Ok(notes.into_iter().map(line).collect())
}

fn notes_of(root: &Path, problems: &mut Problems) -> Vec<(String, Note)> {
    let mut notes = Vec::new();
    for file in sources::rust_files(root).iter().filter(|file| file.name != NOT_READ) {
        match fs::read_to_string(&file.path) {
            Ok(text) => notes.extend(
                self::notes(&text)
                    .into_iter()
                    .map(|(line, note)| (format!("{}:{line}", file.name), note)),
            ),
            Err(error) => problems.push(format!("{}: {error}", file.name)),
        }
    }
    notes
}

/// The notes of a file with their lines, from 1. Only comments can be notes.
fn notes(text: &str) -> Vec<(usize, Note)> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let Some((_, comment)) = line.split_once("//") else { continue };
        let Some((_, note)) = comment.split_once("Compat") else { continue };
        let (tag, text) = match note.strip_prefix('(').and_then(|note| note.split_once("):")) {
            Some((tag, text)) if is_tag(tag) => (Some(tag.to_owned()), text),
            _ => match note.strip_prefix(':') {
                Some(text) => (None, text),
                None => continue,
            },
        };
        found.push((number, Note { tag, text: text.trim().to_owned() }));
    }
    found
}

/// The tags of a document: what stands in back-ticks in the first cell of a table's row.
fn listed(text: &str) -> BTreeSet<String> {
    let cell = |line: &str| {
        let (tag, _) = line.trim().strip_prefix("| `")?.split_once("` |")?;
        is_tag(tag).then(|| tag.to_owned())
    };
    text.lines().filter_map(cell).collect()
}

fn is_tag(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_comments_with_or_without_a_tag() {
        let text = "//! Compat(a-tag): one\nlet compat = \"Compat: no\";\n  /// So. Compat: two\n// Compatible\n";
        let note = |tag: Option<&str>, text: &str| Note {
            tag: tag.map(str::to_owned),
            text: text.to_owned(),
        };
        assert_eq!(notes(text), [(1, note(Some("a-tag"), "one")), (3, note(None, "two"))]);
    }

    #[test]
    fn tags_are_first_cells() {
        let text =
            "| tag | what |\n|---|---|\n| `a-tag` | see `other` |\n| `No Tag` | x |\n`b` |\n";
        assert_eq!(listed(text), BTreeSet::from(["a-tag".to_owned()]));
    }
}
