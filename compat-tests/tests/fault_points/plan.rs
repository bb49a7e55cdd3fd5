//! Where each point is reached: the table that the walk goes by.

use fault_points::{Failing, Kind, Point};

use crate::armed::{Action, Case};

/// What goes on when a point is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    /// A lone server starts on an empty directory.
    LoneFirstStart,
    /// A lone server starts on its data.
    LoneStart,
    /// A lone server works.
    LoneWorks,
    /// A lone server has worked and rests.
    LoneRests,
    /// Three servers start on empty directories; one of them has the fault.
    Founding,
    /// The leader of three works.
    LeaderWorks,
    /// A follower of three works.
    FollowerWorks,
    /// A server of three, not the leader, has worked and rests.
    FollowerRests,
    /// The leader of three works, and a follower comes back.
    LeaderIsRejoined,
    /// The leader of three works, and clients of others ask for a `sync`.
    LeaderIsAsked,
    /// The leader is killed, the others elect.
    Election,
    /// The leader, which has the fault, is told to stop, and hands over.
    LeaderHandsOver,
    /// The leader is told to stop, and hands over to another, which has the fault.
    FollowerTakesOver,
    /// A server that led comes back with entries that nobody else has.
    Conflict,
    /// A server with damaged data, its log in a directory of its own, starts.
    Damaged,
    /// A follower that is too far behind for the log comes back.
    Behind,
    /// The same; its leader has the fault.
    BehindLeader,
    /// As before, after a crash between the two renames.
    BehindAgain,
}

use Scene::{
    Behind, BehindAgain, BehindLeader, Conflict, Damaged, Election, FollowerRests,
    FollowerTakesOver, FollowerWorks, Founding, LeaderHandsOver, LeaderIsAsked, LeaderIsRejoined,
    LeaderWorks, LoneFirstStart, LoneRests, LoneStart, LoneWorks,
};

/// Scenes in which what every server does all the time is reached.
const WORKING: &[(Scene, u32)] = &[(LoneWorks, 7), (LeaderWorks, 5), (FollowerWorks, 3)];
const APPLYING: &[(Scene, u32)] =
    &[(LoneFirstStart, 0), (LoneStart, 0), (LoneWorks, 9), (LeaderWorks, 6), (FollowerWorks, 4)];
/// A first start, a first start's third file, a start on data, setting damaged data aside.
const FILES: &[(Scene, u32)] = &[
    (LoneFirstStart, 0),
    (LoneFirstStart, 1),
    (LoneFirstStart, 2),
    (LoneStart, 0),
    (Damaged, 1),
    (Damaged, 3),
];
const STARTING: &[(Scene, u32)] = &[(LoneFirstStart, 0), (LoneStart, 0)];
const SYNCING: &[(Scene, u32)] = &[
    (LoneFirstStart, 0),
    (LoneStart, 0),
    (LoneWorks, 11),
    (LeaderWorks, 4),
    (FollowerWorks, 6),
    (Election, 0),
];
const CHECKPOINTING: &[(Scene, u32)] = &[(LoneWorks, 1), (LeaderWorks, 0), (FollowerWorks, 1)];

