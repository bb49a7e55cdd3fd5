//! Frames to observations. Strict: every byte of a reply must be accounted for.

use super::observation::{Event, Value};
use crate::raw::{Malformed, Reader, Welcome};
use crate::script::Request;
use crate::script::catalogue::{self, Part, result_parts};

const CLOSE_SESSION: i32 = -11;
const RECONFIG: i32 = 16;

type Values = Vec<(String, Value)>;

/// The header of a reply or event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) xid: i32,
    pub(super) zxid: i64,
    pub(super) err: i32,
}

/// Reads the header, and leaves the reader behind it.
pub(super) fn header(reader: &mut Reader<'_>) -> Result<Header, Malformed> {
    Ok(Header {
        xid: reader.int("xid")?,
        zxid: reader.long("zxid")?,
        err: reader.int("error code")?,
    })
}

/// What a handshake's answer says.
pub(super) fn welcome(welcome: &Welcome) -> Values {
    let number = |value| Value::Number(i64::from(value));
    let mut values = vec![
        named("bytes", Value::Number(i64::try_from(welcome.payload_bytes).unwrap_or(i64::MAX))),
        named("protocol", number(welcome.protocol_version)),
        named("timeout", number(welcome.timeout_ms)),
        named("session", Value::Session(welcome.session_id)),
        named("password", Value::Password(welcome.password.clone())),
    ];
    if let Some(read_only) = welcome.read_only {
        values.push(named("readonly", number(i32::from(read_only))));
    }
    values
}

/// What an event says: its zxid, type, state and path.
pub(super) fn event(header: Header, mut reader: Reader<'_>) -> Result<Values, Malformed> {
    let kind = reader.int("event type")?;
    let state = reader.int("event state")?;
    let path = reader.text("event path")?.map(str::to_owned);
    reader.finish()?;
    let mut values = vec![
        named("zxid", Value::Zxid(header.zxid)),
        named("type", Value::Number(i64::from(kind))),
        named("path", Value::Text(path)),
    ];
    if (header.err, state) != (0, 3) {
        values.push(named("err", Value::Number(i64::from(header.err))));
        values.push(named("state", Value::Number(i64::from(state))));
    }
    Ok(values)
}

/// What the reply to `request` says.
pub(super) fn reply(
    request: &Request,
    label: &str,
    header: Header,
    mut reader: Reader<'_>,
) -> Result<(Event, Values), Malformed> {
    // Undecodable and unknown requests are turned away before they are given a zxid, or after.
    let operation = request.operation.or_else(|| catalogue::with_code(request.code));
    // Nor does the end of a local session take one, and what a reconfig changed has the zxid
    // that the configuration shows as its version.
    let has_own_zxid = operation.is_some_and(|operation| operation.is_write)
        && request.code != CLOSE_SESSION
        && (request.code != RECONFIG || header.err != 0)
        && !matches!(header.err, -5 | -6 | -127);
    let zxid = if has_own_zxid { Value::Zxid(header.zxid) } else { Value::Progress(header.zxid) };
    let mut values = vec![named("xid", Value::Number(i64::from(header.xid))), named("zxid", zxid)];
    let event = if header.err == 0 {
        for part in operation.map_or(&[][..], |operation| operation.reply) {
            self::part(*part, "", &mut reader, &mut values)?;
        }
        Event::Reply(label.to_owned())
    } else {
        // A multiRead that is refused as a whole: ZooKeeper adds what it had read until then,
        // which no client looks at. Either way is taken.
        if request.code == 22 && reader.finish().is_err() {
            results(&mut reader, &mut Vec::new())?;
        }
        Event::Refusal(label.to_owned(), header.err)
    };
    reader.finish()?;
    Ok((event, values))
}

fn part(
    part: Part,
    prefix: &str,
    reader: &mut Reader<'_>,
    values: &mut Values,
) -> Result<(), Malformed> {
    let value = match part {
        Part::Stat => return stat(prefix, reader, values),
        Part::Results => return results(reader, values),
        Part::Path => ("path", Value::Text(reader.text("path")?.map(str::to_owned))),
        Part::Data => ("data", Value::Bytes(reader.buffer("data")?.map(<[u8]>::to_vec))),
        Part::Token => ("token", Value::Bytes(reader.buffer("token")?.map(<[u8]>::to_vec))),
        Part::Number => ("number", Value::Number(i64::from(reader.int("number")?))),
        Part::Acl => ("acl", Value::List(acl(reader)?)),
        Part::Names => ("names", Value::Set(names(reader)?)),
        Part::Identities => ("identities", Value::Set(identities(reader)?)),
    };
    values.push((format!("{prefix}{}", value.0), value.1));
    Ok(())
}

