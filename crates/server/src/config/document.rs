//! `docs/configuration.md`, printed from the table of keys.

use std::fmt::Write;

use super::keys::{Form, Key, SECTIONS, Standing};

/// What stands above the tables.
const PREFACE: &str = include_str!("preface.md");

/// The whole document.
pub fn document() -> String {
    let mut out = String::from(PREFACE);
    for section in SECTIONS {
        let _ = write!(out, "\n## {}\n\n", section.title);
        out.push_str("| key | here | default | what it does |\n|---|---|---|---|\n");
        for key in section.keys {
            row(&mut out, key);
        }
    }
    out
}

fn row(out: &mut String, key: &Key) {
    let name = key
        .name
        .strip_suffix('*')
        .map_or_else(|| format!("`{}`", key.name), |prefix| format!("`{prefix}`…"));
    let form = match key.form {
        Form::Text => "",
        Form::Bool => " (true or false)",
        Form::Int | Form::Long => " (a number)",
    };
    let (standing, note) = match key.standing {
        Standing::Honoured => ("honoured", key.note.to_owned()),
        Standing::Alias(of) => ("alias", format!("another name of `{of}`")),
        Standing::Ignored => ("ignored, with a warning", key.note.to_owned()),
        Standing::Meaningless => ("accepted, without effect", key.note.to_owned()),
        Standing::Refused { except: [], why } => ("refused", why.to_owned()),
        Standing::Refused { except, why } => {
            ("refused", format!("unless it is {}: {why}", except.join(" or ")))
        }
    };
    let _ = writeln!(out, "| {name} | {standing} | {} | {note}{form} |", key.default);
}
