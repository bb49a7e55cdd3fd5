//! Style as a test: what a machine can check, a reviewer should not have to.

use std::{fs, path::Path};

use crate::{Problems, bugs, codegen, compat, edges, points, sources};

/// The longest that a file may be, tests included. Generated files are exempt.
const FILE_LINES_MAX: usize = 600;

/// Longer files, each with the reason why it is not split.
const LONG_FILES: &[(&str, &str)] = &[];

/// Crates that must not know time, chance or the environment.
const PURE: &[&str] = &["jute", "proto", "session", "tree"];

/// Checks everything; reports all problems at once.
pub(crate) fn run(root: &Path) -> Result<(), Problems> {
    let mut problems = edges::check(root);
    if let Err(stale) = codegen::run(root, true) {
        problems.extend(stale);
    }
    for file in sources::rust_files(root) {
        match fs::read_to_string(&file.path) {
            Ok(text) => problems.extend(file_problems(&file.name, &text, file.is_generated())),
            Err(error) => problems.push(format!("{}: {error}", file.name)),
        }
    }
    problems.extend(compat::check(root));
    problems.extend(points::check(root));
    problems.extend(bugs::check(root));
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap_or_default();
    let ours = read("clippy.toml");
    for pure in PURE {
        let name = format!("crates/{pure}/clippy.toml");
        problems.extend(clippy_problems(&ours, &name, &read(&name)));
    }
    problems.extend(dependency_problems(&read("Cargo.toml"), &read("docs/dependencies.md")));
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// A module says why it exists, and is not too long to be read.
fn file_problems(name: &str, text: &str, is_generated: bool) -> Problems {
    let mut problems = Problems::new();
    if !text.starts_with("//!") {
        problems.push(format!("{name}: does not open with `//!` saying why it exists"));
    }
    let lines = text.lines().count();
    let is_exempt = is_generated || LONG_FILES.iter().any(|(exempt, _)| *exempt == name);
    if lines > FILE_LINES_MAX && !is_exempt {
        problems.push(format!("{name}: {lines} lines; split it below {FILE_LINES_MAX}"));
    }
    problems
}

/// Clippy takes the nearest file and merges nothing: thresholds must be repeated.
fn clippy_problems(ours: &str, name: &str, theirs: &str) -> Problems {
    let lacks = |line: &str| format!("{name}: lacks `{line}` of the top clippy.toml");
    let missing = ours.lines().filter(|line| !theirs.contains(line)).map(lacks);
    let mut problems: Problems = missing.collect();
    if !theirs.contains("std::time::Instant::now") {
        problems.push(format!("{name}: a pure crate must disallow clocks"));
    }
    problems
}

/// Every direct dependency has a line in docs/dependencies.md, and every line is of one.
fn dependency_problems(manifest: &str, document: &str) -> Problems {
    let (_, rest) = manifest.split_once("[workspace.dependencies]").unwrap_or_default();
    let table = rest.split_once("\n[").map_or(rest, |(table, _)| table);
    let entries = table.lines().filter(|line| !line.starts_with('#') && !line.contains("path ="));
    let used: Vec<&str> =
        entries.filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim()).collect();
    let first_cells =
        document.lines().filter_map(|line| line.strip_prefix("| ")?.split('|').next());
    let documented: Vec<&str> =
        first_cells.flat_map(|cell| cell.split(',')).map(str::trim).collect();
    let missing = used.iter().filter(|name| !documented.contains(name));
    let mut problems: Problems =
        missing.map(|name| format!("docs/dependencies.md has no line for {name}")).collect();
    let unused = documented.iter().filter(|name| **name != "crate" && !used.contains(name));
    problems.extend(unused.map(|name| format!("docs/dependencies.md: {name} is not used")));
    problems
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(problems: &Problems, expected: &Expect) {
        expected.assert_eq(&problems.join("\n"));
    }

    #[test]
    fn modules_say_why_and_are_short() {
        let long = format!("//! Why.\n{}", "\n".repeat(FILE_LINES_MAX));
        check(&file_problems("a.rs", "//! Why.\n", false), &expect![""]);
        check(&file_problems("a.rs", &long, true), &expect![""]);
        check(
            &file_problems("a.rs", &long, false),
            &expect!["a.rs: 601 lines; split it below 600"],
        );
        check(
            &file_problems("a.rs", "use b;\n", false),
            &expect!["a.rs: does not open with `//!` saying why it exists"],
        );
    }

    #[test]
    fn clippy_files_repeat_the_thresholds() {
        let theirs = "a = 1\n{ path = \"std::time::Instant::now\" }\n";
        check(&clippy_problems("a = 1\n", "x", theirs), &expect![""]);
        check(
            &clippy_problems("a = 1\nb = 2\n", "x", "a = 1\n"),
            &expect![[r"
                x: lacks `b = 2` of the top clippy.toml
                x: a pure crate must disallow clocks"]],
        );
    }

    #[test]
    fn dependencies_are_explained_and_used() {
        let manifest = "[workspace.dependencies]\n# Ours.\nours = { path = \"x\" }\nnom = \"8\"\n\
                        toml = \"1\"\n\n[workspace.lints]\n";
        let document = "| crate | for |\n|---|---|\n| nom, serde | parsing |\n";
        check(
            &dependency_problems(manifest, document),
            &expect![[r"
                docs/dependencies.md has no line for toml
                docs/dependencies.md: serde is not used"]],
        );
    }
}
