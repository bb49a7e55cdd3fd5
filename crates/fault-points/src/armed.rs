//! What a point does in a test build, and the file that says so.
//!
//! Each line of the file is `name=actions`, in the language of the crate `fail` with three
//! words of ours in `return(...)`: `crash`, `fail`, and `stall` with milliseconds. So
//! `log.sync=20*off->1*return(crash)` crashes at the twenty-first pass. The file is read once
//! before anything else and then over and over, so that a server can be armed while it runs; it
//! says so, with the first line, which may be a comment: `# text`.

use std::{
    collections::BTreeMap,
    env, fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use crate::{FILE_VARIABLE, Failing, Point};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The points that are armed, and their actions.
type Armed = BTreeMap<String, String>;

/// What happens at an armed point, if the process goes on.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Fail,
    Stall(Duration),
}

/// Arms what the file that [`FILE_VARIABLE`] names says, and follows its changes on a thread.
/// Without the variable nothing is ever armed.
///
/// # Errors
/// When the file exists and has a line that arms nothing, or no thread is to be had.
pub fn follow_file() -> io::Result<()> {
    let Some(path) = env::var_os(FILE_VARIABLE).map(PathBuf::from) else { return Ok(()) };
    let (mut armed, mut known) = (BTreeMap::new(), String::new());
    look(&path, &mut known, &mut armed)?;
    let follow = move || loop {
        thread::sleep(LOOK_EVERY);
        if let Err(error) = look(&path, &mut known, &mut armed) {
            say(&format!(" file {}: {error}", path.display()));
            std::process::abort();
        }
    };
    thread::Builder::new().name("fault points".to_owned()).spawn(follow)?;
    Ok(())
}

/// Arms what the file says, if that is not what is known. No file arms nothing.
fn look(path: &Path, known: &mut String, armed: &mut Armed) -> io::Result<()> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read?,
    };
    if text == *known {
        return Ok(());
    }
    // Said first: afterwards there may be nobody left to say it.
    say(&format!("s are armed: {}", text.lines().next().unwrap_or_default()));
    arm(&text, armed)?;
    *known = text;
    Ok(())
}

/// Makes the points as the text has them; `armed` is how they were.
fn arm(text: &str, armed: &mut Armed) -> io::Result<()> {
    let mut wanted = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let bad = |why: &str| io::Error::other(format!("{line}: {why}"));
        let (name, actions) = line.split_once('=').ok_or_else(|| bad("expected name=actions"))?;
        let point = Point::from_name(name).ok_or_else(|| bad("there is no such point"))?;
        if actions.contains("(fail)") && point.failing() == Failing::Cannot {
            return Err(bad("this step cannot fail"));
        }
        wanted.insert(name.to_owned(), actions.to_owned());
    }
    for gone in armed.keys().filter(|name| !wanted.contains_key(*name)) {
        fail::remove(gone);
    }
    for (name, actions) in &wanted {
        if armed.get(name) != Some(actions) {
            fail::cfg(name, actions).map_err(io::Error::other)?;
        }
    }
    *armed = wanted;
    Ok(())
}

pub(crate) fn reach(point: Point) -> io::Result<()> {
    match due(point) {
        None => Ok(()),
        Some(Fault::Fail) => Err(failure(point)),
        Some(Fault::Stall(time)) => {
            thread::sleep(time);
            Ok(())
        }
    }
}

pub(crate) async fn reach_in_task(point: Point) -> io::Result<()> {
    match due(point) {
        None => Ok(()),
        Some(Fault::Fail) => Err(failure(point)),
        Some(Fault::Stall(time)) => {
            tokio::time::sleep(time).await;
            Ok(())
        }
    }
}

pub(crate) fn pass(point: Point) {
    match due(point) {
        // A failure was refused when it was to be armed.
        None | Some(Fault::Fail) => {}
        Some(Fault::Stall(time)) => thread::sleep(time),
    }
}

fn failure(point: Point) -> io::Error {
    io::Error::other(format!("armed to fail at {}", point.name()))
}

/// What is to happen; does not return from a crash.
fn due(point: Point) -> Option<Fault> {
    let word = fail::eval(point.name(), Option::unwrap_or_default)?;
    say(&format!(" at {}: {word}", point.name()));
    match word.split_once(' ') {
        // As a power failure: nothing is cleaned up, nobody is told.
        None if word == "crash" => std::process::abort(),
        None if word == "fail" => Some(Fault::Fail),
        Some(("stall", ms)) => ms.parse().ok().map(|ms| Fault::Stall(Duration::from_millis(ms))),
        _ => {
            say(" is armed with none of crash, fail, stall MILLISECONDS");
            std::process::abort()
        }
    }
}

#[expect(clippy::print_stderr, reason = "a test build tells its test what it does")]
fn say(what: &str) {
    eprintln!("fault point{what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_arms_and_disarms_and_is_refused_when_it_says_nothing() {
        let mut armed = Armed::new();
        reach(Point::LogSync).unwrap();

        let text = "# a comment\nlog.sync=1*off->1*return(fail)\nlog.tell=return(stall 1)\n";
        arm(text, &mut armed).unwrap();
        reach(Point::LogSync).unwrap();
        let error = reach(Point::LogSync).unwrap_err().to_string();
        assert_eq!(error, "armed to fail at log.sync");
        reach(Point::LogSync).unwrap();
        pass(Point::LogTell);

        let mut refused = |text| arm(text, &mut armed).unwrap_err().to_string();
        assert!(refused("log.tell=return(fail)\n").contains("cannot fail"));
        assert!(refused("log.snyc=return(fail)\n").contains("no such point"));
        arm("", &mut armed).unwrap();
        pass(Point::LogTell);
    }
}
