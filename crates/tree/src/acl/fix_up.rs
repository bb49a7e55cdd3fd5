//! What becomes of an ACL that a client sends: duplicates go, `auth` turns into who the
//! client is, and every other entry must be valid in its scheme.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::{address, is_anyone};
use crate::{
    command::{AclEntry, CommandFlags, Identity},
    outcome::Reject,
};

/// A checked list; rarely longer than this.
pub(crate) type Checked<'a> = SmallVec<[AclEntry<'a>; 2]>;

/// The list to store for the list a client sent.
///
/// Compat(acl-duplicates): duplicates are removed before `auth` is expanded, so the expansion may
/// repeat an entry that was also given.
pub(crate) fn fix_up<'a>(
    sent: Option<&[AclEntry<'a>]>,
    identities: &[Identity<'a>],
    flags: CommandFlags,
) -> Result<Checked<'a>, Reject> {
    let sent = sent.unwrap_or_default();
    if sent.is_empty() {
        return Err(Reject::InvalidAcl);
    }
    let mut checked = Checked::new();
    let mut seen = BTreeSet::new();
    for entry in sent {
        if sent.len() > 1 && !seen.insert(entry) {
            continue;
        }
        if entry.scheme == "auth" {
            expand(entry, identities, flags, &mut checked)?;
        } else if is_anyone(entry) || is_valid(entry, flags) {
            checked.push(*entry);
        } else {
            return Err(Reject::InvalidAcl);
        }
    }
    Ok(checked)
}

/// One entry for each identity that was authenticated; an address is none.
fn expand<'a>(
    entry: &AclEntry<'a>,
    identities: &[Identity<'a>],
    flags: CommandFlags,
    checked: &mut Checked<'a>,
) -> Result<(), Reject> {
    let before = checked.len();
    let authenticated = identities
        .iter()
        .filter(|identity| identity.scheme != "ip" && is_offered(identity.scheme, flags));
    checked.extend(authenticated.map(|who| AclEntry {
        perms: entry.perms,
        scheme: who.scheme,
        id: who.id,
    }));
    if checked.len() == before { Err(Reject::InvalidAcl) } else { Ok(()) }
}

fn is_valid(entry: &AclEntry<'_>, flags: CommandFlags) -> bool {
    let id = entry.id;
    is_offered(entry.scheme, flags)
        && match entry.scheme {
            "ip" => address::is_valid(id),
            "digest" => is_digest(id),
            "sasl" => is_principal(id),
            "x509" => is_distinguished_name(id),
            _ => false,
        }
}

/// Whether the scheme may stand in ACLs; `super` and `world` never get here as valid.
fn is_offered(scheme: &str, flags: CommandFlags) -> bool {
    match scheme {
        "ip" => true,
        "digest" => flags.contains(CommandFlags::SCHEME_DIGEST),
        "sasl" => flags.contains(CommandFlags::SCHEME_SASL),
        "x509" => flags.contains(CommandFlags::SCHEME_X509),
        _ => false,
    }
}

/// Compat(acl-ids): two parts around colons as Java splits them, which drops empty parts at the
/// end (`a:b::` is valid, `a:` is not) but not at the start (`:b` is valid).
fn is_digest(id: &str) -> bool {
    let trimmed = id.trim_end_matches(':');
    trimmed.matches(':').count() == 1
}

/// Compat(acl-ids): a Kerberos name, `service/host@REALM` with the host optional, or any text
/// without `@`.
fn is_principal(id: &str) -> bool {
    let Some((name, realm)) = id.split_once('@') else { return true };
    !realm.contains(['@', '/']) && name.matches('/').count() <= 1
}

/// A subject as RFC 2253 writes it: `CN=a,O=b+OU=c`, with `\` and `"` quoting.
fn is_distinguished_name(id: &str) -> bool {
    id.trim().is_empty() || split_unquoted(id).is_some_and(|parts| parts.iter().all(is_attribute))
}

fn is_attribute(part: &&str) -> bool {
    part.split_once('=').is_some_and(|(keyword, _value)| is_keyword(keyword.trim()))
}

/// The attribute names that Java knows, and numeric object identifiers.
fn is_keyword(keyword: &str) -> bool {
    const KNOWN: [&str; 20] = [
        "C",
        "CN",
        "DC",
        "DN",
        "DNQ",
        "DNQUALIFIER",
        "EMAILADDRESS",
        "GENERATION",
        "GIVENNAME",
        "INITIALS",
        "IP",
        "L",
        "O",
        "OU",
        "S",
        "SERIALNUMBER",
        "ST",
        "STREET",
        "SURNAME",
        "T",
    ];
    let numbers = keyword.strip_prefix("OID.").unwrap_or(keyword);
    let is_oid = numbers.contains('.')
        && numbers
            .split('.')
            .all(|arc| !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit()));
    is_oid
        || keyword.eq_ignore_ascii_case("UID")
        || KNOWN.iter().any(|known| known.eq_ignore_ascii_case(keyword))
}

/// Splits at `,`, `;` and `+` outside of quotes; none if a quote is left open.
fn split_unquoted(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (position, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' | ';' | '+' if !quoted => {
                parts.push(&text[start..position]);
                start = position + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted && !escaped).then_some(parts)
}
