//! What `envi` prints: where the server runs.
//!
//! Compat(no-jvm): tools look for `zookeeper.version`, and some read the lines by their place, so
//! the keys are ZooKeeper's. There is no JVM: what only one can say is `<NA>`, as Java
//! itself writes for what it does not have.

use std::{env, fs};

use rustix::process::getuid;

use super::{metrics::kib, version::VERSION};

const NOT_AVAILABLE: &str = "<NA>";

/// Keys and values in ZooKeeper's order.
pub(super) fn environment() -> Vec<(&'static str, String)> {
    let na = || NOT_AVAILABLE.to_owned();
    let (user, home) = user();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let own = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let megabytes = |kib: u64| format!("{}MB", kib / 1024);
    vec![
        ("zookeeper.version", VERSION.to_owned()),
        ("host.name", kernel("hostname")),
        ("java.version", na()),
        ("java.vendor", na()),
        ("java.home", na()),
        ("java.class.path", na()),
        ("java.library.path", na()),
        ("java.io.tmpdir", env::temp_dir().display().to_string()),
        ("java.compiler", na()),
        ("os.name", "Linux".to_owned()),
        ("os.arch", java_arch().to_owned()),
        ("os.version", kernel("osrelease")),
        ("user.name", user),
        ("user.home", home),
        ("user.dir", env::current_dir().unwrap_or_default().display().to_string()),
        ("os.memory.free", megabytes(kib(&memory, "MemAvailable:"))),
        ("os.memory.max", megabytes(kib(&memory, "MemTotal:"))),
        ("os.memory.total", megabytes(kib(&own, "VmRSS:"))),
    ]
}

/// Java has its own name for the most common one.
fn java_arch() -> &'static str {
    if env::consts::ARCH == "x86_64" { "amd64" } else { env::consts::ARCH }
}

fn kernel(what: &str) -> String {
    let text = fs::read_to_string(format!("/proc/sys/kernel/{what}"));
    text.map_or_else(|_| NOT_AVAILABLE.to_owned(), |text| text.trim().to_owned())
}

/// Name and home of the user that the server runs as; the name is also in the audit log.
pub(super) fn user() -> (String, String) {
    let id = getuid().as_raw().to_string();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mine = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mine = mine.into_iter().find(|fields| fields.get(2) == Some(&id.as_str()));
    match mine.as_deref() {
        Some([name, _, _, _, _, home, ..]) => ((*name).to_owned(), (*home).to_owned()),
        Some(_) | None => (id, NOT_AVAILABLE.to_owned()),
    }
}
