//! Damaged data out of the way, so that its server can begin anew under the same number.
//!
//! Nothing is deleted: a person may want to look at it, and if all servers are damaged it is
//! all there is. What takes its place says that this server had data once, so that it never
//! founds a cluster of empty servers; it can only join the one it belonged to.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use fault_points::{Point, reach};

use crate::{
    data_dir::{FOLDER, Identity, lock, sync_folder_of, write_atomically},
    error::StoreError,
};

/// What was set aside first; later ones have a number behind it, from 2 on.
const DAMAGED: &str = "rookery.damaged";
/// How often data is set aside before somebody has to look at the disk.
const TIMES_MAX: u32 = 9;
/// What is to take its place.
const NEW: &str = "rookery.new";

/// Moves what is in a data directory, and in its log directory, to `rookery.damaged` beside
/// it, or to that with a number if something lies there already, and leaves an empty one of
/// another identity. `draw` gives random numbers. Returns where the data is now. Interrupted
/// at any point, it is finished at the next start.
///
/// # Errors
/// [`StoreError`]: another server uses it, it was done too often, or what the system says.
pub fn set_aside(
    data_dir: &Path,
    log_dir: &Path,
    mut draw: impl FnMut() -> u64,
) -> Result<PathBuf, StoreError> {
    let live = data_dir.join(FOLDER);
    let _held = lock(&live.join("LOCK"), data_dir)?;
    let new = data_dir.join(NEW);
    remove(&new)?;
    reach(Point::AsideCreate).and_then(|()| fs::create_dir(&new)).map_err(StoreError::io(&new))?;
    let identity = Identity { may_found: false, ..Identity::draw(&mut draw) };
    write_atomically(&new.join("IDENTITY"), identity.to_text().as_bytes())?;
    let name = free_name(data_dir, log_dir)?;
    let damaged = data_dir.join(&name);
    // The log first: a checkpoint without a log is known to be odd, and this is done again.
    if log_dir != data_dir {
        rename(&log_dir.join(FOLDER), &log_dir.join(&name), Point::AsideRenameLog)?;
    }
    rename(&live, &damaged, Point::AsideRenameData)?;
    finish_setting_aside(data_dir)?;
    Ok(damaged)
}

/// Gives the new folder its name, if the old one has gone.
pub(crate) fn finish_setting_aside(data_dir: &Path) -> Result<(), StoreError> {
    let (live, new) = (data_dir.join(FOLDER), data_dir.join(NEW));
    if live.exists() || !new.exists() {
        return Ok(());
    }
    let renamed = (|| {
        reach(Point::AsideRenameNew)?;
        fs::rename(&new, &live)?;
        reach(Point::AsideSyncNew)?;
        sync_folder_of(&live)
    })();
    renamed.map_err(StoreError::io(&live))
}

/// A name that is free in both directories.
fn free_name(data_dir: &Path, log_dir: &Path) -> Result<String, StoreError> {
    let name = |time: u32| match time {
        1 => DAMAGED.to_owned(),
        later => format!("{DAMAGED}-{later}"),
    };
    let is_free = |name: &String| !data_dir.join(name).exists() && !log_dir.join(name).exists();
    (1..=TIMES_MAX).map(name).find(is_free).ok_or_else(|| StoreError::Damaged {
        path: data_dir.join(DAMAGED),
        what: format!(
            "and {TIMES_MAX} times before: look at the disk, and delete what was set aside and is \
             not needed"
        ),
    })
}

fn rename(from: &Path, to: &Path, point: Point) -> Result<(), StoreError> {
    match reach(point).and_then(|()| fs::rename(from, to)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed
            .and_then(|()| reach(Point::AsideSyncFolder))
            .and_then(|()| sync_folder_of(to))
            .map_err(StoreError::io(from)),
    }
}

fn remove(folder: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::Io { path: folder.to_owned(), error })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_dir::DataDir;

    fn open(data: &Path, log: &Path) -> DataDir {
        DataDir::open(data, log, rand_like()).unwrap()
    }

    fn rand_like() -> impl FnMut() -> u64 {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        || NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    #[test]
    fn what_was_there_is_kept_and_the_server_is_another_that_never_founds() {
        let (data, log) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (data, log) = (data.path(), log.path());
        let before = open(data, log).identity();
        assert!(before.may_found);
        fs::write(log.join("rookery/kept"), "log").unwrap();
        let aside = set_aside(data, log, rand_like()).unwrap();
        assert!(aside.join("IDENTITY").exists());
        assert_eq!(fs::read(log.join("rookery.damaged/kept")).unwrap(), b"log");
        for _ in 0..2 {
            let after = open(data, log).identity();
            assert_ne!(after.node, before.node);
            assert!(!after.may_found);
        }
    }

    #[test]
    fn data_that_was_set_aside_is_never_deleted_and_there_is_an_end_to_it() {
        let (data, log) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (data, log) = (data.path(), log.path());
        for time in 1..=TIMES_MAX {
            drop(open(data, log));
            fs::write(log.join("rookery/kept"), time.to_string()).unwrap();
            set_aside(data, log, rand_like()).unwrap();
        }
        assert_eq!(fs::read(log.join("rookery.damaged/kept")).unwrap(), b"1");
        assert_eq!(fs::read(log.join("rookery.damaged-9/kept")).unwrap(), b"9");
        drop(open(data, log));
        let error = set_aside(data, log, rand_like()).unwrap_err().to_string();
        assert!(error.contains("look at the disk"), "{error}");
        assert!(!open(data, log).identity().may_found);
    }

    /// The log has its new name and the data does not: what comes then must not be put in its
    /// place.
    #[test]
    fn a_crash_between_log_and_data_keeps_the_log() {
        let (data, log) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (data, log) = (data.path(), log.path());
        drop(open(data, log));
        fs::write(log.join("rookery/kept"), "log").unwrap();
        fs::rename(log.join("rookery"), log.join("rookery.damaged")).unwrap();
        drop(open(data, log));
        let aside = set_aside(data, log, rand_like()).unwrap();
        assert_eq!(aside, data.join("rookery.damaged-2"));
        assert_eq!(fs::read(log.join("rookery.damaged/kept")).unwrap(), b"log");
    }

    #[test]
    fn a_directory_in_use_is_not_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let _held = open(folder.path(), folder.path());
        let error = set_aside(folder.path(), folder.path(), rand_like()).unwrap_err();
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
        assert!(!folder.path().join("rookery.damaged").exists());
    }

    #[test]
    fn a_crash_between_the_renames_does_not_leave_an_empty_server_that_founds() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        drop(open(folder, folder));
        set_aside(folder, folder, rand_like()).unwrap();
        // As it was before the last step.
        fs::rename(folder.join("rookery"), folder.join("rookery.new")).unwrap();
        assert!(!open(folder, folder).identity().may_found);
    }
}