/// Where a point is reached, and after how many passes the fault comes.
fn scenes(point: Point) -> &'static [(Scene, u32)] {
    match point {
        Point::DirCreate => &[(LoneFirstStart, 0), (LoneFirstStart, 1), (LoneStart, 0)],
        Point::FileWrite | Point::FileSync | Point::FileRename | Point::FileSyncFolder => FILES,
        Point::AsideCreate
        | Point::AsideRenameLog
        | Point::AsideRenameData
        | Point::AsideRenameNew
        | Point::AsideSyncNew => &[(Damaged, 0)],
        Point::AsideSyncFolder => &[(Damaged, 0), (Damaged, 1)],
        Point::LogOpen | Point::LogFill | Point::LogFillSync | Point::LogFillFlush => STARTING,
        Point::LogVote => &[(LoneFirstStart, 0), (LoneStart, 0), (Election, 0)],
        Point::LogAppend | Point::LogSync | Point::LogTell => SYNCING,
        Point::LogTruncate | Point::MarkLower => &[(Conflict, 0)],
        Point::LogPurge => CHECKPOINTING,
        Point::LogCommitted => WORKING,
        Point::LogFounding => &[(Founding, 0), (Founding, 1)],
        Point::MarkRest => &[(LoneRests, 0), (FollowerRests, 0)],
        Point::MarkWrite | Point::MarkSync => &[
            (LoneFirstStart, 0),
            (LoneStart, 0),
            (LoneWorks, 1),
            (LeaderWorks, 1),
            (FollowerWorks, 1),
            (Election, 0),
        ],
        Point::CheckpointCut
        | Point::CheckpointBegin
        | Point::CheckpointWrite
        | Point::CheckpointSync
        | Point::CheckpointIngest
        | Point::CheckpointFinish => CHECKPOINTING,
        Point::FreezeLink | Point::FreezeRemove | Point::OfferSend => &[(BehindLeader, 0)],
        Point::ChunkSend => &[(BehindLeader, 0), (BehindLeader, 2)],
        Point::ReceiveBegin
        | Point::WantedSend
        | Point::ReceiveSync
        | Point::ReceiveSyncFolder
        | Point::ReceiveRename
        | Point::ReceiveSyncName
        | Point::InstallRenameLive
        | Point::InstallRenameReceived
        | Point::InstallSyncFolder
        | Point::InstallRemoveReplaced
        | Point::InstallOpen
        | Point::InstallRestore
        | Point::InstallRestored
        | Point::InstalledSend => &[(Behind, 0)],
        Point::ReceiveWrite | Point::ReceiveSyncFile => &[(Behind, 0), (Behind, 2)],
        Point::InstallRecover => &[(BehindAgain, 0)],
        Point::ProposeAppend => &[(LoneWorks, 20), (LeaderWorks, 20)],
        Point::ForwardSend => &[(FollowerWorks, 3)],
        Point::ForwardTake => &[(LeaderWorks, 3)],
        Point::ForwardRefuse => &[(LeaderHandsOver, 0)],
        Point::AppendSend | Point::AppendAnswered => &[(LeaderWorks, 5)],
        Point::HeartbeatSend => &[(LeaderWorks, 0)],
        Point::AppendTake | Point::AppendReply => &[(FollowerWorks, 5)],
        Point::DialHello | Point::DialWelcome => &[(LeaderIsRejoined, 0)],
        Point::CallSend => &[(FollowerWorks, 0)],
        Point::CallReply => &[(LeaderIsAsked, 0)],
        Point::VoteSend | Point::VoteReply => &[(Election, 0)],
        Point::TransferSend => &[(LeaderHandsOver, 0)],
        Point::TransferTake => &[(FollowerTakesOver, 0)],
        Point::ApplyBegin | Point::ApplyDone => APPLYING,
        Point::ApplyCommand => {
            &[(LoneStart, 3), (LoneWorks, 9), (LeaderWorks, 6), (FollowerWorks, 4)]
        }
        Point::ReplySend => &[(LoneWorks, 5), (LeaderWorks, 3), (FollowerWorks, 3)],
    }
}

/// All cases of an action, or those that fit into a few minutes: every point once alone and once
/// among others, where it is reached there; of stalls, only those of the log and of what is sent.
pub(crate) fn cases(action: Action, all: bool) -> Vec<Case> {
    let mut found = Vec::new();
    for (number, point) in Point::ALL.iter().copied().enumerate() {
        let kept = match action {
            Action::Crash => true,
            Action::Fail => point.failing() != Failing::Cannot,
            Action::Stall => all || matches!(point.kind(), Kind::Sync | Kind::Send),
        };
        if !kept {
            continue;
        }
        let (alone, among): (Vec<_>, Vec<_>) = scenes(point)
            .iter()
            .map(|(scene, before)| Case { point, scene: *scene, before: *before, action })
            .partition(|case| case.scene.is_lone());
        for cases in [alone, among] {
            if all {
                found.extend(cases);
            } else if !cases.is_empty() {
                // By turns, so that every scene has its share.
                found.push(cases[number % cases.len()]);
            }
        }
    }
    found
}

impl Scene {
    /// Whether the server stands alone.
    pub(crate) const fn is_lone(self) -> bool {
        matches!(self, LoneFirstStart | LoneStart | LoneWorks | LoneRests)
    }
}