fn stat(prefix: &str, reader: &mut Reader<'_>, values: &mut Values) -> Result<(), Malformed> {
    let czxid = reader.long("czxid")?;
    let mzxid = reader.long("mzxid")?;
    let ctime = reader.long("ctime")?;
    let mtime = reader.long("mtime")?;
    let mut number = |what| Ok(Value::Number(i64::from(reader.int(what)?)));
    let (version, cversion, aversion) =
        (number("version")?, number("cversion")?, number("aversion")?);
    let owner = reader.long("ephemeral owner")?;
    let mut number = |what| Ok(Value::Number(i64::from(reader.int(what)?)));
    let (length, children) = (number("data length")?, number("children")?);
    let pzxid = reader.long("pzxid")?;
    let fields = [
        ("czxid", Value::Zxid(czxid)),
        ("mzxid", Value::Zxid(mzxid)),
        ("pzxid", Value::Zxid(pzxid)),
        ("ctime", Value::Time { zxid: czxid, millis: ctime }),
        ("mtime", Value::Time { zxid: mzxid, millis: mtime }),
        ("version", version),
        ("cversion", cversion),
        ("aversion", aversion),
        ("owner", Value::Session(owner)),
        ("length", length),
        ("children", children),
    ];
    values.extend(fields.map(|(name, value)| (format!("{prefix}{name}"), value)));
    Ok(())
}

fn results(reader: &mut Reader<'_>, values: &mut Values) -> Result<(), Malformed> {
    for index in 0.. {
        let code = reader.int("element type")?;
        let is_done = reader.flag("element done")?;
        let err = reader.int("element error")?;
        if is_done {
            return if (code, err) == (-1, -1) { Ok(()) } else { Err(reader.malformed("end")) };
        }
        let prefix = format!("{index}.");
        values.push((format!("{prefix}type"), Value::Number(i64::from(code))));
        values.push((format!("{prefix}err"), Value::Number(i64::from(err))));
        let parts = result_parts(code).ok_or_else(|| reader.malformed("element type"))?;
        for part in parts {
            self::part(*part, &prefix, reader, values)?;
        }
    }
    Ok(())
}

fn acl(reader: &mut Reader<'_>) -> Result<Option<Vec<String>>, Malformed> {
    list(reader, |reader| {
        let perms = reader.int("permissions")?;
        let scheme = reader.text("scheme")?.unwrap_or("null");
        let id = reader.text("id")?.unwrap_or("null");
        Ok(format!("{scheme}:{id}:{perms}"))
    })
}

fn names(reader: &mut Reader<'_>) -> Result<Option<Vec<String>>, Malformed> {
    sorted(list(reader, |reader| Ok(reader.text("name")?.unwrap_or("null").to_owned())))
}

fn identities(reader: &mut Reader<'_>) -> Result<Option<Vec<String>>, Malformed> {
    sorted(list(reader, |reader| {
        let scheme = reader.text("scheme")?.unwrap_or("null");
        let user = reader.text("user")?.unwrap_or("null");
        Ok(format!("{scheme}:{user}"))
    }))
}

fn list(
    reader: &mut Reader<'_>,
    item: impl Fn(&mut Reader<'_>) -> Result<String, Malformed>,
) -> Result<Option<Vec<String>>, Malformed> {
    let Some(count) = reader.count("count")? else { return Ok(None) };
    (0..count).map(|_| item(reader)).collect::<Result<_, _>>().map(Some)
}

fn sorted(list: Result<Option<Vec<String>>, Malformed>) -> Result<Option<Vec<String>>, Malformed> {
    list.map(|list| {
        list.map(|mut texts| {
            texts.sort_unstable();
            texts
        })
    })
}

fn named(name: &str, value: Value) -> (String, Value) {
    (name.to_owned(), value)
}
