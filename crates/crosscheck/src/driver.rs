//! Gives the director what happens, and does what it says.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use crate::client::Client;
use crate::director::{Director, Output};
use crate::input::{ConnId, Input, Probe};
use crate::report::Line;
use crate::servers::Servers;
use crate::{Counts, metrics, remote_task};

/// How often the director looks at the clock.
const TICK: Duration = Duration::from_millis(100);
/// Inputs that are handled before anything is sent.
const BATCH: usize = 512;

/// What came of a comparison.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The figures.
    pub counts: Counts,
    /// Why it ended before its time.
    pub ended: Option<&'static str>,
    /// What had not been compared when it was told to end.
    pub waiting: usize,
}

impl Outcome {
    /// Whether all sessions were compared to the end.
    pub fn is_complete(&self) -> bool {
        self.ended.is_none() && self.waiting == 0 && self.counts.given_up.is_empty()
    }
}

/// Where lines go.
pub(crate) struct Lines {
    pub(crate) text: Box<dyn Write + Send>,
    pub(crate) json: Option<Box<dyn Write + Send>>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

impl Lines {
    fn write(&mut self, lines: &[Line]) {
        for line in lines {
            // A report that cannot be written must not stop what is reported on.
            let _ = writeln!(self.text, "{}", line.text);
            if let Some(json) = &mut self.json {
                let _ = writeln!(json, "{}", line.json);
            }
        }
        if !lines.is_empty() {
            let _ = self.text.flush();
            let _ = self.json.as_mut().map(Write::flush);
        }
    }
}

/// All that a director needs around it.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) director: Director,
    /// From the taps.
    pub(crate) taps: mpsc::UnboundedReceiver<Input>,
    /// From Rookery and the observer, and the sender for those.
    pub(crate) others: mpsc::Receiver<Input>,
    pub(crate) to: mpsc::Sender<Input>,
    pub(crate) rookery: Servers,
    pub(crate) wanted: watch::Sender<i64>,
    pub(crate) lines: Lines,
    pub(crate) summary_every: Duration,
    pub(crate) drain: Duration,
    pub(crate) metrics: Arc<Mutex<String>>,
    pub(crate) remotes: HashMap<ConnId, mpsc::UnboundedSender<Bytes>>,
}

impl Driver {
    /// Compares until it is told to stop, and then what is left.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<()>) -> Outcome {
        let mut tick = tokio::time::interval(TICK);
        let mut summary_at = Instant::now() + self.summary_every;
        let mut until: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                _ = &mut stop, if until.is_none() => until = Some(Instant::now() + self.drain),
                Some(input) = self.others.recv() => self.handle(input),
                Some(input) = self.taps.recv() => self.handle(input),
                _ = tick.tick() => {
                    self.director.tick(Instant::now());
                    self.show_figures();
                }
            }
            self.flush();
            let now = Instant::now();
            if now >= summary_at {
                summary_at = now + self.summary_every;
                self.summary();
            }
            let Some(until) = until else { continue };
            let waiting = self.director.waiting();
            if (waiting == 0 && self.taps.is_empty()) || now >= until {
                self.summary();
                let report = &self.director.report;
                return Outcome { counts: report.counts.clone(), ended: report.ended, waiting };
            }
        }
    }

    fn handle(&mut self, input: Input) {
        let now = Instant::now();
        self.director.handle(input, now);
        for _ in 0..BATCH {
            let next = self.others.try_recv().ok().or_else(|| self.taps.try_recv().ok());
            let Some(input) = next else { break };
            self.director.handle(input, now);
        }
        self.director.pump(now);
    }

    fn flush(&mut self) {
        for output in self.director.take_outputs() {
            match output {
                Output::Connect(conn, payload) => self.connect(conn, payload),
                Output::Send(conn, payload) => {
                    if let Some(remote) = self.remotes.get(&conn) {
                        // One that has ended has told so.
                        let _ = remote.send(payload);
                    }
                }
                Output::Close(conn) => {
                    self.remotes.remove(&conn);
                }
                Output::Observe(zxid) => {
                    self.wanted.send_replace(zxid);
                }
                Output::Probe => self.probe(),
            }
        }
        self.lines.write(&self.director.report.take_lines());
    }

    fn show_figures(&self) {
        let text = metrics::text(&self.director.report, &self.director);
        *self.metrics.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    fn connect(&mut self, conn: ConnId, payload: Bytes) {
        let (send, payloads) = mpsc::unbounded_channel();
        let _ = send.send(payload);
        self.remotes.insert(conn, send);
        tokio::spawn(remote_task::run(conn, self.rookery.clone(), payloads, self.to.clone()));
    }

    fn probe(&self) {
        let (rookery, to) = (self.rookery.clone(), self.to.clone());
        tokio::spawn(async move {
            let probe = match Client::open(&rookery, None).await {
                Ok(client) => {
                    client.close().await;
                    Probe::Alive
                }
                Err(error) => {
                    tracing::warn!("Rookery: {error}");
                    Probe::Gone
                }
            };
            let _ = to.send(Input::Probed(probe)).await;
        });
    }

    fn summary(&mut self) {
        let waiting = self.director.waiting();
        self.director.report.summary(waiting);
        self.lines.write(&self.director.report.take_lines());
    }
}
