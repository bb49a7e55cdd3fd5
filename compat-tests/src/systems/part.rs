//! One process of a system, with whatever it starts: a process group that ends as a whole.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// How often a condition is looked at again.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// A process that can be started, ended and started again. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Part {
    name: String,
    command: Command,
    child: Option<Child>,
    output: PathBuf,
    /// Where the process id of another process stands that has to end with this one.
    pid_file: Option<PathBuf>,
}

impl Part {
    /// A process that does not run yet; what it says is kept in `dir`.
    pub(super) fn new(name: &str, dir: &Path, mut command: Command) -> Self {
        command.current_dir(dir).process_group(0).stdin(Stdio::null());
        let output = dir.join(format!("{name}.out"));
        Self { name: name.to_owned(), command, child: None, output, pid_file: None }
    }

    /// The same, of a process that starts another one in a group of its own, whose id is in the
    /// first line of this file: it is killed whenever this one is.
    pub(super) fn with_pid_file(mut self, file: PathBuf) -> Self {
        self.pid_file = Some(file);
        self
    }

    /// What the driver calls it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Starts it and does not wait.
    pub(super) fn start(&mut self) -> io::Result<()> {
        let output = self.open_output()?;
        let errors = output.try_clone()?;
        self.child = Some(self.command.stdout(output).stderr(errors).spawn()?);
        Ok(())
    }

    /// Starts it again if it has ended by itself, as a service manager does.
    pub(super) fn start_if_ended(&mut self) -> io::Result<()> {
        let runs = match &mut self.child {
            Some(child) => child.try_wait()?.is_none(),
            None => false,
        };
        if runs { Ok(()) } else { self.start() }
    }

    /// Starts it as the one that is talked to: its standard input and output are pipes.
    pub(super) fn start_talking(&mut self) -> io::Result<&mut Child> {
        let errors = self.open_output()?;
        let command = self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        Ok(self.child.insert(command.spawn()?))
    }

    fn open_output(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(&self.output)
    }

    /// Waits until it has ended by itself, and done what it should.
    pub(super) fn wait(&mut self, within: Duration) -> io::Result<()> {
        let deadline = Instant::now() + within;
        while let Some(child) = &mut self.child {
            match child.try_wait()? {
                Some(status) if status.success() => self.child = None,
                Some(status) => return Err(io::Error::other(status.to_string())),
                None if Instant::now() < deadline => thread::sleep(POLL_EVERY),
                None => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
        Ok(())
    }

    /// Ends it as a power failure would.
    pub(super) fn kill(&mut self) {
        self.signal(Signal::KILL);
        if let Some(mut child) = self.child.take() {
            // An error means that it has ended already.
            let _ = child.wait();
            self.kill_other();
        }
    }

    fn kill_other(&self) {
        let Some(file) = &self.pid_file else { return };
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            // An error means that it has ended already.
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    /// Asks it to end; what is left of it after `within` is killed.
    pub(super) fn stop(&mut self, within: Duration) {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            match self.child.as_mut().map(Child::try_wait) {
                Some(Ok(None)) => thread::sleep(POLL_EVERY),
                Some(Ok(Some(_)) | Err(_)) | None => break,
            }
        }
        self.kill();
    }

    fn signal(&self, signal: Signal) {
        let Some(child) = &self.child else { return };
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            // An error means that all of it has ended already.
            let _ = kill_process_group(group, signal);
        }
    }

    /// The end of what it said.
    pub(super) fn said(&self) -> String {
        let bytes = std::fs::read(&self.output).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        let first = lines.len().saturating_sub(LINES_SHOWN);
        format!("--- {}\n{}\n", self.name, lines[first..].join("\n"))
    }
}

/// How much of a process's output is shown when a check fails.
const LINES_SHOWN: usize = 25;

impl Drop for Part {
    fn drop(&mut self) {
        self.kill();
    }
}
