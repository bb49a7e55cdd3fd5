//! The words themselves.

macro_rules! words {
    ($($(#[$doc:meta])* $word:ident = $text:literal,)*) => {
        /// The words that ZooKeeper knows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Word { $($(#[$doc])* $word,)* }

        impl Word {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$word,)*];

            /// The four letters.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$word => $text,)* }
            }
        }
    };
}

words! {
    /// What was configured.
    Conf = "conf",
    /// Connections with their statistics.
    Cons = "cons",
    /// Reset the statistics of connections.
    Crst = "crst",
    /// Sizes of the directories.
    Dirs = "dirs",
    /// Sessions and their ephemerals.
    Dump = "dump",
    /// Where the server runs.
    Envi = "envi",
    /// The trace mask.
    Gtmk = "gtmk",
    /// Past digests of the state.
    Hash = "hash",
    /// Whether the server is read-only.
    Isro = "isro",
    /// All metrics.
    Mntr = "mntr",
    /// Whether the server runs.
    Ruok = "ruok",
    /// The server in short.
    Srvr = "srvr",
    /// Reset the server's statistics.
    Srst = "srst",
    /// The server in short, and its connections.
    Stat = "stat",
    /// Set the trace mask.
    Stmk = "stmk",
    /// Watches by session.
    Wchc = "wchc",
    /// Watches by path.
    Wchp = "wchp",
    /// Watches in short.
    Wchs = "wchs",
}

impl Word {
    /// The word that a connection begins with, if it does.
    pub fn parse(input: &[u8]) -> Option<Self> {
        let letters = input.get(..4)?;
        Self::ALL.iter().copied().find(|word| word.text().as_bytes() == letters)
    }

    /// Words that are answered by a server that does not serve clients, too.
    pub(super) const fn is_always_answered(self) -> bool {
        matches!(self, Self::Ruok | Self::Envi | Self::Gtmk | Self::Stmk | Self::Isro)
    }
}
