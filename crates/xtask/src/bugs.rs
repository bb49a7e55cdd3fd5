//! Proves the simulation: known bugs are put back, one at a time, and each must be caught.
//!
//! A bug is a patch in `crates/sim/bugs`, with a header that says what it is and which checks
//! must catch it. The patch is applied to a copy of the sources, never to the tree; one that
//! does not apply any more is an error, as is one that the simulation does not catch.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use crate::{Problems, say, simulation};

/// Where the patches are, from the top of the checkout.
const BUGS: &str = "crates/sim/bugs";
/// The line of a patch's header that names the checks that must catch it, any of them.
const CAUGHT_BY: &str = "# Caught by: ";
/// What a line begins with in which the simulation says what it has found.
const FOUND: &str = "caught: ";

/// How many seeds a bug may live through.
pub(crate) const SEEDS: u64 = 200;

/// A known bug.
#[derive(Debug)]
struct Bug {
    name: String,
    patch: PathBuf,
    /// The checks that must catch it.
    caught_by: Vec<String>,
}

/// Puts the bugs back that are asked for (one by its name or number, or `all`), and runs up to
/// `seeds` seeds of each.
pub(crate) fn run(root: &Path, which: &str, seeds: u64) -> Result<(), Problems> {
    let number = format!("{which:0>2}-");
    let is_meant = |bug: &Bug| which == "all" || bug.name == which || bug.name.starts_with(&number);
    let bugs: Vec<Bug> = all(root)?.into_iter().filter(is_meant).collect();
    if bugs.is_empty() {
        return Err(vec![format!("no bug in {BUGS} is called {which}")]);
    }
    // A target folder of its own: cargo takes the same file in two checkouts for the same.
    let target = simulation::target(root)?.with_file_name("sim-bugs");
    let copy = target.join("sources");
    let mut problems = Problems::new();
    for bug in &bugs {
        match put_back_and_run(root, &copy, &target, bug, seeds) {
            Ok(found) => say(&format!("{}: {found}", bug.name)),
            Err(problem) => {
                let problem = format!("{}: {problem}", bug.name);
                say(&problem);
                problems.push(problem);
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn all(root: &Path) -> Result<Vec<Bug>, Problems> {
    let listed = fs::read_dir(root.join(BUGS)).map_err(|error| vec![format!("{BUGS}: {error}")])?;
    let mut bugs = Vec::new();
    for patch in listed.flatten().map(|entry| entry.path()) {
        let Some(name) = patch.file_name().and_then(|name| name.to_str()?.strip_suffix(".patch"))
        else {
            continue;
        };
        let name = name.to_owned();
        let text = fs::read_to_string(&patch).map_err(|error| vec![format!("{name}: {error}")])?;
        let checks = text.lines().find_map(|line| line.strip_prefix(CAUGHT_BY));
        let Some(checks) = checks else {
            return Err(vec![format!("{name}: no line `{CAUGHT_BY}`")]);
        };
        let caught_by = checks.split(',').map(|check| check.trim().to_owned()).collect();
        bugs.push(Bug { name, patch, caught_by });
    }
    bugs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(bugs)
}

/// Whether every bug can still be put back.
pub(crate) fn check(root: &Path) -> Problems {
    let bugs = match all(root) {
        Ok(bugs) => bugs,
        Err(problems) => return problems,
    };
    let applies = |bug: &Bug| match output(apply(bug, root).arg("--check")) {
        Ok((true, _)) => None,
        Ok((false, said)) => Some(format!("{}: the patch does not apply: {said}", bug.name)),
        Err(error) => Some(error),
    };
    bugs.iter().filter_map(applies).collect()
}

/// Puts a bug into these sources, which need not be a repository.
fn apply(bug: &Bug, sources: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("apply").arg(&bug.patch).current_dir(sources).env("GIT_DIR", "/none");
    git
}

/// What the simulation said, or why the net has a hole.
fn put_back_and_run(
    root: &Path,
    copy: &Path,
    target: &Path,
    bug: &Bug,
    seeds: u64,
) -> Result<String, String> {
    copy_sources(root, copy)?;
    let applied = output(&mut apply(bug, copy))?;
    if !applied.0 {
        return Err(format!("the patch does not apply: {}", applied.1));
    }
    // Compiling takes longer than the few seeds that are run.
    let fast = "profile.release.package.raft-log.opt-level=0";
    let build = ["build", "--release", "--quiet", "--config", fast, "--package", "sim"];
    let built = output(simulation::cargo(copy, target).args(build))?;
    if !built.0 {
        return Err(format!("it cannot be built: {}", built.1));
    }
    let began = Instant::now();
    let arguments = ["--until-caught", "--seeds", &seeds.to_string()];
    let (_, said) = output(Command::new(target.join("release/sim")).args(arguments))?;
    let took = began.elapsed().as_secs_f64();
    let found = said.lines().find_map(|line| line.strip_prefix(FOUND));
    let Some(found) = found else {
        let last = said.lines().last().unwrap_or_default();
        return Err(format!("not caught in {seeds} seeds, {took:.0} s: {last}"));
    };
    if !bug.caught_by.iter().any(|check| found.contains(&format!("[{check}]"))) {
        return Err(format!("caught by none of {:?}, but: {found}", bug.caught_by));
    }
    Ok(format!("{took:.1} s: {found}"))
}

/// Runs a command; whether it succeeded, and all that it said.
fn output(command: &mut Command) -> Result<(bool, String), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// Makes `copy` the same as what git knows of the tree, as it is now. Files that are the same
/// already are left alone: they need not be compiled again.
fn copy_sources(root: &Path, copy: &Path) -> Result<(), String> {
    let mut list = Command::new("git");
    list.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let (listed, names) = output(&mut list)?;
    if !listed {
        return Err(format!("git ls-files: {names}"));
    }
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (root.join(name), copy.join(name));
        let wanted = match fs::read(&from) {
            Ok(wanted) => wanted,
            // Deleted and not committed.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // It may not have been there.
                let _ = fs::remove_file(&to);
                continue;
            }
            Err(error) => return Err(format!("{name}: {error}")),
        };
        if fs::read(&to).is_ok_and(|present| present == wanted) {
            continue;
        }
        let folder = to.parent().unwrap_or(copy);
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&to, wanted));
        written.map_err(|error| format!("{}: {error}", to.display()))?;
    }
    Ok(())
}
