//! CPU time and memory of a process, from `/proc`.

use std::fs;
use std::time::Duration;

use super::BenchError;

/// What a process had used at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// User and system time of all its threads, with a resolution of 10 ms.
    pub(super) cpu: Duration,
    /// Resident memory, in bytes.
    pub(super) rss_bytes: u64,
    /// The most resident memory it ever had, in bytes.
    pub(super) rss_peak_bytes: u64,
}

/// Length of a tick of `/proc/PID/stat`: `USER_HZ` is 100 on every Linux that Rust supports.
const TICK: Duration = Duration::from_millis(10);

/// The figures of several processes, added up; `None` of none.
pub(super) fn usage_of_all(pids: &[u32]) -> Result<Option<Usage>, BenchError> {
    let mut total = None;
    for pid in pids {
        let one = usage(*pid)?;
        let sum = total.get_or_insert_with(Usage::default);
        sum.cpu += one.cpu;
        sum.rss_bytes += one.rss_bytes;
        sum.rss_peak_bytes += one.rss_peak_bytes;
    }
    Ok(total)
}

/// The figures of process `pid` now.
pub(super) fn usage(pid: u32) -> Result<Usage, BenchError> {
    let missing = || BenchError::Process(pid);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|_| missing())?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|_| missing())?;
    let ticks = parse_ticks(&stat).ok_or_else(missing)?;
    Ok(Usage {
        cpu: TICK * ticks,
        rss_bytes: parse_kib(&status, "VmRSS:").ok_or_else(missing)? * 1024,
        rss_peak_bytes: parse_kib(&status, "VmHWM:").ok_or_else(missing)? * 1024,
    })
}

/// `utime + stime`: the 14th and 15th field, counted behind the name, which may hold spaces.
fn parse_ticks(stat: &str) -> Option<u32> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

fn parse_kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_spaces_and_brackets_do_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 31 0 0 20 0 3 0 99 1 2 3";
        assert_eq!(parse_ticks(stat), Some(281));
    }

    #[test]
    fn this_process_has_figures() {
        let own = usage(std::process::id()).unwrap();
        assert!(own.rss_bytes > 0 && own.rss_peak_bytes >= own.rss_bytes);
    }
}
