//! The syntax of `zoo.cfg`: a Java properties file.
//!
//! Turns bytes into keys and values with the line each began on; knows nothing of what
//! they mean. The bytes are ISO-8859-1, as `java.util.Properties` reads them; every other
//! character is written `\uXXXX`.

/// One `key=value` of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The line it began on, counted from 1.
    pub line: usize,
    /// The key, trimmed as ZooKeeper does.
    pub key: String,
    /// The value as Java has it: blanks at its end belong to it. Empty when there is none.
    pub value: String,
}

impl Property {
    /// The value trimmed, as ZooKeeper does it to the settings of `zoo.cfg`.
    pub fn trimmed_value(&self) -> &str {
        trim(&self.value)
    }
}

/// A `\u` that is not followed by four hexadecimal digits. Nothing else is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed \\uXXXX escape on line {line}")]
pub struct BadEscape {
    /// The line on which its property began.
    pub line: usize,
}

/// Reads a whole file, in order, duplicates included: the last one of a key counts.
///
/// # Errors
/// [`BadEscape`], which is fatal in Java, too.
pub fn parse(bytes: &[u8]) -> Result<Vec<Property>, BadEscape> {
    logical_lines(bytes).into_iter().map(|(line, text)| property(line, &text)).collect()
}

/// Joins continued lines; leaves out comments and blank lines.
fn logical_lines(bytes: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut lines = Vec::new();
    // The line being continued, and where it began.
    let mut open: Option<(usize, Vec<u8>)> = None;
    for (number, natural) in natural_lines(bytes).into_iter().enumerate() {
        let text = natural.trim_blank_start();
        if open.is_none() && (text.is_empty() || text[0] == b'#' || text[0] == b'!') {
            continue;
        }
        let (line, mut joined) = open.take().unwrap_or((number + 1, Vec::new()));
        let backslashes = text.iter().rev().take_while(|byte| **byte == b'\\').count();
        let continued = backslashes % 2 == 1;
        joined.extend_from_slice(&text[..text.len() - usize::from(continued)]);
        if continued {
            open = Some((line, joined));
        } else {
            lines.push((line, joined));
        }
    }
    lines.extend(open);
    lines.retain(|(_, text)| !text.is_empty());
    lines
}

/// Lines end with `\n`, `\r` or `\r\n`.
fn natural_lines(bytes: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        lines.push(&rest[..end]);
        let both = rest[end..].starts_with(b"\r\n");
        rest = &rest[end + 1 + usize::from(both)..];
    }
    lines.push(rest);
    lines
}

/// What Java's parser skips: not quite what ASCII calls white space.
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\x0c')
}

trait TrimStart {
    fn trim_blank_start(&self) -> &Self;
}

impl TrimStart for [u8] {
    fn trim_blank_start(&self) -> &Self {
        let start = self.iter().position(|byte| !is_blank(*byte)).unwrap_or(self.len());
        &self[start..]
    }
}

