//! The identities of a connection: an immutable list that is shared, not copied.

use std::{net::IpAddr, sync::Arc};

use smallvec::SmallVec;
use tree::Identity;

use super::address_text;

/// More identities than any client has; the next auth packet is ignored beyond it, so
/// that a connection cannot grow without bound.
const IDENTITIES_MAX: usize = 1000;

/// Who a connection is. Cheap to clone: a request keeps those it was read with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identities(Option<Arc<[Owned]>>);

/// (scheme, id)
type Owned = (Box<str>, Box<str>);

impl Identities {
    /// What every connection is: its peer's address.
    pub fn of_peer(peer: IpAddr) -> Self {
        Self::default().with_added("ip", &address_text(peer))
    }

    /// These and one more; the same list when it is in it already.
    #[must_use]
    pub fn with_added(&self, scheme: &str, id: &str) -> Self {
        let known = self.iter().any(|identity| identity.scheme == scheme && identity.id == id);
        if known || self.len() >= IDENTITIES_MAX {
            return self.clone();
        }
        let more = (scheme.into(), id.into());
        Self(Some(self.owned().iter().cloned().chain([more]).collect()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.owned().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.owned().is_empty()
    }

    /// In the order in which they were added.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Identity<'_>> {
        self.owned().iter().map(|(scheme, id)| Identity { scheme, id })
    }

    /// Calls `ask` with the list as the tree wants it, without allocating for the usual
    /// one to four identities.
    pub fn with<R>(&self, ask: impl FnOnce(&[Identity<'_>]) -> R) -> R {
        let identities: SmallVec<[Identity<'_>; 4]> = self.iter().collect();
        ask(&identities)
    }

    /// The list as a command carries it.
    pub fn to_vec(&self) -> Vec<Identity<'_>> {
        self.iter().collect()
    }

    fn owned(&self) -> &[Owned] {
        self.0.as_deref().unwrap_or_default()
    }
}
