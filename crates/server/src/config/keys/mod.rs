//! Every configuration key of ZooKeeper 3.9 and what becomes of it here: data, not code.
//!
//! The loader walks this table to warn and refuse, `docs/configuration.md` is printed from
//! it, and a test holds it against the list of keys that ZooKeeper has. What a key that is
//! honoured does is in [`super::typed`].

mod access;
mod cluster;
mod commands;
mod server;
mod tls;
mod tuning;

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Does what it does in ZooKeeper.
    Honoured,
    /// Another name of this key.
    Alias(&'static str),
    /// Taken, without effect: a warning names it, for its user may count on it.
    Ignored,
    /// Taken silently: it tunes machinery that this server does not have.
    Meaningless,
    /// The server does not start with it, for it would do something else than asked.
    Refused {
        /// Values that ask for nothing and are accepted silently.
        except: &'static [&'static str],
        /// Why not.
        why: &'static str,
    },
}

/// What ZooKeeper takes as a value. It is checked whatever the key's standing: a file
/// that ZooKeeper does not start with, this server does not start with, either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Anything; or it is checked by the code that reads it.
    Text,
    /// `true` or `false`, in any case; anything else is fatal.
    Bool,
    /// A 32-bit number; anything else is fatal.
    Int,
    /// A 64-bit number; anything else is fatal.
    Long,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As written in `zoo.cfg`. A last `*` stands for any text.
    pub name: &'static str,
    /// What is taken as a value.
    pub form: Form,
    /// What becomes of it.
    pub standing: Standing,
    /// What holds when it is not set, for people; empty when nothing does.
    pub default: &'static str,
    /// What it does, or why it does nothing here.
    pub note: &'static str,
}

/// Keys that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Heading in the document.
    pub title: &'static str,
    /// The rows.
    pub keys: &'static [Key],
}

/// The whole table.
pub const SECTIONS: &[Section] = &[
    Section { title: "Basic", keys: server::BASIC },
    Section { title: "Storage", keys: server::STORAGE },
    Section { title: "Limits", keys: server::LIMITS },
    Section { title: "Znodes", keys: server::ZNODES },
    Section { title: "Authentication and access control", keys: access::KEYS },
    Section { title: "Commands, admin server, metrics, audit", keys: commands::KEYS },
    Section { title: "Ensemble", keys: cluster::KEYS },
    Section { title: "TLS", keys: tls::KEYS },
    Section { title: "Throttling", keys: tuning::THROTTLING },
    Section { title: "Tuning of ZooKeeper's own machinery", keys: tuning::MACHINERY },
    Section { title: "Settings of clients", keys: tuning::CLIENT },
];

/// The row for a key, given without the `zookeeper.` prefix. An exact name is preferred
/// over a pattern, and a longer pattern over a shorter one.
pub fn find(name: &str) -> Option<&'static Key> {
    let fit = |key: &&Key| match key.name.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => key.name == name,
    };
    let all = SECTIONS.iter().flat_map(|section| section.keys);
    all.filter(fit).max_by_key(|key| (!key.name.ends_with('*'), key.name.len()))
}

const fn honoured(
    name: &'static str,
    form: Form,
    default: &'static str,
    note: &'static str,
) -> Key {
    Key { name, form, standing: Standing::Honoured, default, note }
}

const fn ignored(name: &'static str, form: Form, note: &'static str) -> Key {
    Key { name, form, standing: Standing::Ignored, default: "", note }
}

const fn meaningless(name: &'static str, form: Form, note: &'static str) -> Key {
    Key { name, form, standing: Standing::Meaningless, default: "", note }
}

const fn alias(name: &'static str, of: &'static str) -> Key {
    Key { name, form: Form::Text, standing: Standing::Alias(of), default: "", note: "" }
}

const fn refused(
    name: &'static str,
    form: Form,
    except: &'static [&'static str],
    why: &'static str,
) -> Key {
    Key { name, form, standing: Standing::Refused { except, why }, default: "", note: "" }
}
