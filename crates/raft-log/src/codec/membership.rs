//! The members of the ensemble as bytes: in entries that change them, and in checkpoints.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use jute::{DecodeError, DecodeErrorKind, Decoded, Input, finish};

use crate::{
    disk::LogPosition,
    types::{Member, Membership, StoredMembership, log_id, position},
};

/// Encodes the members.
pub(crate) fn encode_membership(membership: &Membership) -> Bytes {
    let mut out = BytesMut::new();
    put_membership(&mut out, membership);
    out.freeze()
}

/// Decodes the members.
pub(crate) fn decode_membership(bytes: &[u8]) -> Result<Membership, DecodeError> {
    finish(membership(bytes)).map(|(_, membership)| membership)
}

/// Encodes the members and where in the log they were decided.
pub(crate) fn encode_stored_membership(stored: &StoredMembership) -> Bytes {
    let mut out = BytesMut::new();
    let at = stored.log_id().as_ref().map(position);
    jute::put_boolean(&mut out, at.is_some());
    let at = at.unwrap_or_default();
    jute::put_long(&mut out, at.term.cast_signed());
    jute::put_long(&mut out, at.index.cast_signed());
    put_membership(&mut out, stored.membership());
    out.freeze()
}

/// Decodes the members and where in the log they were decided.
pub(crate) fn decode_stored_membership(bytes: &[u8]) -> Result<StoredMembership, DecodeError> {
    let (rest, known) = finish(jute::boolean("known", bytes))?;
    let (rest, term) = finish(jute::long("term", rest))?;
    let (rest, index) = finish(jute::long("index", rest))?;
    let (_, membership) = finish(membership(rest))?;
    let at = LogPosition { term: term.cast_unsigned(), index: index.cast_unsigned() };
    Ok(StoredMembership::new(known.then(|| log_id(at)), membership))
}

fn put_membership(out: &mut BytesMut, membership: &Membership) {
    jute::put_vector(out, membership.get_joint_config(), |out, voters| {
        let voters: Vec<u64> = voters.iter().copied().collect();
        jute::put_vector(out, &voters, |out, id| jute::put_long(out, id.cast_signed()));
    });
    let nodes: Vec<(&u64, &Member)> = membership.nodes().collect();
    jute::put_vector(out, &nodes, |out, (id, member)| {
        jute::put_long(out, id.cast_signed());
        jute::put_long(out, member.server_id);
        jute::put_long(out, member.cluster.cast_signed());
        jute::put_vector(out, &member.addresses, |out, address| jute::put_ustring(out, address));
        jute::put_boolean(out, member.votes);
        jute::put_boolean(out, member.hidden);
        jute::put_ustring(out, &member.spec);
    });
}

fn membership(input: Input<'_>) -> Decoded<'_, Membership> {
    let (input, configs) = jute::vector("configs", 4, input, |input| {
        let id = |input| jute::long("voter", input);
        let (input, voters) = jute::vector("voters", 8, input, id)?;
        Ok((input, voters.into_iter().map(i64::cast_unsigned).collect::<BTreeSet<u64>>()))
    })?;
    let (rest, nodes) = jute::vector("nodes", 34, input, node)?;
    let nodes: BTreeMap<u64, Member> = nodes.into_iter().collect();
    if configs.is_empty() && nodes.is_empty() {
        return Ok((rest, Membership::default()));
    }
    match Membership::new(configs, nodes) {
        Ok(membership) => Ok((rest, membership)),
        Err(_) => Err(DecodeError::at("configs", DecodeErrorKind::Unknown(0), input)),
    }
}

fn node(input: Input<'_>) -> Decoded<'_, (u64, Member)> {
    let (input, id) = jute::long("id", input)?;
    let (input, server_id) = jute::long("server_id", input)?;
    let (input, cluster) = jute::long("cluster", input)?;
    let (input, addresses) =
        jute::vector("addresses", 4, input, |input| jute::ustring("address", input))?;
    let (input, votes) = jute::boolean("votes", input)?;
    let (input, hidden) = jute::boolean("hidden", input)?;
    let (input, spec) = jute::ustring("spec", input)?;
    let member = Member {
        server_id,
        cluster: cluster.cast_unsigned(),
        addresses: addresses.into_iter().map(str::to_owned).collect(),
        votes,
        hidden,
        spec: spec.to_owned(),
    };
    Ok((input, (id.cast_unsigned(), member)))
}
