//! What the tests with real clients need, fetched once into a cache, in pinned versions.
//!
//! Nothing is skipped when something is missing: [`Missing`] says what, and how to get it.
//! Debian packages are not installed here: `deploy/prerequisites test` does that.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::oracle::process::{faulty_binary, rookery_binary as binary_under_test};

/// The release of kazoo under test.
const KAZOO: &str = "kazoo==2.10.0";

/// Several tests may want the same thing at once; it is fetched once.
static FETCHING: Mutex<()> = Mutex::new(());

/// Something that is not there, and how to get it.
#[derive(Debug, thiserror::Error)]
#[error("{what} is missing: {how}")]
pub struct Missing {
    what: String,
    how: String,
}

/// Where fetched things are kept: `ROOKERY_CACHE`, or `.cache/rookery` in the home directory.
pub fn cache() -> PathBuf {
    std::env::var_os("ROOKERY_CACHE").map_or_else(
        || std::env::home_dir().unwrap_or_default().join(".cache/rookery"),
        PathBuf::from,
    )
}

/// The folder of this package, which holds the clients' sources.
pub fn package_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The binary under test.
///
/// # Errors
/// When it has not been built.
pub fn rookery_binary() -> Result<PathBuf, Missing> {
    let path = binary_under_test();
    if path.is_file() {
        return Ok(path);
    }
    let how = "build it in the profile of the tests (cargo build --release -p cli), \
               or name another one in ROOKERY_BIN";
    Err(Missing { what: path.display().to_string(), how: how.to_owned() })
}

/// The binary under test with fault points.
///
/// # Errors
/// When it has not been built.
pub fn rookery_faults_binary() -> Result<PathBuf, Missing> {
    let path = faulty_binary();
    if path.is_file() {
        return Ok(path);
    }
    let how = "build it (cargo build --release -p cli --features fault-points --bin \
               rookery-faults), or name another one in ROOKERY_FAULTS_BIN";
    Err(Missing { what: path.display().to_string(), how: how.to_owned() })
}

/// The folder with the jars of the real ZooKeeper server.
///
/// # Errors
/// When Maven is missing or cannot fetch them.
pub fn zookeeper_jars() -> Result<PathBuf, Missing> {
    let pom = package_dir().join("zookeeper/pom.xml");
    fetch_jars(&pom, "zookeeper-3.9.5")
}

/// The folder with the jars of the Java clients.
///
/// # Errors
/// When Maven is missing or cannot fetch them.
pub fn java_client_jars() -> Result<PathBuf, Missing> {
    let pom = package_dir().join("clients/java/pom.xml");
    fetch_jars(&pom, "java-clients-5.9.0")
}

/// A Python that has kazoo.
///
/// # Errors
/// When Python with venv is missing, or kazoo cannot be fetched.
pub fn python_with_kazoo() -> Result<PathBuf, Missing> {
    python_with(KAZOO)
}

/// A Python that has a package of PyPI, named with its version.
pub(crate) fn python_with(package: &str) -> Result<PathBuf, Missing> {
    let _guard = FETCHING.lock();
    let dir = cache().join(package.replace("==", "-"));
    let python = dir.join("bin/python");
    let complete = dir.join("complete");
    if complete.is_file() {
        return Ok(python);
    }
    let venv = Command::new("python3").args(["-m", "venv", "--clear"]).arg(&dir).output();
    done("a Python environment", "install python3 and python3-venv", venv)?;
    let pip = Command::new(&python).args(["-m", "pip", "install", "--quiet", package]).output();
    done(package, "pip must be able to fetch it from PyPI", pip)?;
    fs::write(&complete, package).map_err(|error| missing(package, "write the cache", &error))?;
    Ok(python)
}

/// A program of this machine, looked for as a shell does, and in `/usr/sbin`.
///
/// # Errors
/// When it is not there; `how` says how to get it.
pub fn program(name: &str, how: &str) -> Result<PathBuf, Missing> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let sbin = PathBuf::from("/usr/sbin");
    let mut places = std::env::split_paths(&path).chain([sbin]).map(|dir| dir.join(name));
    let absent = || Missing { what: name.to_owned(), how: how.to_owned() };
    places.find(|place| place.is_file()).ok_or_else(absent)
}

/// Compiles the Java suite into `to` and returns its class path.
///
/// # Errors
/// When the JDK is missing, or the suite does not compile.
pub fn compile_java(to: &Path) -> Result<String, Missing> {
    let jars = java_client_jars()?.join("*").display().to_string();
    let folder = package_dir().join("clients/java/src/main/java/compat");
    compile_java_folders(&[folder], &jars, to)?;
    Ok(format!("{}:{jars}", to.display()))
}

