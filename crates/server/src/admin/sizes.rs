//! How much a directory holds.

use std::{fs, path::Path};

/// Directories deeper than this are not looked into; ours are two deep.
const DEPTH_MAX: usize = 8;

/// The bytes of all files in a directory and below. What cannot be read counts as nothing:
/// files come and go while they are counted.
pub fn directory_size(directory: &Path) -> u64 {
    size_below(directory, DEPTH_MAX)
}

fn size_below(directory: &Path, depth: usize) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let size_of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(metadata) if metadata.is_dir() && depth > 0 => size_below(&entry.path(), depth - 1),
        Ok(_) | Err(_) => 0,
    };
    entries.filter_map(Result::ok).map(size_of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_below_count() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a"), [0; 10]).unwrap();
        fs::create_dir(directory.path().join("b")).unwrap();
        fs::write(directory.path().join("b/c"), [0; 5]).unwrap();
        assert_eq!(directory_size(directory.path()), 15);
        assert_eq!(directory_size(&directory.path().join("gone")), 0);
    }
}
