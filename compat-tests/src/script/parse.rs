//! Text to programs. Mistakes name their line.

use super::catalogue::{self, Kind};
use super::request::{AclEntry, Arg, Request};
use super::tokens::{Token, tokenize};
use super::{Action, Connect, Password, Program, SeenZxid, Step};

/// A script that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// In which line.
    #[error("line {0}: {1}")]
    Line(usize, Box<Self>),
    /// A quote or a bracket has no end.
    #[error("a quote or bracket is not closed")]
    Unclosed,
    /// Words are missing.
    #[error("the line ends too early")]
    TooShort,
    /// An operation, step or argument that does not exist.
    #[error("unknown word: {0}")]
    Unknown(String),
    /// A value that is not of its argument's type.
    #[error("{0}: not a value: {1}")]
    Value(String, String),
}

impl Program {
    /// Reads a script.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let mut program = Self::default();
        for (index, line) in text.lines().enumerate() {
            let at_line = |error| ScriptError::Line(index + 1, Box::new(error));
            let tokens = tokenize(line).map_err(at_line)?;
            program.add_line(&tokens).map_err(at_line)?;
        }
        Ok(program)
    }

    fn add_line(&mut self, tokens: &[Token]) -> Result<(), ScriptError> {
        let Some((first, rest)) = tokens.split_first() else { return Ok(()) };
        let connection = bare(first)?;
        if connection == "server" {
            for token in rest {
                let (key, value) = key_value(token)?;
                self.settings.push((key.to_owned(), value.to_owned()));
            }
            return Ok(());
        }
        if connection == "servers" {
            let count = bare(rest.first().ok_or(ScriptError::TooShort)?)?;
            self.servers = number(connection, count)?;
            return Ok(());
        }
        let action = action(rest)?;
        self.steps.push(Step { connection: connection.to_owned(), action });
        Ok(())
    }
}

fn action(tokens: &[Token]) -> Result<Action, ScriptError> {
    let (first, rest) = tokens.split_first().ok_or(ScriptError::TooShort)?;
    match bare(first)? {
        "connect" => Ok(Action::Connect(connect(rest)?)),
        "+" => Ok(Action::Queue(request(rest)?)),
        "flush" => Ok(Action::Flush),
        "event" => Ok(Action::Event),
        "eof" => Ok(Action::Eof),
        "drop" => Ok(Action::Drop),
        "frame" => Ok(Action::Frame(hex(bare(rest.first().ok_or(ScriptError::TooShort)?)?)?)),
        _ => Ok(Action::Request(request(tokens)?)),
    }
}

fn connect(tokens: &[Token]) -> Result<Connect, ScriptError> {
    let mut connect = Connect::default();
    for token in tokens {
        let (key, value) = key_value(token)?;
        let wrong = || ScriptError::Value(key.to_owned(), value.to_owned());
        match key {
            "timeout" => connect.timeout_ms = value.parse().map_err(|_| wrong())?,
            "protocol" => connect.protocol = value.parse().map_err(|_| wrong())?,
            "server" => connect.server = value.parse().map_err(|_| wrong())?,
            "session" => connect.session = Some(value.to_owned()),
            "password" => {
                connect.password = match value {
                    "right" => Password::Right,
                    "wrong" => Password::Wrong,
                    "short" => Password::Short,
                    "empty" => Password::Empty,
                    "null" => Password::Null,
                    _ => return Err(wrong()),
                }
            }
            "zxid" => {
                connect.zxid = match value {
                    "0" => SeenZxid::Zero,
                    "seen" => SeenZxid::Seen,
                    "ahead" => SeenZxid::Ahead,
                    _ => return Err(wrong()),
                }
            }
            "readonly" => {
                connect.read_only = match value {
                    "absent" => None,
                    "no" => Some(false),
                    "yes" => Some(true),
                    _ => return Err(wrong()),
                }
            }
            _ => return Err(ScriptError::Unknown(key.to_owned())),
        }
    }
    Ok(connect)
}

fn request(tokens: &[Token]) -> Result<Request, ScriptError> {
    let (first, rest) = tokens.split_first().ok_or(ScriptError::TooShort)?;
    let name = bare(first)?;
    let mut request = match name.strip_prefix("op:") {
        Some(code) => Request::raw(number(name, code)?, Vec::new()),
        None => Request::new(
            catalogue::named(name).ok_or_else(|| ScriptError::Unknown(name.to_owned()))?,
        ),
    };
    let mut position = 0;
    for token in rest {
        match token {
            Token::Group(element) => request.elements.push(self::request(element)?),
            Token::Word { key: Some(key), value, quoted } => {
                set_by_name(&mut request, key, value, *quoted)?;
            }
            Token::Word { key: None, value, quoted } => {
                set_by_position(&mut request, &mut position, value, *quoted)?;
            }
        }
    }
    Ok(request)
}

