//! The two tables of watches and the modes in which one watch can be set.

/// Which table a watch belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// What `exists`, `getData` and persistent watches ask for: the znode itself.
    Data,
    /// What `getChildren` and plain persistent watches ask for: its list of children.
    Child,
}

impl Table {
    pub(super) const fn index(self) -> usize {
        match self {
            Self::Data => 0,
            Self::Child => 1,
        }
    }
}

/// How a watch is set. One watch can be set in all three modes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Gone with its first event.
    Standard,
    /// Stays.
    Persistent,
    /// Stays, and hears of the whole subtree. In the data table only.
    Recursive,
}

/// A set of [`Mode`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Modes(u8);

impl Modes {
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALL: Self = Self(0b111);

    pub(super) const fn only(mode: Mode) -> Self {
        match mode {
            Mode::Standard => Self(0b001),
            Mode::Persistent => Self(0b010),
            Mode::Recursive => Self(0b100),
        }
    }

    pub(super) const fn has(self, mode: Mode) -> bool {
        self.intersects(Self::only(mode))
    }

    pub(super) const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) const fn with(self, mode: Mode) -> Self {
        Self(self.0 | Self::only(mode).0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}
