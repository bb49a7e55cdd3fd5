//! Access control: lists, what they permit, and how they are checked and stored.
//!
//! Rules as ZooKeeper's: entries permit and never deny, nothing is inherited, `super`
//! may everything. Who somebody is was decided when the connection authenticated.

mod address;
mod fix_up;
mod table;

pub(crate) use fix_up::fix_up;
pub(crate) use table::{AclTable, OPEN_ACL};

use crate::{
    command::{AclEntry, Identity, Permissions},
    outcome::AclView,
};

/// One entry of a stored list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OwnedAclEntry {
    pub(crate) perms: Permissions,
    pub(crate) scheme: Box<str>,
    pub(crate) id: Box<str>,
}

/// A list as the state holds it: valid, `auth` expanded, in the order given.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AclList {
    entries: Box<[OwnedAclEntry]>,
}

impl AclList {
    pub(crate) fn new(entries: Vec<OwnedAclEntry>) -> Self {
        Self { entries: entries.into_boxed_slice() }
    }

    /// A copy of `entries`, as they are.
    pub fn from_entries<'a>(entries: impl IntoIterator<Item = AclEntry<'a>>) -> Self {
        let own = |entry: AclEntry<'_>| OwnedAclEntry {
            perms: entry.perms,
            scheme: entry.scheme.into(),
            id: entry.id.into(),
        };
        Self::new(entries.into_iter().map(own).collect())
    }

    pub(crate) fn entries(&self) -> &[OwnedAclEntry] {
        &self.entries
    }

    /// The entries.
    pub fn iter(&self) -> impl Iterator<Item = AclEntry<'_>> {
        self.entries.iter().map(|entry| AclEntry {
            perms: entry.perms,
            scheme: &entry.scheme,
            id: &entry.id,
        })
    }

    /// Whether any of `identities` may do any of `perm`. An empty list permits all.
    pub fn permits(&self, perm: Permissions, identities: &[Identity<'_>]) -> bool {
        self.entries.is_empty()
            || identities.iter().any(|identity| identity.scheme == "super")
            || self.iter().any(|entry| {
                entry.perms.0 & perm.0 != 0
                    && (is_anyone(&entry) || identities.iter().any(|who| matches(who, &entry)))
            })
    }
}

impl AclView {
    /// Whether any of `identities` may do any of `perm`.
    pub fn permits(&self, perm: Permissions, identities: &[Identity<'_>]) -> bool {
        match self {
            Self::Open => true,
            Self::List(list) => list.permits(perm, identities),
        }
    }
}

/// Whether the entry is for everybody.
fn is_anyone(entry: &AclEntry<'_>) -> bool {
    entry.scheme == "world" && entry.id == "anyone"
}

fn matches(identity: &Identity<'_>, entry: &AclEntry<'_>) -> bool {
    if identity.scheme != entry.scheme {
        return false;
    }
    match entry.scheme {
        "ip" => address::matches(identity.id, entry.id),
        // Compat(sasl-super): the SASL user named `super` is everyone.
        "sasl" => identity.id == "super" || identity.id == entry.id,
        _ => identity.id == entry.id,
    }
}
