//! Every named fault point stands somewhere in the code: the compiler sees to it that every use is
//! listed, this that everything listed is used.

use std::{fs, path::Path};

use fault_points::Point;

use crate::{Problems, sources};

/// Where points are listed and walked, not used.
const ELSEWHERE: &[&str] = &["crates/fault-points/", "crates/xtask/", "compat-tests/"];

/// Looks for the points that nothing comes to.
pub(crate) fn check(root: &Path) -> Problems {
    let mut text = String::new();
    let mut problems = Problems::new();
    for file in sources::rust_files(root) {
        if ELSEWHERE.iter().any(|folder| file.name.starts_with(folder)) {
            continue;
        }
        match fs::read_to_string(&file.path) {
            Ok(found) => text += &found,
            Err(error) => problems.push(format!("{}: {error}", file.name)),
        }
    }
    problems.extend(unused(&text));
    problems
}

fn unused(text: &str) -> Problems {
    let words: Vec<&str> =
        text.split(|letter: char| !letter.is_alphanumeric() && letter != ':').collect();
    let is_used = |point: &Point| words.contains(&format!("Point::{point:?}").as_str());
    let unused = Point::ALL.iter().filter(|point| !is_used(point));
    unused.map(|point| format!("crates/fault-points: nothing comes to {}", point.name())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_used_by_its_whole_name() {
        let all = Point::ALL.len();
        assert_eq!(unused("").len(), all);
        let without = unused("reach(Point::LogSync)?; pass(Point::LogTellMore)");
        assert_eq!(without.len(), all - 1);
        assert!(!without.iter().any(|problem| problem.ends_with(" log.sync")));
    }
}
