//! `rookery recover`: one server of an ensemble goes on when the majority is lost for good.
//!
//! Says what will be kept and what may be lost, and does nothing without `--yes`.

use std::{env, path::PathBuf, process::ExitCode};

use clap::ArgGroup;
use server::{
    config::{self, Overrides},
    recovery::{Found, RecoveryError, Survivor},
};

/// The arguments of `rookery recover`.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("where").required(true).args(["config", "data_dir"])))]
pub(crate) struct Args {
    /// The survivor's configuration file: its dataDir and dataLogDir are used.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The survivor's data directory, instead of a configuration file.
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
    /// Where its log is, if not in the data directory.
    #[arg(long, value_name = "DIRECTORY", requires = "data_dir")]
    data_log_dir: Option<PathBuf>,
    /// Do it. Without this, only say what would be done.
    #[arg(long)]
    yes: bool,
}

/// Looks, and recovers if told to.
pub(crate) fn run(args: &Args) -> ExitCode {
    match try_run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say_error(&error);
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
}

fn try_run(args: &Args) -> Result<(), Failed> {
    let (data_dir, log_dir) = args.directories()?;
    let survivor = Survivor::open(&data_dir, &log_dir)?;
    say(&report(survivor.found()));
    if !args.yes {
        say("Nothing was changed. To go on with this server alone, run it again with --yes.");
        return Ok(());
    }
    let next = next_steps(survivor.found());
    survivor.recover()?;
    say(&next);
    Ok(())
}

impl Args {
    fn directories(&self) -> Result<(PathBuf, PathBuf), Failed> {
        if let Some(data_dir) = &self.data_dir {
            let log_dir = self.data_log_dir.as_ref().unwrap_or(data_dir);
            return Ok((data_dir.clone(), log_dir.clone()));
        }
        let mut overrides = Overrides::default();
        for variable in ["JVMFLAGS", "SERVER_JVMFLAGS"] {
            overrides.jvm_flags.extend(env::var(variable));
        }
        let config = config::load(self.config.as_deref(), &overrides)?.config;
        Ok((config.data_dir, config.data_log_dir))
    }
}

fn report(found: &Found) -> String {
    let recovered = &found.recovered;
    let number = |server: &i64| format!("server.{server}");
    let list = |servers: &[i64]| servers.iter().map(number).collect::<Vec<_>>().join(", ");
    let own = recovered.server_id;
    let mut text = format!(
        "This is server.{own}, of an ensemble whose voters are {}.\n\n\
         Kept: everything up to zxid {} (entry {}): {} znodes, {} sessions.\n",
        list(&recovered.voters),
        found.zxid,
        recovered.last,
        found.znodes,
        found.sessions,
    );
    if found.committed_zxid < found.zxid {
        text += &format!(
            "      Of that, what is behind zxid {} may never have been acknowledged; it counts \
             from now on.\n",
            found.committed_zxid
        );
    }
    if let Some(lacks) = &found.lacks {
        text += &format!("Lost here already: {lacks}\n");
    }
    text += "Lost: what only other servers had. Of all survivors take the one whose entry (term, \
             then index) is the highest.\n\n";
    text += &format!("Before: {} vote.\n", list(&recovered.voters));
    text += &format!("After:  server.{own} alone votes, in a cluster of a new id.\n");
    text
}

fn next_steps(found: &Found) -> String {
    let recovered = &found.recovered;
    let own = recovered.server_id;
    let mut text = format!(
        "Done. Start server.{own}: it serves alone, with the same configuration file as before.\n"
    );
    for other in recovered.servers.iter().filter(|server| server.server_id != own) {
        let role = if other.votes { "votes once it has caught up" } else { "observes" };
        text += &format!(
            "server.{}: start it on an empty data directory, with its number in myid; it {role}. \
             Its old data is refused.\n",
            other.server_id
        );
    }
    text
}

#[expect(clippy::print_stdout, reason = "it is what was asked for")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "the last words")]
fn say_error(error: &Failed) {
    eprintln!("rookery: {error}");
}