/// A program of the JDK. Texts are UTF-8 to it: where no locale is set it takes them for ASCII.
pub fn jdk(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C.UTF-8");
    command
}

/// Compiles all Java sources that lie in these folders into `to`.
///
/// # Errors
/// When the JDK is missing, or they do not compile.
pub fn compile_java_folders(folders: &[PathBuf], jars: &str, to: &Path) -> Result<(), Missing> {
    let mut javac = jdk("javac");
    javac.args(["-nowarn", "-Xlint:-options", "-proc:none", "-cp", jars, "-d"]).arg(to);
    for folder in folders {
        javac.args(files(folder, "java")?);
    }
    done("the compiled Java sources", "install openjdk-17-jdk-headless", javac.output())
}

/// The files of a folder with this ending, in the order of their names.
pub(crate) fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, Missing> {
    let mut files = fs::read_dir(folder)
        .and_then(|all| all.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>())
        .map_err(|error| missing(&folder.display().to_string(), "read it", &error))?;
    files.retain(|file| file.extension().is_some_and(|it| it == ending));
    files.sort();
    Ok(files)
}

/// Compiles the C program into `to` and returns the program.
///
/// # Errors
/// When gcc or the client library is missing, or it does not compile.
pub(crate) fn compile_c(to: &Path) -> Result<PathBuf, Missing> {
    let program = to.join("driver");
    let folder = package_dir().join("clients/c");
    let sources = files(&folder, "c")?;
    let mut gcc = Command::new("gcc");
    // Named without the folder, as its reports name them.
    gcc.current_dir(&folder).args(["-std=gnu11", "-O1", "-Wall", "-Werror", "-DTHREADED"]);
    gcc.arg("-o").arg(&program).args(sources.iter().filter_map(|source| source.file_name()));
    gcc.args(["-lzookeeper_mt", "-lpthread"]);
    done("the compiled C program", "install gcc and libzookeeper-mt-dev", gcc.output())?;
    Ok(program)
}

/// Compiles the judge of histories into `to` and returns the program.
///
/// # Errors
/// When Go is missing, or what it needs cannot be fetched.
pub fn build_go(to: &Path) -> Result<PathBuf, Missing> {
    let program = to.join("judge");
    let mut go = Command::new("go");
    go.current_dir(package_dir().join("clients/go"));
    // Not stamped with the version of the checkout, which may be none.
    go.args(["build", "-buildvcs=false", "-o"]).arg(&program).arg(".");
    let how = "install golang-go; it must be able to fetch modules";
    done("the compiled judge of histories", how, go.output())?;
    Ok(program)
}

/// The folder with the jars of Apache's Java client in a version, without a server's.
pub(crate) fn fetch_client_jars(version: &str) -> Result<PathBuf, Missing> {
    let pom = package_dir().join("clients/java/versions/pom.xml");
    copy_dependencies(&pom, &format!("java-client-{version}"), &format!("-Dclient={version}"))
}

/// Copies what a pom depends on into a folder of the cache.
pub(crate) fn fetch_jars(pom: &Path, name: &str) -> Result<PathBuf, Missing> {
    copy_dependencies(pom, name, "-Drookery")
}

fn copy_dependencies(pom: &Path, name: &str, define: &str) -> Result<PathBuf, Missing> {
    fetched(name, |part| {
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "dependency:copy-dependencies", define, "-f"]).arg(pom);
        maven.arg(format!("-DoutputDirectory={}", part.display()));
        let how = "install maven; it must be able to fetch them from Maven Central";
        done(&format!("{name} (jars of {})", pom.display()), how, maven.output())
    })
}

/// A folder of the cache, filled once: beside its place first, for a broken download must not
/// look like a whole one.
pub(crate) fn fetched(
    name: &str,
    fill: impl FnOnce(&Path) -> Result<(), Missing>,
) -> Result<PathBuf, Missing> {
    let _guard = FETCHING.lock();
    let to = cache().join(name);
    if to.is_dir() {
        return Ok(to);
    }
    let in_place = |error: &dyn std::fmt::Display| missing(name, "write the cache", error);
    let part = cache().join(format!("{name}.part"));
    fs::create_dir_all(&part).map_err(|error| in_place(&error))?;
    fill(&part)?;
    fs::rename(&part, &to).map_err(|error| in_place(&error))?;
    Ok(to)
}

pub(crate) fn done(
    what: &str,
    how: &str,
    ran: io::Result<std::process::Output>,
) -> Result<(), Missing> {
    let output = ran.map_err(|error| missing(what, how, &error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(missing(what, how, &String::from_utf8_lossy(&said)))
}

pub(crate) fn missing(what: &str, how: &str, cause: &dyn std::fmt::Display) -> Missing {
    Missing { what: what.to_owned(), how: format!("{how} ({cause})") }
}
