//! `rookery cluster`: the ensemble at a glance, and the lead handed over.
//!
//! Asks the admin server of any member; what it shows is what that one sees.

use std::{env, path::PathBuf, process::ExitCode};

use clap::Subcommand;
use serde_json::Value;
use server::config::{self, Overrides};

use super::admin_client::{Admin, AskError};

/// Where the admin server is unless told otherwise.
const ADMIN: &str = "127.0.0.1:8080";
/// The path before its commands unless told otherwise.
const PATH: &str = "/commands";

/// The arguments of `rookery cluster`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Admin servers to ask, the first that answers; 127.0.0.1:8080 unless told otherwise.
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', global = true)]
    admin: Vec<String>,
    /// A member's configuration file, which says where the admin servers are.
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "admin")]
    config: Option<PathBuf>,
    /// Print what the server answered, as JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the leader give way, before maintenance of its machine.
    HandOver {
        /// The number of the server that is to lead; whichever is best unless told.
        #[arg(long, value_name = "N")]
        to: Option<i64>,
        /// Who asks, as `scheme data`, such as `digest super:password`. Not needed on a
        /// member's own machine while the root's ACL is open.
        #[arg(long, value_name = "SCHEME DATA", default_value = "ip 127.0.0.1")]
        auth: String,
    },
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    #[error(
        "{}: the admin server is off (admin.enableServer), and nothing else can be asked",
        .0.display()
    )]
    NoAdmin(PathBuf),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nrookery: "))]
    Ask(Vec<AskError>),
}

/// Shows the ensemble, or hands the lead over. Fails as well when there is no leader.
pub(crate) fn run(args: &Args) -> ExitCode {
    match try_run(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say_error(&error);
            ExitCode::FAILURE
        }
    }
}

fn try_run(args: &Args) -> Result<bool, Failed> {
    let servers = args.servers()?;
    match &args.command {
        None => {
            let answer = first_answer(&servers, |admin| admin.ask("GET", "cluster", None))?;
            if args.json {
                say(&format!("{answer:#}"))
            } else {
                say(&table(&answer))
            }
            Ok(!answer["leader"].is_null())
        }
        Some(Command::HandOver { to, auth }) => {
            let command = match to {
                Some(to) => format!("hand_over?to={to}"),
                None => "hand_over".to_owned(),
            };
            let answer = first_answer(&servers, |admin| admin.ask("POST", &command, Some(auth)))?;
            if args.json {
                say(&format!("{answer:#}"));
            } else {
                say(&format!("server.{} leads now.", answer["leader"]));
            }
            Ok(true)
        }
    }
}

/// What the first server says that can be reached; a refusal is an answer.
fn first_answer(
    servers: &[Admin],
    ask: impl Fn(&Admin) -> Result<Value, AskError>,
) -> Result<Value, Failed> {
    let mut errors = Vec::new();
    for server in servers {
        match ask(server) {
            Ok(answer) => return Ok(answer),
            Err(error @ AskError::Refused { .. }) => return Err(Failed::Ask(vec![error])),
            Err(error @ (AskError::Io { .. } | AskError::Other { .. })) => errors.push(error),
        }
    }
    Err(Failed::Ask(errors))
}

impl Args {
    fn servers(&self) -> Result<Vec<Admin>, Failed> {
        let Some(file) = &self.config else {
            let given = self.admin.iter().map(String::as_str);
            let default = self.admin.is_empty().then_some(ADMIN);
            let admin = |address: &str| Admin { address: address.into(), path: PATH.into() };
            return Ok(given.chain(default).map(admin).collect());
        };
        let mut overrides = Overrides::default();
        for variable in ["JVMFLAGS", "SERVER_JVMFLAGS"] {
            overrides.jvm_flags.extend(env::var(variable));
        }
        let config = config::load(Some(file), &overrides)?.config;
        let admin = config.admin.ok_or_else(|| Failed::NoAdmin(file.clone()))?;
        let own = if admin.address.ip().is_unspecified() {
            format!("127.0.0.1:{}", admin.address.port())
        } else {
            admin.address.to_string()
        };
        // The others have the same port, as a rule.
        let hosts = config.members.iter().flat_map(|member| &member.addresses);
        let others = hosts.map(|address| match address.host.contains(':') {
            true => format!("[{}]:{}", address.host, admin.address.port()),
            false => format!("{}:{}", address.host, admin.address.port()),
        });
        let mut addresses: Vec<String> = vec![own];
        for other in others {
            if !addresses.contains(&other) {
                addresses.push(other);
            }
        }
        let admin = |address| Admin { address, path: admin.command_url.clone() };
        Ok(addresses.into_iter().map(admin).collect())
    }
}

