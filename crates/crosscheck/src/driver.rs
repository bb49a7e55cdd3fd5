//! Gives the director what happens, and does what it says.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

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
    /// Handles what comes while `work` is under way, before there are clients: changes that the
    /// observer sees.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                Some(input) = self.others.recv() => self.handle(input),
            }
            self.flush();
        }
    }

    /// Compares until it is told to stop, and then what is left.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<()>) -> Outcome {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut summary = Instant::now();
        let mut stopped: Option<Instant> = None;
        loop {
            tokio::select! {
                // The clock before the inputs: there may be always one more of those.
                biased;
                _ = &mut stop, if stopped.is_none() => stopped = Some(Instant::now()),
                _ = tick.tick() => {
                    self.director.tick(Instant::now());
                    self.show_figures();
                }
                Some(input) = self.others.recv() => self.handle(input),
                Some(input) = self.taps.recv() => self.handle(input),
            }
            self.flush();
            let now = Instant::now();
            if now.duration_since(summary) >= self.summary_every {
                summary = now;
                self.summary();
            }
            let Some(stopped) = stopped else { continue };
            let waiting = self.director.waiting();
            let is_late = now.duration_since(stopped) >= self.drain;
            if (waiting == 0 && self.taps.is_empty()) || is_late {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::director::Patience;
    use crate::input::Observed;
    use crate::judge::Judge;
    use crate::report::Reason;
    use crate::tap::Budget;

    #[tokio::test]
    async fn what_is_observed_during_a_copy_is_handled_meanwhile() {
        let second = Duration::from_secs(1);
        let patience = Patience { settle: second, rookery: second, zookeeper: second };
        let (_, taps) = mpsc::unbounded_channel();
        let (to, others) = mpsc::channel(1);
        let (wanted, mut wants) = watch::channel(0);
        let mut driver = Driver {
            director: Director::new(Judge::default(), Arc::new(Budget::new(1000)), patience),
            taps,
            others,
            to: to.clone(),
            rookery: "127.0.0.1".parse().expect("good"),
            wanted,
            lines: Lines { text: Box::new(std::io::sink()), json: None },
            summary_every: second,
            drain: second,
            metrics: Arc::default(),
            remotes: HashMap::new(),
        };
        let tell = |observed| async {
            to.send(Input::Observed(observed)).await.expect("somebody listens");
        };
        let change = |zxid| Observed::Change { zxid, kind: 3, path: format!("/{zxid}") };
        // A copy that waits until the observer has been heard, time and again.
        let copy = async {
            for zxid in 1..=100 {
                tell(change(zxid)).await;
                wants.changed().await.expect("the director asks how far that is");
                tell(Observed::UpTo(zxid)).await;
            }
            tell(change(101)).await;
            wants.changed().await.expect("the director asks once more");
        };
        driver.during(copy).await;
        let judge = &driver.director.judge;
        assert_eq!(judge.marks.whole("/100"), Some(Reason::Foreign));
        assert_eq!(driver.director.report.counts.foreign_changes, 100);
    }
}
