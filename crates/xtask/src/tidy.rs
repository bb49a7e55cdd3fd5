//! Style as a test: what a machine can check, a reviewer should not have to.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{Problems, codegen, edges};

/// The longest a file may be, tests included. Tables and generated files are exempt.
const FILE_LINES_MAX: usize = 600;

/// Checks everything; reports all problems at once.
pub(crate) fn run(root: &Path) -> Result<(), Problems> {
    let mut problems = edges::check(root);
    if let Err(stale) = codegen::run(root, true) {
        problems.extend(stale);
    }
    let mut compat = BTreeSet::new();
    for path in rust_files(root) {
        match fs::read_to_string(&path) {
            Ok(text) => check_file(root, &path, &text, &mut problems, &mut compat),
            Err(error) => problems.push(format!("{}: {error}", path.display())),
        }
    }
    check_compat(root, &compat, &mut problems);
    check_clippy_files(root, &mut problems);
    check_dependencies(root, &mut problems);
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn check_file(
    root: &Path,
    path: &Path,
    text: &str,
    problems: &mut Problems,
    compat: &mut BTreeSet<String>,
) {
    let name = path.strip_prefix(root).unwrap_or(path).display();
    if !text.starts_with("//!") {
        problems.push(format!("{name}: does not open with `//!` saying why it exists"));
    }
    let generated = path.components().any(|part| part.as_os_str() == "generated");
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX && !generated {
        problems.push(format!("{name}: {lines} lines; split it below {FILE_LINES_MAX}"));
    }
    for note in text.split("Compat(").skip(1) {
        if let Some((tag, _)) = note.split_once(')')
            && !tag.is_empty()
            && tag.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        {
            compat.insert(tag.to_owned());
        }
    }
}

/// Every tagged quirk in the code is listed, and every listed tag is in the code.
fn check_compat(root: &Path, tags: &BTreeSet<String>, problems: &mut Problems) {
    let listed = fs::read_to_string(root.join("docs/compatibility.md")).unwrap_or_default();
    for tag in tags {
        if !listed.contains(&format!("`{tag}`")) {
            problems.push(format!("docs/compatibility.md does not list `{tag}`"));
        }
    }
}

/// Clippy takes the nearest file and merges nothing: the thresholds must be repeated.
fn check_clippy_files(root: &Path, problems: &mut Problems) {
    let ours = fs::read_to_string(root.join("clippy.toml")).unwrap_or_default();
    for pure in ["jute", "proto", "tree", "session"] {
        let name = format!("crates/{pure}/clippy.toml");
        let theirs = fs::read_to_string(root.join(&name)).unwrap_or_default();
        for line in ours.lines().filter(|line| !theirs.contains(line)) {
            problems.push(format!("{name}: lacks `{line}` of the top clippy.toml"));
        }
        if !theirs.contains("std::time::Instant::now") {
            problems.push(format!("{name}: a pure crate must disallow clocks"));
        }
    }
}

/// Every direct dependency has a line in docs/dependencies.md.
fn check_dependencies(root: &Path, problems: &mut Problems) {
    let documented = fs::read_to_string(root.join("docs/dependencies.md")).unwrap_or_default();
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
    let declared = manifest
        .split_once("[workspace.dependencies]")
        .map_or("", |(_, rest)| rest.split_once("\n[").map_or(rest, |(table, _)| table));
    for line in declared.lines().filter(|line| !line.contains("path =")) {
        let Some((name, _)) = line.split_once('=') else { continue };
        let name = name.trim();
        let words = || documented.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
        if !name.starts_with('#') && !words().any(|word| word == name) {
            problems.push(format!("docs/dependencies.md has no line for {name}"));
        }
    }
}

fn rust_files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.join("crates"), root.join("compat-tests"), root.join("benches")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