/// The answer for people.
fn table(answer: &Value) -> String {
    let mut text = match answer["leader"].as_i64() {
        Some(leader) => format!("server.{leader} leads in term {}.", answer["term"]),
        None => "No leader is known.".to_owned(),
    };
    let asked = answer["asked"].as_i64().map_or_else(
        || "a server that is no member yet".to_owned(),
        |asked| format!("server.{asked}"),
    );
    text += &format!(
        " Asked {asked}, which {} clients; {} of {} voters answer it, {} are needed.\n",
        if answer["serving"] == true { "serves" } else { "does not serve" },
        answer["voters_reached"],
        answer["voters"],
        answer["quorum"],
    );
    if let Some(change) = answer["change"].as_str() {
        text += &format!("On its way: {change}.\n");
    }
    text.push('\n');
    let heading = ["SERVER", "ROLE", "STATE", "BEHIND", "HEARD", "ADDRESS", ""];
    let mut rows = vec![heading.map(str::to_owned)];
    let members = answer["members"].as_array();
    rows.extend(members.into_iter().flatten().map(row));
    text + &aligned(&rows)
}

fn row(member: &Value) -> [String; 7] {
    let text = |name: &str| member[name].as_str().unwrap_or("-").to_owned();
    let number = |name: &str, unit: &str| {
        member[name].as_u64().map_or_else(|| "-".to_owned(), |number| format!("{number}{unit}"))
    };
    let why = member["unreached_because"].as_str().unwrap_or_default().to_owned();
    [
        format!("server.{}", member["server"]),
        text("role"),
        text("state"),
        number("behind", ""),
        number("heard_ms", " ms"),
        text("address"),
        why,
    ]
}

/// Columns as wide as what is in them.
fn aligned(rows: &[[String; 7]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..7).map(|column| width(column).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        out += cells.collect::<Vec<_>>().join("  ").trim_end();
        out.push('\n');
    }
    out
}

#[expect(clippy::print_stdout, reason = "it is what was asked for")]
fn say(text: &str) {
    println!("{}", text.trim_end());
}

#[expect(clippy::print_stderr, reason = "the last words")]
fn say_error(error: &Failed) {
    eprintln!("rookery: {error}");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_says_who_leads_who_lags_and_who_does_not_answer() {
        let member = |server: i64, state: &str, behind: Option<u64>, why: Option<&str>| {
            json!({
                "server": server, "role": "participant", "state": state, "behind": behind,
                "heard_ms": behind, "address": format!("host-{server}:2888"),
                "unreached_because": why,
            })
        };
        let answer = json!({
            "asked": 2, "serving": true, "leader": 1, "term": 7, "voters": 3,
            "voters_reached": 2, "quorum": 2, "change": null,
            "members": [
                member(1, "leading", Some(0), None),
                member(2, "following", Some(12), None),
                member(3, "unreached", None, Some("connection refused")),
            ],
        });
        let expected = "\
server.1 leads in term 7. Asked server.2, which serves clients; 2 of 3 voters answer it, 2 are needed.

SERVER    ROLE         STATE      BEHIND  HEARD  ADDRESS
server.1  participant  leading    0       0 ms   host-1:2888
server.2  participant  following  12      12 ms  host-2:2888
server.3  participant  unreached  -       -      host-3:2888  connection refused
";
        assert_eq!(table(&answer), expected);
    }

    #[test]
    fn no_leader_and_a_change_are_said_first() {
        let answer = json!({
            "asked": null, "serving": false, "leader": null, "term": 7, "voters": 3,
            "voters_reached": 1, "quorum": 2, "change": "server.4 joining", "members": [],
        });
        let text = table(&answer);
        assert!(text.starts_with("No leader is known. Asked a server that is no member yet"));
        assert!(text.contains("On its way: server.4 joining.\n"), "{text}");
    }
}
