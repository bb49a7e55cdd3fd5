//! A line's words: bare, quoted, or a group in brackets.

use super::parse::ScriptError;

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// `word`, or `key=value`, where the value may be quoted.
    Word {
        /// What stands before the `=`.
        key: Option<String>,
        /// The word, or what stands behind the `=`.
        value: String,
        /// Quoted words are never keywords such as `null`.
        quoted: bool,
    },
    /// `[ … ]`.
    Group(Vec<Self>),
}

/// Splits a line. Quotes know `\"`, `\\` and `\u{hex}`.
pub(super) fn tokenize(line: &str) -> Result<Vec<Token>, ScriptError> {
    let mut chars = line.chars().peekable();
    let tokens = group(&mut chars, false)?;
    Ok(tokens)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn group(chars: &mut Chars<'_>, is_nested: bool) -> Result<Vec<Token>, ScriptError> {
    let mut tokens = Vec::new();
    while let Some(&next) = chars.peek() {
        match next {
            ' ' => {
                chars.next();
            }
            '#' if !is_nested => return Ok(tokens),
            '[' => {
                chars.next();
                tokens.push(Token::Group(group(chars, true)?));
            }
            ']' if is_nested => {
                chars.next();
                return Ok(tokens);
            }
            _ => tokens.push(word(chars)?),
        }
    }
    if is_nested { Err(ScriptError::Unclosed) } else { Ok(tokens) }
}

fn word(chars: &mut Chars<'_>) -> Result<Token, ScriptError> {
    let mut key = None;
    let mut value = String::new();
    let mut quoted = false;
    while let Some(&next) = chars.peek() {
        match next {
            ' ' | ']' | '[' => break,
            '=' if key.is_none() && !quoted && is_key(&value) => {
                chars.next();
                key = Some(std::mem::take(&mut value));
            }
            '"' => {
                chars.next();
                quoted = true;
                quote(chars, &mut value)?;
            }
            _ => {
                chars.next();
                value.push(next);
            }
        }
    }
    Ok(Token::Word { key, value, quoted })
}

fn is_key(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next().is_some_and(|c| c == '@' || c.is_ascii_alphanumeric())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'))
}

fn quote(chars: &mut Chars<'_>, value: &mut String) -> Result<(), ScriptError> {
    loop {
        match chars.next().ok_or(ScriptError::Unclosed)? {
            '"' => return Ok(()),
            '\\' => value.push(escape(chars)?),
            plain => value.push(plain),
        }
    }
}

fn escape(chars: &mut Chars<'_>) -> Result<char, ScriptError> {
    match chars.next().ok_or(ScriptError::Unclosed)? {
        'u' => {
            let digits: String =
                chars.by_ref().skip_while(|&c| c == '{').take_while(|&c| c != '}').collect();
            u32::from_str_radix(&digits, 16)
                .ok()
                .and_then(char::from_u32)
                .ok_or_else(|| ScriptError::Value("\\u".to_owned(), digits))
        }
        'n' => Ok('\n'),
        other => Ok(other),
    }
}
