//! Which files a server's data is in, without looking into them: to see that another disk was
//! mounted, or a folder put back, while a server waits that could not use what was there.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use crate::data_dir::FOLDER;

/// Where the parts of a server's data lie: the file system of each, and its number there. What
/// is changed within the same files and folders does not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(Vec<Option<(u64, u64)>>);

impl Place {
    /// As it is now. What cannot be looked at counts as missing.
    pub fn of(data_dir: &Path, log_dir: &Path) -> Self {
        let (data, log) = (data_dir.join(FOLDER), log_dir.join(FOLDER));
        let parts = [
            data_dir.to_owned(),
            data.join("checkpoint"),
            data,
            log_dir.to_owned(),
            log.join("log"),
            log.join("mark"),
            log,
        ];
        let place = |part| fs::metadata(part).ok().map(|found| (found.dev(), found.ino()));
        Self(parts.iter().map(place).collect())
    }

    /// The same with what was missing where `later` has it: a start makes what is missing.
    #[must_use]
    pub fn filled_from(&self, later: &Self) -> Self {
        let parts = self.0.iter().zip(&later.0);
        Self(parts.map(|(part, later)| part.or(*later)).collect())
    }

    /// Whether something is missing that was there `before`.
    pub fn lacks_some_of(&self, before: &Self) -> bool {
        self.0.iter().zip(&before.0).any(|(now, before)| now.is_none() && before.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_dir::DataDir;

    #[test]
    fn another_folder_in_its_place_shows_and_what_a_start_makes_is_told_apart() {
        let (data, log) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (data, log) = (data.path(), &log.path().join("log"));
        fs::create_dir(log).unwrap();
        let place = || Place::of(data, log);
        let empty = place();
        drop(DataDir::open(data, log, || 7).unwrap());
        let made = place();
        assert_ne!(made, empty);
        assert_eq!(empty.filled_from(&made), made);
        assert!(!made.lacks_some_of(&empty));

        let away = log.with_extension("away");
        fs::rename(log, &away).unwrap();
        assert!(place().lacks_some_of(&made));
        fs::create_dir_all(log.join(FOLDER)).unwrap();
        let other = place();
        assert_ne!(other.filled_from(&made), made, "what was there is another folder now");
        assert!(!other.lacks_some_of(&made));
        fs::remove_dir_all(log).unwrap();
        fs::rename(&away, log).unwrap();
        assert_eq!(place(), made);
    }

    #[test]
    fn opening_what_is_there_once_more_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        drop(DataDir::open(folder, folder, || 7).unwrap());
        let before = Place::of(folder, folder);
        drop(DataDir::open(folder, folder, || 7).unwrap());
        assert_eq!(Place::of(folder, folder), before);
    }
}
