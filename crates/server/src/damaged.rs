//! A server that cannot start with the data that it finds: when that is set aside, and when not
//! yet.
//!
//! What is taken for damage on several servers at once is often a disk that is not mounted yet.
//! A server that has set its data aside belongs to no cluster until a majority takes it in, so
//! that a majority of such servers would be down until somebody moves folders back. So nothing
//! is changed before a majority is seen to serve without this server.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use raft_log::{NotServing, Others};
use store::Place;
use tokio::time::sleep;

use crate::{
    config::{Config, EnsembleConfig},
    ensemble,
    running::ServerError,
};

/// How often the others are asked, and the folders looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often it is said that this server waits.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// What to do about data that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Start with the data as it is: it may be whole by now.
    TryAgain,
    /// Set it aside: the others serve, and it is as it was when it could not be used.
    SetAside,
}

/// Damage that was found.
pub(crate) struct Damage {
    others: Others,
    data_dir: PathBuf,
    log_dir: PathBuf,
    said: Option<Instant>,
}

impl Damage {
    /// That of a server of this ensemble.
    pub(crate) fn new(config: &Config, ensemble: &EnsembleConfig) -> Self {
        let others = ensemble::raft_config(ensemble, &config.members, false);
        Self {
            others: Others::new(ensemble.me.id, others.servers, others.transport),
            data_dir: config.data_dir.clone(),
            log_dir: config.data_log_dir.clone(),
            said: None,
        }
    }

    /// Waits until something can be done about data that could not be used, for this reason,
    /// and that was at this place when it was tried.
    pub(crate) async fn wait(&mut self, error: &ServerError, tried: &Place) -> Next {
        let tried = tried.filled_from(&self.place());
        let mut has_waited = false;
        let mut before = tried.clone();
        loop {
            let serve = self.others.serve().await;
            let now = self.place();
            if now == tried {
                match serve {
                    Ok(()) if has_waited => return Next::TryAgain,
                    Ok(()) => return Next::SetAside,
                    Err(why) => self.say(error, &why),
                }
            } else if now == before && !now.lacks_some_of(&tried) {
                // Seen twice, and whole: nobody is about to put folders into their places.
                return Next::TryAgain;
            }
            (before, has_waited) = (now, true);
            sleep(LOOK_EVERY).await;
        }
    }

    fn place(&self) -> Place {
        Place::of(&self.data_dir, &self.log_dir)
    }

    /// Says why it waits, not more often than somebody wants to read it.
    fn say(&mut self, error: &ServerError, why: &NotServing) {
        if self.said.is_some_and(|said| said.elapsed() < SAY_EVERY) {
            return;
        }
        self.said = Some(Instant::now());
        tracing::error!(
            %error,
            others = %why,
            "this server's data is damaged, or its disk is not mounted: nothing is changed until \
             a majority of the others serves"
        );
    }
}
