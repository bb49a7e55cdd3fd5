//! Writes the Rust that is generated from `jute-schemas/`, or checks that it is current.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use jute_codegen::{Generated, Nullable, Source, generate};

use crate::Problems;

/// Schema files, in the order in which they are read, and where their Rust goes.
const TARGETS: &[(&str, &str)] = &[
    ("data.jute", "crates/proto/src/generated/data.rs"),
    ("proto.jute", "crates/proto/src/generated/proto.rs"),
    ("command.jute", "crates/raft-log/src/generated/command.rs"),
    ("peer.jute", "crates/raft-log/src/generated/peer.rs"),
];

/// Writes, or with `check` only compares.
pub(crate) fn run(root: &Path, check: bool) -> Result<(), Problems> {
    let mut stale = Vec::new();
    for (target, text) in generated(root).map_err(|problem| vec![problem])? {
        let path = root.join(target);
        if fs::read_to_string(&path).is_ok_and(|current| current == text) {
            continue;
        }
        if check {
            stale.push(format!("{target} is not current: run `cargo xtask codegen`"));
        } else {
            let folder = path.parent().expect("targets are files in folders");
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(&path, text))
                .map_err(|error| vec![format!("{target}: {error}")])?;
        }
    }
    if stale.is_empty() { Ok(()) } else { Err(stale) }
}

fn generated(root: &Path) -> Result<Vec<(&'static str, String)>, String> {
    let folder = root.join("jute-schemas");
    let read = |name: &str| {
        fs::read_to_string(folder.join(name))
            .map_err(|error| format!("jute-schemas/{name}: {error}"))
    };
    let nullable = Nullable::parse(&read("nullable.toml")?).map_err(|error| error.to_string())?;
    let texts = TARGETS.iter().map(|(name, _)| read(name)).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<_> = TARGETS.iter().map(|(name, _)| format!("jute-schemas/{name}")).collect();
    let sources: Vec<_> =
        names.iter().zip(&texts).map(|(name, text)| Source { name, text }).collect();
    let modules = generate(&sources, &nullable).map_err(|error| error.to_string())?;
    let formatted = TARGETS.iter().zip(&modules);
    formatted.map(|((_, target), module)| Ok((*target, format(root, module)?))).collect()
}

/// The text as rustfmt writes it, with the project's settings.
fn format(root: &Path, module: &Generated) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("rustfmt: {error}");
    let mut rustfmt = Command::new("rustfmt")
        .arg("--config-path")
        .arg(root)
        .args(["--edition", "2024"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut input = rustfmt.stdin.take().expect("it was asked for");
    input.write_all(module.text.as_bytes()).map_err(failed)?;
    drop(input);
    let output = rustfmt.wait_with_output().map_err(failed)?;
    if !output.status.success() {
        return Err(format!("rustfmt does not take what was generated for {}", module.module));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("rustfmt: {error}"))
}

#[cfg(test)]
mod tests {
    use crate::root;

    #[test]
    fn generated_code_is_current() {
        assert_eq!(super::run(&root(), true), Ok(()));
    }
}
