//! The Rust files of the project.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where they are.
const FOLDERS: &[&str] = &["benches", "compat-tests", "crates", "fuzz"];

/// A Rust file.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// From the top of the checkout, for people.
    pub(crate) name: String,
    /// Where to read it.
    pub(crate) path: PathBuf,
}

impl SourceFile {
    /// Whether `cargo xtask codegen` wrote it.
    pub(crate) fn is_generated(&self) -> bool {
        self.path.components().any(|part| part.as_os_str() == "generated")
    }
}

/// All of them, sorted by name.
pub(crate) fn rust_files(root: &Path) -> Vec<SourceFile> {
    let mut found = Vec::new();
    let mut folders: Vec<_> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
                found.push(SourceFile { name, path });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}
