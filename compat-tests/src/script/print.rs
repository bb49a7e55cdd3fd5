//! Programs to text, so that a generated program that fails can be kept as a script.

use std::fmt;

use super::catalogue::Kind;
use super::request::{AclEntry, Arg, Request};
use super::{Action, Connect, Password, Program, SeenZxid, Step};

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in &self.settings {
            writeln!(f, "server {key}={}", Word(value))?;
        }
        if self.servers != 1 {
            writeln!(f, "servers {}", self.servers)?;
        }
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.connection)?;
        match &self.action {
            Action::Connect(connect) => connect.fmt(f),
            Action::Request(request) => request.fmt(f),
            Action::Queue(request) => write!(f, "+ {request}"),
            Action::Flush => f.write_str("flush"),
            Action::Frame(bytes) if bytes.is_empty() => f.write_str("frame \"\""),
            Action::Frame(bytes) => write!(f, "frame {}", Hex(bytes)),
            Action::Event => f.write_str("event"),
            Action::Eof => f.write_str("eof"),
            Action::Drop => f.write_str("drop"),
        }
    }
}

impl fmt::Display for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = Self::default();
        f.write_str("connect")?;
        if self.timeout_ms != default.timeout_ms {
            write!(f, " timeout={}", self.timeout_ms)?;
        }
        if let Some(session) = &self.session {
            write!(f, " session={session}")?;
        }
        match self.password {
            Password::Right => {}
            Password::Wrong => f.write_str(" password=wrong")?,
            Password::Short => f.write_str(" password=short")?,
            Password::Empty => f.write_str(" password=empty")?,
            Password::Null => f.write_str(" password=null")?,
        }
        match self.zxid {
            SeenZxid::Zero => {}
            SeenZxid::Seen => f.write_str(" zxid=seen")?,
            SeenZxid::Ahead => f.write_str(" zxid=ahead")?,
        }
        match self.read_only {
            Some(false) => {}
            Some(true) => f.write_str(" readonly=yes")?,
            None => f.write_str(" readonly=absent")?,
        }
        if self.server != default.server {
            write!(f, " server={}", self.server)?;
        }
        if self.protocol != default.protocol {
            write!(f, " protocol={}", self.protocol)?;
        }
        Ok(())
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operation {
            Some(operation) => f.write_str(operation.name)?,
            None => write!(f, "op:{}", self.code)?,
        }
        if let (None, [Arg::Buffer(Some(body))]) = (self.operation, self.args.as_slice()) {
            f.write_str(" body=")?;
            Hex(body).fmt(f)?;
        }
        let mut in_place = true;
        for (field, arg) in self.fields().iter().zip(&self.args) {
            let is_default = *arg == field.kind.default_arg();
            if matches!(field.kind, Kind::Flag) && *arg == Arg::Flag(true) {
                write!(f, " {}", field.name)?;
            } else if in_place
                && (field.kind == Kind::Text || !is_default && field.kind.is_positional())
            {
                write!(f, " {arg}")?;
            } else if !is_default {
                write!(f, " {}={arg}", field.name)?;
            } else if field.kind.is_positional() {
                in_place = false;
            }
        }
        for element in &self.elements {
            write!(f, " [{element}]")?;
        }
        if let Some(xid) = self.xid {
            write!(f, " @xid={xid}")?;
        }
        if let Some((index, length)) = self.length {
            write!(f, " @length={}:{length}", self.fields()[index].name)?;
        }
        if self.cut > 0 {
            write!(f, " @cut={}", self.cut)?;
        }
        if self.pad > 0 {
            write!(f, " @pad={}", self.pad)?;
        }
        Ok(())
    }
}

impl fmt::Display for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(None) | Self::Buffer(None) | Self::Acl(None) | Self::Texts(None) => {
                f.write_str("null")
            }
            Self::Text(Some(text)) => Word(text).fmt(f),
            Self::Buffer(Some(bytes)) => match std::str::from_utf8(bytes) {
                Ok(text) => Word(text).fmt(f),
                Err(_) => write!(f, "hex:{}", Hex(bytes)),
            },
            Self::Int(value) => value.fmt(f),
            Self::Long(value) => value.fmt(f),
            Self::Seen => f.write_str("seen"),
            Self::ConfigVersion => f.write_str("config"),
            Self::FormerConfigVersion => f.write_str("former-config"),
            Self::Flag(value) => value.fmt(f),
            Self::Acl(Some(entries)) if entries.is_empty() => f.write_str("none"),
            Self::Acl(Some(entries)) => {
                let texts: Vec<_> = entries.iter().map(ToString::to_string).collect();
                let joined = texts.join(",");
                // Behind `acl=`, a bare `=` is no key.
                if joined.contains(|c: char| c.is_ascii_whitespace() || "\"\\[]#".contains(c)) {
                    return Word(&joined).fmt(f);
                }
                f.write_str(&joined)
            }
            Self::Texts(Some(texts)) => Word(&texts.join(",")).fmt(f),
        }
    }
}

impl fmt::Display for AclEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::open() {
            return f.write_str("open");
        }
        write!(f, "{}:{}:{}", self.scheme, self.id, self.perms)
    }
}

/// A word, in quotes where it needs them.
struct Word<'a>(&'a str);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:,+;@".contains(c);
        let is_keyword = matches!(self.0, "" | "null" | "watch") || self.0.starts_with("hex:");
        if !is_keyword && self.0.chars().all(is_plain) {
            return f.write_str(self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                ' '..='~' => write!(f, "{c}")?,
                _ => write!(f, "\\u{{{:x}}}", u32::from(c))?,
            }
        }
        f.write_str("\"")
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use crate::script::Program;

    #[test]
    fn scripts_are_printed_as_they_are_read() {
        let text = "\
server enforceQuota=true
a connect
b connect timeout=5001 session=a password=wrong zxid=seen readonly=absent protocol=1
a create /p hello flags=3
a create /p null acl=none flags=-1
a create null
a create \"/p q\\u{1}\\\"\" hex:ff00 acl=open,digest:u:h=:1,world:anyone:0
a reconfig \"server.4=h:1:2;3\" null null id=config
a reconfig null 4 \"{server.1},{server.2}\" id=former-config
a + getData /p watch
a flush
a multi [check /p version=0] [delete /p] [op:99 body=00ff]
a setWatches zxid=seen data=/a,/b exist=null
a auth digest u:p @xid=55
a op:999 body=0102 @cut=1 @pad=2
a create /p @length=data:-7
c connect server=3
a frame 00000001
a event
a eof
a drop
";
        let program = Program::parse(text).unwrap();
        assert_eq!(program.to_string(), text);
        assert_eq!(Program::parse(&program.to_string()).unwrap(), program);
    }

    #[test]
    fn mistakes_name_their_line() {
        let error = Program::parse("a connect\na creat /p\n").unwrap_err();
        assert_eq!(error.to_string(), "line 2: unknown word: creat");
    }
}
