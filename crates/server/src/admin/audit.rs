//! The audit log: who changed what, one line each, as ZooKeeper writes it.
//!
//! Lines are written by a thread of their own, from a bounded queue: a slow disk must not
//! hold up clients. What does not fit in the queue, or cannot be written, is lost, and how much
//! was lost is the next line. Reads are not audited. What is written about a command is in `records`.

mod file;
mod records;

use std::{
    fmt::{self, Write},
    io,
    net::IpAddr,
    path::PathBuf,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
};

use parking_lot::Mutex;
use session::auth::address_text;
use tree::SessionId;

use super::{date::log_date, environment};
use file::RollingFile;

/// Lines that may wait for the disk: some seconds of writes, a few MB.
const QUEUE_LINES: usize = 16 * 1024;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The server is up.
    ServerStart,
    /// The server goes down.
    ServerStop,
    /// A znode was created.
    Create,
    /// A znode was deleted.
    Delete,
    /// Data were set.
    SetData,
    /// An ACL was set.
    SetAcl,
    /// A multi that failed as a whole.
    MultiOperation,
    /// The membership was changed.
    Reconfig,
    /// An ephemeral went with its session.
    EphemeralDeletion,
}

impl Operation {
    const fn name(self) -> &'static str {
        match self {
            Self::ServerStart => "serverStart",
            Self::ServerStop => "serverStop",
            Self::Create => "create",
            Self::Delete => "delete",
            Self::SetData => "setData",
            Self::SetAcl => "setAcl",
            Self::MultiOperation => "multiOperation",
            Self::Reconfig => "reconfig",
            Self::EphemeralDeletion => "ephemeralZNodeDeletionOnSessionCloseOrExpire",
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditResult {
    /// It was done.
    Success,
    /// It was rejected.
    Failure,
    /// It was begun: what is known of a server that stops.
    Invoked,
}

impl AuditResult {
    const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Invoked => "invoked",
        }
    }

    /// As which kind of line ZooKeeper's logger writes it.
    const fn level(self) -> &'static str {
        match self {
            Self::Success | Self::Invoked => "INFO",
            Self::Failure => "ERROR",
        }
    }
}

/// One line. What is `None` is left out.
#[derive(Clone, Copy, Debug)]
pub struct AuditRecord<'a> {
    /// Whose connection it was.
    pub session: Option<SessionId>,
    /// The ids of the client's identities, separated by commas; or the system's user.
    pub user: Option<&'a str>,
    /// The client's address.
    pub ip: Option<IpAddr>,
    /// What was done.
    pub operation: Operation,
    /// To which znode.
    pub znode: Option<&'a str>,
    /// How it was to be created: `persistent`, `ephemeral_sequential`, …
    pub znode_type: Option<&'a str>,
    /// The new ACL, as text.
    pub acl: Option<&'a str>,
    /// How it ended.
    pub result: AuditResult,
}

impl AuditRecord<'_> {
    /// A line that says only what was done and how it ended.
    const fn new(operation: Operation, result: AuditResult) -> Self {
        Self {
            session: None,
            user: None,
            ip: None,
            operation,
            znode: None,
            znode_type: None,
            acl: None,
            result,
        }
    }
}

impl fmt::Display for AuditRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        let mut put = |key: &str, value: Option<&dyn fmt::Display>| {
            let Some(value) = value else { return Ok(()) };
            write!(f, "{between}{key}=")?;
            between = "\t";
            write!(OneLine(f), "{value}")
        };
        let (operation, result) = (self.operation.name(), self.result.name());
        put("session", self.session.as_ref().map(|value| value as _))?;
        put("user", self.user.as_ref().map(|value| value as _))?;
        let ip = self.ip.map(address_text);
        put("ip", ip.as_ref().map(|value| value as _))?;
        put("operation", Some(&operation))?;
        put("znode", self.znode.as_ref().map(|value| value as _))?;
        put("znode_type", self.znode_type.as_ref().map(|value| value as _))?;
        put("acl", self.acl.as_ref().map(|value| value as _))?;
        put("result", Some(&result))
    }
}

/// Nobody may write a line of their own by choosing a clever id.
struct OneLine<'f, 'g>(&'f mut fmt::Formatter<'g>);

impl Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(char::is_control) {
            match part.strip_suffix(char::is_control) {
                Some(clean) => write!(self.0, "{clean}?")?,
                None => self.0.write_str(part)?,
            }
        }
        Ok(())
    }
}

/// The open audit log. Dropping it writes out what waits.
#[derive(Debug)]
pub struct AuditLog {
    /// None once it is closed.
    open: Mutex<Option<Open>>,
    lost: AtomicU64,
    /// Whom the process runs as: who did what no client did.
    system_user: String,
}

#[derive(Debug)]
struct Open {
    queue: SyncSender<Line>,
    writer: JoinHandle<()>,
}

/// What waits to be written.
#[derive(Debug)]
struct Line {
    wall_ms: i64,
    text: String,
    /// How many records are lost with it: those that it counts, if it says how many were lost.
    records: u64,
}

impl Line {
    /// Compat(audit-layout): the layout of ZooKeeper's own configuration of its audit log.
    fn new(wall_ms: i64, level: &str, message: &str) -> Self {
        let text = format!("{} {level} audit.Slf4jAuditLogger: {message}\n", log_date(wall_ms));
        Self { wall_ms, text, records: 1 }
    }