/// The key ends at the first `=`, `:` or blank that is not escaped.
fn property(line: usize, text: &[u8]) -> Result<Property, BadEscape> {
    let mut escaped = false;
    let key_end = text.iter().position(|byte| {
        let ends = !escaped && (is_blank(*byte) || matches!(byte, b'=' | b':'));
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    let (key, rest) = text.split_at(key_end.unwrap_or(text.len()));
    let rest = rest.trim_blank_start();
    let value = match rest.first() {
        Some(b'=' | b':') => rest[1..].trim_blank_start(),
        Some(_) | None => rest,
    };
    let unescape = |part| unescape(part).ok_or(BadEscape { line });
    let (key, value) = (unescape(key)?, unescape(value)?);
    Ok(Property { line, key: trim(&key).to_owned(), value })
}

/// `String.trim` of Java: controls and spaces, nothing beyond ASCII.
fn trim(text: &str) -> &str {
    text.trim_matches(|character| character <= ' ')
}

/// Resolves escapes; an escaped character that means nothing special is itself.
fn unescape(text: &[u8]) -> Option<String> {
    let mut units = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            units.push(u16::from(byte));
            continue;
        }
        let Some((&escaped, after)) = rest.split_first() else { break };
        rest = after;
        units.push(match escaped {
            b't' => u16::from(b'\t'),
            b'n' => u16::from(b'\n'),
            b'r' => u16::from(b'\r'),
            b'f' => 0x0c,
            b'u' => {
                let digits = rest.get(..4).filter(|four| four.iter().all(u8::is_ascii_hexdigit))?;
                rest = &rest[4..];
                u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?
            }
            other => u16::from(other),
        });
    }
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::parse;

    #[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
    fn check(input: &str, expect: Expect) {
        let shown = match parse(input.as_bytes()) {
            Ok(all) => all
                .iter()
                .map(|p| format!("{}: {:?} = {:?}\n", p.line, p.key, p.value))
                .collect::<String>(),
            Err(error) => format!("{error}\n"),
        };
        expect.assert_eq(&shown);
    }

    #[test]
    fn separators() {
        check(
            "a=1\nb = 2\nc: 3\nd 4\ne\t=\t5\nf==6\ng=\nh\n=i\nj = : 7\n",
            expect![[r#"
                1: "a" = "1"
                2: "b" = "2"
                3: "c" = "3"
                4: "d" = "4"
                5: "e" = "5"
                6: "f" = "=6"
                7: "g" = ""
                8: "h" = ""
                9: "" = "i"
                10: "j" = ": 7"
            "#]],
        );
    }

    #[test]
    fn comments_and_blank_lines() {
        check(
            "# one\n! two\n\n   \t# three\na=1 # kept\n  b=2\n",
            expect![[r##"
                5: "a" = "1 # kept"
                6: "b" = "2"
            "##]],
        );
    }

    #[test]
    fn line_ends() {
        check(
            "a=1\rb=2\r\nc=3",
            expect![[r#"
                1: "a" = "1"
                2: "b" = "2"
                3: "c" = "3"
            "#]],
        );
    }

    #[test]
    fn continued_lines() {
        check(
            "a=1,\\\n   2,\\\n\t3\nb=4\\\\\nc=5\\\n\nd=6\\\n#7\n# no \\\ne=8\n\\\n\nf=9\\",
            expect![[r##"
                1: "a" = "1,2,3"
                4: "b" = "4\\"
                5: "c" = "5"
                7: "d" = "6#7"
                10: "e" = "8"
                13: "f" = "9"
            "##]],
        );
    }

    #[test]
    fn escapes() {
        check(
            "a\\=b\\ c\\:d=e\\tf\\qg\nh=C:\\\\zk\\\\data\ni=\\u00e9\\ud83d\\ude00\nj=\u{e9}\n",
            expect![[r#"
                1: "a=b c:d" = "e\tfqg"
                2: "h" = "C:\\zk\\data"
                3: "i" = "é😀"
                4: "j" = "Ã©"
            "#]],
        );
        check("a=1\nb=\\u12", expect!["malformed \\uXXXX escape on line 2\n"]);
    }

    #[test]
    fn keys_are_trimmed_and_values_can_be() {
        check(
            "a=1  \t\nb\\  = \\ 2\n",
            expect![[r#"
                1: "a" = "1  \t"
                2: "b" = " 2"
            "#]],
        );
        let read = parse(b"a=1  \t\nb\\  = \\ 2\n").unwrap();
        let values: Vec<&str> = read.iter().map(super::Property::trimmed_value).collect();
        assert_eq!(values, ["1", "2"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn plain_pairs_come_back(pairs in proptest::collection::vec(("[a-z.]{1,9}", "[a-z0-9/]{0,9}"), 0..9)) {
            let text: String = pairs.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
            let read: Vec<_> = parse(text.as_bytes()).unwrap();
            let read: Vec<_> = read.into_iter().map(|p| (p.key, p.value)).collect();
            prop_assert_eq!(read, pairs);
        }
    }
}
