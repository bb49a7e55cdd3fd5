//! What a session must see of its own writes: exactly those that it has been told are done, and
//! on a new connection perhaps some of those whose answers were lost.

/// The versions that a client's own znode can have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    /// Known to be written.
    known: i32,
    /// At most this, with what was written and not answered.
    most: i32,
    /// Of those, on this connection.
    unanswered: i32,
    /// Nothing of an earlier connection is uncertain.
    is_settled: bool,
}

impl Own {
    /// It has just been created.
    pub(super) const fn new() -> Self {
        Self { known: 0, most: 0, unanswered: 0, is_settled: true }
    }

    /// A write is sent.
    pub(super) fn writes(&mut self) {
        self.most += 1;
        self.unanswered += 1;
    }

    /// The oldest write has been answered, with this version or refused.
    pub(super) fn written(&mut self, version: Option<i32>) -> Result<(), String> {
        self.unanswered -= 1;
        let Some(version) = version else {
            self.most -= 1;
            return Ok(());
        };
        let before = *self;
        let fits = if self.is_settled {
            version == self.known + 1
        } else {
            version > self.known && version <= self.most - self.unanswered
        };
        self.settle(version);
        fits.then_some(()).ok_or_else(|| format!("a write gives version {version}: {before:?}"))
    }

    /// A read shows this version.
    pub(super) fn read(&mut self, version: i32) -> Result<(), String> {
        let before = *self;
        let fits = if self.is_settled {
            version == self.known
        } else {
            version >= self.known && version <= self.most - self.unanswered
        };
        self.settle(version);
        fits.then_some(()).ok_or_else(|| format!("a read shows version {version}: {before:?}"))
    }

    /// The connection is lost: nobody will say what became of what was not answered.
    pub(super) fn disconnected(&mut self) {
        self.is_settled &= self.unanswered == 0;
        self.unanswered = 0;
    }

    fn settle(&mut self, version: i32) {
        self.is_settled = true;
        self.known = version;
        self.most = version + self.unanswered;
    }
}