fn set_by_name(
    request: &mut Request,
    key: &str,
    value: &str,
    quoted: bool,
) -> Result<(), ScriptError> {
    match key {
        "@xid" => request.xid = Some(number(key, value)?),
        "@cut" => request.cut = number(key, value)?,
        "@pad" => request.pad = number(key, value)?,
        "@length" => {
            let (field, length) = value
                .split_once(':')
                .ok_or_else(|| ScriptError::Value(key.to_owned(), value.to_owned()))?;
            let index =
                request.field_index(field).ok_or_else(|| ScriptError::Unknown(field.to_owned()))?;
            request.length = Some((index, number(key, length)?));
        }
        "body" if request.operation.is_none() => {
            request.args = vec![Arg::Buffer(Some(hex(value)?))];
        }
        _ => {
            let index =
                request.field_index(key).ok_or_else(|| ScriptError::Unknown(key.to_owned()))?;
            request.args[index] = arg(key, request.fields()[index].kind, value, quoted)?;
        }
    }
    Ok(())
}

fn set_by_position(
    request: &mut Request,
    position: &mut usize,
    value: &str,
    quoted: bool,
) -> Result<(), ScriptError> {
    let fields = request.fields();
    let flag = fields.iter().position(|field| field.kind == Kind::Flag && field.name == value);
    if let (Some(index), false) = (flag, quoted) {
        request.args[index] = Arg::Flag(true);
        return Ok(());
    }
    let index = (*position..fields.len())
        .find(|&index| fields[index].kind.is_positional())
        .ok_or_else(|| ScriptError::Unknown(value.to_owned()))?;
    *position = index + 1;
    request.args[index] = arg(fields[index].name, fields[index].kind, value, quoted)?;
    Ok(())
}

fn arg(name: &str, kind: Kind, value: &str, quoted: bool) -> Result<Arg, ScriptError> {
    let is_null = value == "null" && !quoted;
    let text = (!is_null).then_some(value);
    Ok(match kind {
        Kind::Text => Arg::Text(text.map(str::to_owned)),
        Kind::Buffer => match value.strip_prefix("hex:").filter(|_| !quoted) {
            Some(digits) => Arg::Buffer(Some(hex(digits)?)),
            None => Arg::Buffer(text.map(|text| text.as_bytes().to_vec())),
        },
        Kind::Int(_) => Arg::Int(number(name, value)?),
        Kind::Long(_) if value == "seen" => Arg::Seen,
        Kind::Long(_) if value == "config" => Arg::ConfigVersion,
        Kind::Long(_) if value == "former-config" => Arg::FormerConfigVersion,
        Kind::Long(_) => Arg::Long(number(name, value)?),
        Kind::Flag => Arg::Flag(value == "true"),
        Kind::Acl => Arg::Acl(acl(name, text)?),
        Kind::Texts => Arg::Texts(text.map(|text| {
            let parts = text.split(',').filter(|part| !part.is_empty());
            parts.map(str::to_owned).collect()
        })),
    })
}

/// `null`, `none`, `open`, or `scheme:id:perms` joined by commas; the id may hold colons.
fn acl(name: &str, text: Option<&str>) -> Result<Option<Vec<AclEntry>>, ScriptError> {
    let Some(text) = text else { return Ok(None) };
    let entry = |part: &str| -> Result<AclEntry, ScriptError> {
        let wrong = || ScriptError::Value(name.to_owned(), part.to_owned());
        if part == "open" {
            return Ok(AclEntry::open());
        }
        let (scheme, rest) = part.split_once(':').ok_or_else(wrong)?;
        let (id, perms) = rest.rsplit_once(':').ok_or_else(wrong)?;
        Ok(AclEntry { scheme: scheme.into(), id: id.into(), perms: number(name, perms)? })
    };
    if text == "none" {
        return Ok(Some(Vec::new()));
    }
    text.split(',').map(entry).collect::<Result<_, _>>().map(Some)
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, ScriptError> {
    value.parse().map_err(|_| ScriptError::Value(name.to_owned(), value.to_owned()))
}

fn hex(digits: &str) -> Result<Vec<u8>, ScriptError> {
    let wrong = || ScriptError::Value("hex".to_owned(), digits.to_owned());
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return Err(wrong());
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong()))
        .collect()
}

fn bare(token: &Token) -> Result<&str, ScriptError> {
    match token {
        Token::Word { key: None, value, .. } => Ok(value),
        Token::Word { key: Some(key), .. } => Err(ScriptError::Unknown(key.clone())),
        Token::Group(_) => Err(ScriptError::Unknown("[".to_owned())),
    }
}

fn key_value(token: &Token) -> Result<(&str, &str), ScriptError> {
    match token {
        Token::Word { key: Some(key), value, .. } => Ok((key, value)),
        Token::Word { key: None, value, .. } => Err(ScriptError::Unknown(value.clone())),
        Token::Group(_) => Err(ScriptError::Unknown("[".to_owned())),
    }
}
