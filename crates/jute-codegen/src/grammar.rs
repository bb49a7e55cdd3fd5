//! The grammar of schemas, one function a production.
//!
//! ```text
//! module := "module" name "{" class* "}"
//! class  := doc* "class" name "{" field* "}"
//! field  := doc* type name ";"
//! type   := "vector" "<" type ">" | primitive | name ("." name)?
//! doc    := "///" text
//! ```
//!
//! `//` comments may stand wherever white space may.

use nom::{
    IResult, Parser,
    branch::alt,
    bytes::complete::{is_not, tag, take_while, take_while1},
    character::complete::{char, multispace1, satisfy},
    combinator::{all_consuming, cut, not, opt, recognize, value},
    error::{ErrorKind, ParseError},
    multi::{many0, many0_count},
    sequence::{delimited, pair, preceded, terminated},
};

use crate::{
    SchemaError, Source,
    schema::{Class, Field, Module, Primitive, Type},
};

/// Parses one schema file.
pub(crate) fn parse(source: &Source<'_>) -> Result<Module, SchemaError> {
    match all_consuming(terminated(module, space)).parse(source.text) {
        Ok((_, module)) => Ok(module),
        Err(nom::Err::Error(error) | nom::Err::Failure(error)) => Err(located(source, &error)),
        Err(nom::Err::Incomplete(_)) => unreachable!("the parsers are complete"),
    }
}

/// Where parsing stopped, and what should have been there.
#[derive(Debug)]
struct Expected<'a> {
    rest: &'a str,
    what: &'static str,
}

impl<'a> ParseError<&'a str> for Expected<'a> {
    fn from_error_kind(rest: &'a str, _: ErrorKind) -> Self {
        Self { rest, what: "the end of the schema" }
    }

    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

type Parsed<'a, T> = IResult<&'a str, T, Expected<'a>>;

fn located(source: &Source<'_>, error: &Expected<'_>) -> SchemaError {
    let before = &source.text[..source.text.len() - error.rest.len()];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    SchemaError::Syntax {
        file: source.name.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        expected: error.what,
    }
}

fn module(input: &str) -> Parsed<'_, Module> {
    let (input, _) = keyword("module", "`module`").parse(input)?;
    let (input, name) = cut(name).parse(input)?;
    let (input, classes) = cut(block(class)).parse(input)?;
    Ok((input, Module { name: name.to_owned(), classes }))
}

fn class(input: &str) -> Parsed<'_, Class> {
    let (input, docs) = docs(input)?;
    let (input, _) = keyword("class", "`class`").parse(input)?;
    let (input, name) = cut(name).parse(input)?;
    let (input, fields) = cut(block(field)).parse(input)?;
    Ok((input, Class { docs, name: name.to_owned(), fields }))
}

fn field(input: &str) -> Parsed<'_, Field> {
    let (input, docs) = docs(input)?;
    let (input, kind) = kind(input)?;
    let (input, name) = cut(name).parse(input)?;
    let (input, _) = cut(symbol(';', "`;`")).parse(input)?;
    Ok((input, Field { docs, name: name.to_owned(), kind }))
}

fn kind(input: &str) -> Parsed<'_, Type> {
    let (input, first) = name(input)?;
    match first {
        "vector" => {
            let (input, _) = cut(symbol('<', "`<`")).parse(input)?;
            let (input, item) = cut(kind).parse(input)?;
            let (input, _) = cut(symbol('>', "`>`")).parse(input)?;
            Ok((input, Type::Vector(Box::new(item))))
        }
        _ => {
            if let Some(kind) = Primitive::ALL.into_iter().find(|kind| kind.name() == first) {
                return Ok((input, Type::Primitive(kind)));
            }
            let (input, second) = opt(preceded(char('.'), cut(name))).parse(input)?;
            let path =
                second.map_or_else(|| first.to_owned(), |second| format!("{first}.{second}"));
            Ok((input, Type::Record(path)))
        }
    }
}

fn block<'a, T>(
    item: impl Parser<&'a str, Output = T, Error = Expected<'a>>,
) -> impl Parser<&'a str, Output = Vec<T>, Error = Expected<'a>> {
    delimited(symbol('{', "`{`"), many0(item), cut(symbol('}', "`}`")))
}

fn docs(input: &str) -> Parsed<'_, Vec<String>> {
    many0(preceded(
        (space, tag("///"), opt(char(' '))),
        take_while(|c| c != '\n').map(|text: &str| text.trim_end().to_owned()),
    ))
    .parse(input)
}

fn keyword<'a>(
    word: &'static str,
    what: &'static str,
) -> impl Parser<&'a str, Output = (), Error = Expected<'a>> {
    expecting(what, value((), preceded(space, terminated(tag(word), multispace1))))
}

fn symbol<'a>(
    symbol: char,
    what: &'static str,
) -> impl Parser<&'a str, Output = (), Error = Expected<'a>> {
    expecting(what, value((), preceded(space, char(symbol))))
}

fn name(input: &str) -> Parsed<'_, &str> {
    let first = satisfy(|c| c.is_ascii_alphabetic());
    let others = take_while(|c: char| c.is_ascii_alphanumeric() || c == '_');
    expecting("a name", preceded(space, recognize(pair(first, others)))).parse(input)
}

/// White space and `//` comments that are no docs.
fn space(input: &str) -> Parsed<'_, ()> {
    let white = take_while1(char::is_whitespace);
    let comment = recognize((tag("//"), not(char('/')), opt(is_not("\n"))));
    value((), many0_count(alt((white, comment)))).parse(input)
}

/// The parser, with what it stands for in its error, at the place after the white space.
fn expecting<'a, T>(
    what: &'static str,
    mut parser: impl Parser<&'a str, Output = T, Error = Expected<'a>>,
) -> impl Parser<&'a str, Output = T, Error = Expected<'a>> {
    move |input: &'a str| {
        parser.parse(input).map_err(|error| {
            let rest = space(input).map_or(input, |(rest, ())| rest);
            error.map(|_| Expected { rest, what })
        })
    }
}
