//! The closed list of points.
//!
//! A point stands before the step that it is named after, unless it says otherwise. A crash
//! before the next step is a crash after this one, so together they are every place between
//! two steps.

/// What is done at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Bytes go into a file, or files are made, linked or removed.
    Write,
    /// What was written is made durable.
    Sync,
    /// A name is given to something that is complete.
    Rename,
    /// Something goes to another server, to another thread or to a client.
    Send,
    /// What was decided becomes part of the state.
    Apply,
}

/// What becomes of a server when the step fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failing {
    /// The step has no way to fail.
    Cannot,
    /// The server ends: it must not go on as if it had been done.
    Fatal,
    /// The step, or what it is a part of, is done again.
    Retried,
}

macro_rules! points {
    ($($(#[doc = $doc:literal])+ $point:ident $name:literal $kind:ident $failing:ident,)+) => {
        /// A step at which a test build crashes, fails or stalls.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Point {
            $($(#[doc = $doc])+ $point,)+
        }

        impl Point {
            /// All of them, in the order of the list.
            pub const ALL: &[Self] = &[$(Self::$point,)+];

            /// The name by which it is armed.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$point => $name,)+ }
            }

            /// What is done there.
            pub const fn kind(self) -> Kind {
                match self { $(Self::$point => Kind::$kind,)+ }
            }

            /// What becomes of the server when that fails.
            pub const fn failing(self) -> Failing {
                match self { $(Self::$point => Failing::$failing,)+ }
            }

            /// The point of a name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|point| point.name() == name)
            }
        }
    };
}

points! {
    // The data directory: at every start.
    /// The folders are made.
    DirCreate "dir.create" Write Fatal,
    /// A small file's new contents are written beside it: FORMAT, IDENTITY, the first mark.
    FileWrite "file.write" Write Fatal,
    /// The new contents are synced.
    FileSync "file.sync" Sync Fatal,
    /// The new contents get the file's name.
    FileRename "file.rename" Rename Fatal,
    /// That name is synced.
    FileSyncFolder "file.sync-folder" Sync Fatal,

    // Damaged data is set aside.
    /// The folder that is to take its place is made.
    AsideCreate "aside.create" Write Fatal,
    /// The log gets its new name, where it has a directory of its own.
    AsideRenameLog "aside.rename-log" Rename Fatal,
    /// The data gets its new name.
    AsideRenameData "aside.rename-data" Rename Fatal,
    /// One of these names is synced.
    AsideSyncFolder "aside.sync-folder" Sync Fatal,
    /// The new folder takes the place of the data.
    AsideRenameNew "aside.rename-new" Rename Fatal,
    /// That name is synced.
    AsideSyncNew "aside.sync-new" Sync Fatal,

    // The log.
    /// The log's database is opened, or made.
    LogOpen "log.open" Write Fatal,
    /// A file to be written into is made long.
    LogFill "log.fill" Write Fatal,
    /// It is synced.
    LogFillSync "log.fill-sync" Sync Fatal,
    /// It is given back.
    LogFillFlush "log.fill-flush" Write Fatal,
    /// A group with entries is written.
    LogAppend "log.append" Write Fatal,
    /// A group with a vote is written.
    LogVote "log.vote" Write Fatal,
    /// A group that drops entries at the end is written.
    LogTruncate "log.truncate" Write Fatal,
    /// A group that drops entries at the beginning is written.
    LogPurge "log.purge" Write Fatal,
    /// A group that says how far is committed is written.
    LogCommitted "log.committed" Write Fatal,
    /// A group with what was promised for a founding is written.
    LogFounding "log.founding" Write Fatal,
    /// Behind the write of a group: failing is an error of its sync.
    LogSync "log.sync" Sync Fatal,
    /// Those who wait for a group are told that it is on disk.
    LogTell "log.tell" Send Cannot,

    // The mark.
    /// The mark is put back before entries at the end are dropped.
    MarkLower "mark.lower" Write Fatal,
    /// The mark is written because nothing else is.
    MarkRest "mark.rest" Write Fatal,
    /// A slot of the mark is written.
    MarkWrite "mark.write" Write Fatal,
    /// It is synced.
    MarkSync "mark.sync" Sync Fatal,

    // A checkpoint.
    /// The state is cut.
    CheckpointCut "checkpoint.cut" Apply Cannot,
    /// The folder for its files is emptied and made.
    CheckpointBegin "checkpoint.begin" Write Fatal,
    /// Keys and values go into a file.
    CheckpointWrite "checkpoint.write" Write Fatal,
    /// A file is ended and synced.
    CheckpointSync "checkpoint.sync" Sync Fatal,
    /// The files become part of the database.
    CheckpointIngest "checkpoint.ingest" Rename Fatal,
    /// The state is told that it is durable.
    CheckpointFinish "checkpoint.finish" Apply Cannot,

    // A checkpoint for another server.
    /// Links to its files are made.
    FreezeLink "freeze.link" Write Retried,
    /// The links are removed.
    FreezeRemove "freeze.remove" Write Retried,
    /// Its files are offered.
    OfferSend "offer.send" Send Retried,
    /// A part of a file is sent.
    ChunkSend "chunk.send" Send Retried,

    // A checkpoint from another server.
    /// The folder for its files is made or cleaned.
    ReceiveBegin "receive.begin" Write Retried,
    /// What is there already is told.
    WantedSend "wanted.send" Send Retried,
    /// A part of a file is written.
    ReceiveWrite "receive.write" Write Retried,
    /// A file that grows is synced.
    ReceiveSync "receive.sync" Sync Retried,
    /// A whole file is synced.
    ReceiveSyncFile "receive.sync-file" Sync Retried,
    /// The folder is synced.
    ReceiveSyncFolder "receive.sync-folder" Sync Retried,
    /// The folder is given the name of what is whole.
    ReceiveRename "receive.rename" Rename Retried,
    /// That name is synced.
    ReceiveSyncName "receive.sync-name" Sync Retried,
    /// The present checkpoint is moved away.
    InstallRenameLive "install.rename-live" Rename Fatal,
    /// The received one takes its place.
    InstallRenameReceived "install.rename-received" Rename Fatal,
    /// That name is synced.
    InstallSyncFolder "install.sync-folder" Sync Fatal,
    /// The one before is removed.
    InstallRemoveReplaced "install.remove-replaced" Write Fatal,
    /// It is opened.
    InstallOpen "install.open" Write Fatal,
    /// At a start, between the two renames: the second is done.
    InstallRecover "install.recover" Rename Fatal,
    /// The state is built from it.
    InstallRestore "install.restore" Apply Cannot,
    /// The state is there; the log does not know.
    InstallRestored "install.restored" Apply Cannot,
    /// The leader is told that it is installed.
    InstalledSend "installed.send" Send Retried,

    // Commands on their way to the log.
    /// A batch is given to the log, on the leader.
    ProposeAppend "propose.append" Send Cannot,
    /// Batches are sent to the leader.
    ForwardSend "forward.send" Send Retried,
    /// The leader has taken a batch from another server.
    ForwardTake "forward.take" Send Retried,
    /// A server that does not lead says so to who sent it commands.
    ForwardRefuse "forward.refuse" Send Retried,

    // The log on its way to the others.
    /// The leader sends entries.
    AppendSend "append.send" Send Retried,
    /// The leader sends a sign of life.
    HeartbeatSend "heartbeat.send" Send Retried,
    /// A follower has read them from its connection.
    AppendTake "append.take" Send Retried,
    /// A follower answers.
    AppendReply "append.reply" Send Retried,
    /// The leader has an answer.
    AppendAnswered "append.answered" Send Retried,

    // Between servers, otherwise.
    /// A connection to another server is begun.
    DialHello "dial.hello" Send Retried,
    /// A connection of another server is accepted.
    DialWelcome "dial.welcome" Send Retried,
    /// A request is sent on a control lane.
    CallSend "call.send" Send Retried,
    /// A request from a control lane is answered.
    CallReply "call.reply" Send Retried,
    /// A candidate asks for a vote.
    VoteSend "vote.send" Send Retried,
    /// A vote is saved, and is to be given.
    VoteReply "vote.reply" Send Retried,
    /// A leader hands over.
    TransferSend "transfer.send" Send Retried,
    /// A server that is to lead has been told.
    TransferTake "transfer.take" Send Retried,

    // Committed entries.
    /// Committed entries are to be applied.
    ApplyBegin "apply.begin" Apply Cannot,
    /// A command has changed the state; nobody knows.
    ApplyCommand "apply.command" Apply Cannot,
    /// Entries are applied; the proposer does not know.
    ApplyDone "apply.done" Apply Cannot,
    /// Replies and events go to a client's socket.
    ReplySend "reply.send" Send Retried,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_found_and_none_is_given_twice() {
        let names: BTreeSet<_> = Point::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
        for point in Point::ALL {
            assert_eq!(Point::from_name(point.name()), Some(*point));
        }
        assert_eq!(Point::from_name("log"), None);
    }
}
