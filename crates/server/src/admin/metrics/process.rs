//! What the operating system knows about this process: Linux's `/proc`.

use std::fs;

use rustix::process::{Resource, getrlimit};

/// Ticks of `/proc/self/stat` in a second: fixed for user space on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Descriptors, memory and processor time of this process. What cannot be read is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessFigures {
    /// Open file descriptors.
    pub open_descriptors: u64,
    /// How many may be open.
    pub max_descriptors: u64,
    /// Memory in use, in bytes.
    pub resident_bytes: u64,
    /// Address space in use, in bytes.
    pub virtual_bytes: u64,
    /// Processor time used, in seconds.
    pub cpu_seconds: f64,
    /// When the process started, in seconds since 1970.
    pub start_seconds: f64,
}

impl ProcessFigures {
    /// Reads them. Takes some tens of microseconds, and more with many connections.
    pub fn read() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The name of the process, in parentheses, may hold anything.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<f64> =
            after_name.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
        // Numbered from 3, the first after the name, as in proc(5).
        let field = |number: usize| fields.get(number - 3).copied().unwrap_or(0.0);
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let unlimited = u64::MAX;
        Self {
            open_descriptors: fs::read_dir("/proc/self/fd").map_or(0, |all| all.count() as u64),
            max_descriptors: getrlimit(Resource::Nofile).current.unwrap_or(unlimited),
            resident_bytes: kib(&status, "VmRSS:") * 1024,
            virtual_bytes: kib(&status, "VmSize:") * 1024,
            cpu_seconds: (field(14) + field(15)) / TICKS_PER_SECOND,
            start_seconds: boot_seconds() + field(22) / TICKS_PER_SECOND,
        }
    }
}

/// The number behind `key` in a file such as `/proc/self/status`.
pub(in crate::admin) fn kib(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn boot_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "));
    line.and_then(|text| text.trim().parse().ok()).unwrap_or(0.0)
}