    fn lost(wall_ms: i64, records: u64, why: &str) -> Self {
        let message = format!("{records} records lost: {why}");
        Self { records, ..Self::new(wall_ms, "WARN", &message) }
    }
}

impl AuditLog {
    /// Opens the log: the file is made, or appended to, and rolls at 10 MB, ten times.
    ///
    /// # Errors
    /// When the file cannot be opened, or no thread started.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let file = RollingFile::open(path)?;
        let (queue, lines) = sync_channel(QUEUE_LINES);
        let writer =
            thread::Builder::new().name("audit".into()).spawn(move || write_all(file, &lines))?;
        let (system_user, _) = environment::user();
        let open = Mutex::new(Some(Open { queue, writer }));
        Ok(Self { open, lost: AtomicU64::new(0), system_user })
    }

    /// Puts a record in the queue; never waits.
    pub fn write(&self, wall_ms: i64, record: &AuditRecord<'_>) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            self.put(Line::lost(wall_ms, lost, "the disk is too slow"));
        }
        self.put(Line::new(wall_ms, record.result.level(), &record.to_string()));
    }

    /// The server starts or stops. The system's user does it.
    pub fn server(&self, wall_ms: i64, operation: Operation, result: AuditResult) {
        let user = Some(self.system_user.as_str());
        self.write(wall_ms, &AuditRecord { user, ..AuditRecord::new(operation, result) });
    }

    /// Writes out what waits and closes the file; what comes later is lost.
    pub fn close(&self) {
        let Some(Open { queue, writer }) = self.open.lock().take() else { return };
        drop(queue);
        if writer.join().is_err() {
            tracing::error!("the thread of the audit log failed");
        }
    }

    fn put(&self, line: Line) {
        let records = line.records;
        let open = self.open.lock();
        let taken = open.as_ref().is_some_and(|open| match open.queue.try_send(line) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        });
        if !taken {
            self.lost.fetch_add(records, Ordering::Relaxed);
        }
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.close();
    }
}

fn write_all(mut file: RollingFile, lines: &Receiver<Line>) {
    let mut lost = 0;
    while let Ok(line) = lines.recv() {
        if let Err(error) = write_line(&mut file, &line, &mut lost) {
            if lost == 0 {
                tracing::error!(%error, "the audit log cannot be written");
            }
            lost += line.records;
        }
    }
}

/// Says before the line what was lost up to it.
fn write_line(file: &mut RollingFile, line: &Line, lost: &mut u64) -> io::Result<()> {
    if *lost > 0 {
        file.write(&Line::lost(line.wall_ms, *lost, "the file could not be written").text)?;
        *lost = 0;
    }
    file.write(&line.text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const RECORD: AuditRecord<'static> = AuditRecord {
        session: Some(SessionId(0x10000400e110000)),
        user: Some("127.0.0.1,alice"),
        ip: Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
        operation: Operation::Create,
        znode: Some("/a"),
        znode_type: Some("persistent"),
        acl: None,
        result: AuditResult::Success,
    };

    #[test]
    fn fields_are_in_order_and_on_one_line() {
        assert_eq!(
            RECORD.to_string(),
            "session=0x10000400e110000\tuser=127.0.0.1,alice\tip=127.0.0.1\toperation=create\t\
             znode=/a\tznode_type=persistent\tresult=success"
        );
        let sly = AuditRecord { user: Some("a\nresult=success\tx"), ..RECORD };
        assert!(sly.to_string().contains("user=a?result=success?x\t"), "{sly}");
    }

    #[test]
    fn what_could_not_be_written_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut file = RollingFile::open(path.clone()).unwrap();
        // Full, and where its next one is to be there is nothing.
        file.write(&format!("{}\n", "x".repeat(20 * 1024 * 1024))).unwrap();
        fs::remove_file(&path).unwrap();
        let gone = directory.path().join("gone");
        std::os::unix::fs::symlink(gone.join("file"), &path).unwrap();
        let mut lost = 0;
        for line in [Line::new(0, "INFO", "one"), Line::lost(0, 41, "the disk is too slow")] {
            write_line(&mut file, &line, &mut lost).unwrap_err();
            lost += line.records;
        }
        fs::create_dir(gone).unwrap();
        write_line(&mut file, &Line::new(0, "INFO", "two"), &mut lost).unwrap();
        let text = fs::read_to_string(path).unwrap();
        let said: Vec<&str> =
            text.lines().map(|line| line.split_once("Logger: ").unwrap().1).collect();
        assert_eq!(said, ["42 records lost: the file could not be written", "two"]);
        assert_eq!(lost, 0);
    }

    #[test]
    fn what_was_queued_is_written_before_the_log_is_closed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("zookeeper_audit.log");
        let log = AuditLog::open(path.clone()).unwrap();
        log.server(1_795_232_149_123, Operation::ServerStart, AuditResult::Success);
        for _ in 0..100 {
            log.write(1_795_232_149_123, &RECORD);
        }
        drop(log);
        let text = fs::read_to_string(path).unwrap();
        assert_eq!(text.lines().count(), 101);
        let first = text.lines().next().unwrap();
        let (user, _) = environment::user();
        assert_eq!(
            first,
            format!(
                "2026-11-21 03:35:49,123 INFO audit.Slf4jAuditLogger: \
                 user={user}\toperation=serverStart\tresult=success"
            )
        );
    }
}
