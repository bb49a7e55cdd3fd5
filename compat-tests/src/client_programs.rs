//! The programs that ask client libraries for the behaviours of `clients/behaviours.txt`: compiled
//! from `clients/`, with the libraries fetched once into the cache, in pinned versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::prerequisites::{
    Missing, cache, compile_c, compile_java, done, fetch_client_jars, fetched, files, jdk, missing,
    package_dir, python_with,
};

/// Kept within memory that many of them at once may take.
const JAVA: &[&str] = &["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// The Java sources that need a client of 3.5, 3.6 and 3.7; the others need none newer than 3.4.
const JAVA_LATER: &[&str] = &["Since35.java", "Since36.java", "Since37.java"];

/// The versions of the packages in `clients/npm`.
const NPM: &str = "npm-node-zookeeper-client-1.1.3-zookeeper-7.3.0";

/// A program that can be run.
#[derive(Debug)]
pub struct Program {
    /// To be run once.
    pub command: Command,
    /// What was compiled for it, deleted with this value.
    _dir: Option<TempDir>,
}

/// Apache's Java client in a version.
///
/// # Errors
/// When Maven or the JDK is missing, or the jars cannot be fetched.
pub fn java(version: &str) -> Result<Program, Missing> {
    let jars = fetch_client_jars(version)?.join("*").display().to_string();
    let too_new = match version {
        old if old.starts_with("3.4.") => JAVA_LATER,
        old if old.starts_with("3.5.") => &JAVA_LATER[1..],
        _ => &[],
    };
    let folder = package_dir().join("clients/java");
    let mut sources = files(&folder.join("behaviours/compat"), "java")?;
    sources.retain(|source| !too_new.iter().any(|name| source.ends_with(name)));
    sources.push(folder.join("src/main/java/compat/Harness.java"));
    if version.starts_with("3.4.") {
        let stand_in = "stand-in-3.4/org/apache/zookeeper/client/StaticHostProvider.java";
        sources.push(folder.join(stand_in));
    }
    let dir = scratch()?;
    let mut javac = jdk("javac");
    javac.args(["-nowarn", "-Xlint:-options", "-cp", &jars, "-d"]).arg(dir.path()).args(sources);
    done("the compiled Java program", "install openjdk-17-jdk-headless", javac.output())?;
    let mut command = jdk("java");
    command.args(JAVA).arg("-cp").arg(format!("{}:{jars}", dir.path().display()));
    command.arg("compat.Driver");
    Ok(Program { command, _dir: Some(dir) })
}

/// Apache's shell and Curator, with behaviours of their own.
///
/// # Errors
/// When the JDK or a jar is missing.
pub fn shell_and_curator() -> Result<Program, Missing> {
    let dir = scratch()?;
    let class_path = compile_java(dir.path())?;
    let mut command = jdk("java");
    command.args(JAVA).args(["-cp", &class_path, "compat.Suite"]);
    Ok(Program { command, _dir: Some(dir) })
}

/// The C client of the system.
///
/// # Errors
/// When gcc or the client library is missing.
pub fn c() -> Result<Program, Missing> {
    let dir = scratch()?;
    let command = Command::new(compile_c(dir.path())?);
    Ok(Program { command, _dir: Some(dir) })
}

/// A script of `clients/python`, with a package of PyPI.
///
/// # Errors
/// When Python with venv is missing, or the package cannot be fetched.
pub fn python(script: &str, package: &str) -> Result<Program, Missing> {
    let mut command = Command::new(python_with(package)?);
    command.arg("-B").arg(package_dir().join("clients/python").join(script));
    Ok(Program { command, _dir: None })
}

/// go-zookeeper.
///
/// # Errors
/// When Go is missing, or the module cannot be fetched.
pub fn go() -> Result<Program, Missing> {
    let dir = scratch()?;
    let program = dir.path().join("driver");
    let mut go = Command::new("go");
    go.current_dir(package_dir().join("clients/go-zookeeper"));
    go.args(["build", "-buildvcs=false", "-o"]).arg(&program).arg(".");
    let how = "install golang-go; it must be able to fetch modules";
    done("the compiled Go program", how, go.output())?;
    Ok(Program { command: Command::new(program), _dir: Some(dir) })
}

/// A script of `clients/npm`.
///
/// # Errors
/// When node or npm is missing, or a package cannot be fetched; one is compiled, with a C client
/// that it brings along, which takes cmake and a C++ compiler.
pub fn npm(script: &str) -> Result<Program, Missing> {
    let sources = package_dir().join("clients/npm");
    let modules = fetched(NPM, |part| {
        for file in ["package.json", "package-lock.json"] {
            copy(&sources.join(file), &part.join(file))?;
        }
        let how = "install nodejs, npm, cmake and g++; npm must be able to fetch packages";
        let mut npm = Command::new("npm");
        npm.current_dir(part).args(["ci", "--no-audit", "--no-fund"]);
        done("the npm packages", how, npm.output())
    })?;
    let mut command = Command::new("node");
    command.arg(sources.join(script)).env("NODE_PATH", modules.join("node_modules"));
    Ok(Program { command, _dir: None })
}

/// A binary of `clients/rust`, a workspace of its own that is compiled into the cache.
///
/// # Errors
/// When a crate cannot be fetched.
pub fn rust(binary: &str) -> Result<Program, Missing> {
    let target = cache().join("rust-clients");
    let mut cargo = Command::new("cargo");
    cargo.current_dir(package_dir().join("clients/rust"));
    cargo.env("CARGO_TARGET_DIR", &target).args(["build", "--locked", "--bin", binary]);
    done("the compiled Rust program", "cargo must be able to fetch crates", cargo.output())?;
    Ok(Program { command: Command::new(target.join("debug").join(binary)), _dir: None })
}

fn scratch() -> Result<TempDir, Missing> {
    TempDir::with_prefix("client-").map_err(|error| missing("a directory", "make room", &error))
}

fn copy(from: &Path, to: &PathBuf) -> Result<(), Missing> {
    let what = to.display().to_string();
    fs::copy(from, to).map_err(|error| missing(&what, "write the cache", &error)).map(drop)
}
