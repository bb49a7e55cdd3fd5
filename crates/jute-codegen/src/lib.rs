//! Turns Jute schemas into Rust, for `xtask`.
//!
//! A schema is parsed ([`schema`], [`grammar`]), its names are looked up ([`resolve`]),
//! and straight-line Rust is written ([`emit`]): one struct a class, one line a field. It
//! is not in the shipped binary; what it writes is checked in, with a test that it is
//! current.

mod emit;
mod grammar;
mod resolve;
mod sample;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use thiserror::Error;

pub use sample::Sampler;
pub use schema::{Class, Field, Module, Primitive, Type};

/// One schema file.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Its name, for messages and for the header of what is generated.
    pub name: &'a str,
    /// What is in it.
    pub text: &'a str,
}

/// What is generated from one schema file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// The name of its module.
    pub module: String,
    /// Rust, not formatted yet.
    pub text: String,
}

/// Why there is no Rust for a schema.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SchemaError {
    /// The text is not a schema.
    #[error("{file}:{line}:{column}: expected {expected}")]
    Syntax {
        /// The schema file.
        file: String,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// A field has a type that no schema declares.
    #[error("{file}: {class}.{field}: unknown type `{name}`")]
    UnknownType {
        /// The schema file.
        file: String,
        /// The class.
        class: String,
        /// The field.
        field: String,
        /// The type's name.
        name: String,
    },
    /// Two classes of the same name.
    #[error("{file}: {class} is declared twice")]
    Duplicate {
        /// The schema file.
        file: String,
        /// The class.
        class: String,
    },
    /// A class that contains itself.
    #[error("{file}: {class} contains itself")]
    Cycle {
        /// The schema file.
        file: String,
        /// The class.
        class: String,
    },
    /// An entry of the list of nullable fields that names no buffer, ustring or vector.
    #[error("nullable.toml: `{entry}` names no field that can be null")]
    NotNullable {
        /// The entry.
        entry: String,
    },
    /// The list of nullable fields is not what it should be.
    #[error("nullable.toml: {message}")]
    Nullable {
        /// What the reader said.
        message: String,
    },
}

/// The fields that may be null, each with the reason, from `nullable.toml`.
#[derive(Clone, Debug, Default)]
pub struct Nullable(BTreeMap<String, String>);

impl Nullable {
    /// Reads `Class.field = "reason"` lines.
    ///
    /// # Errors
    /// [`SchemaError::Nullable`] when it is not such a list.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        toml::from_str(text)
            .map(Self)
            .map_err(|error| SchemaError::Nullable { message: error.to_string() })
    }

    fn has(&self, class: &str, field: &str) -> bool {
        self.0.contains_key(&format!("{class}.{field}"))
    }
}

/// Parses one schema, without looking up its names.
///
/// # Errors
/// [`SchemaError::Syntax`] when it is none.
pub fn parse(source: &Source<'_>) -> Result<Module, SchemaError> {
    grammar::parse(source)
}

/// Generates one Rust module a schema, in the order of `sources`.
///
/// # Errors
/// The first [`SchemaError`] found.
pub fn generate(
    sources: &[Source<'_>],
    nullable: &Nullable,
) -> Result<Vec<Generated>, SchemaError> {
    let modules = sources.iter().map(grammar::parse).collect::<Result<Vec<_>, _>>()?;
    let names = resolve::Names::new(sources, &modules, nullable)?;
    Ok(sources
        .iter()
        .zip(&modules)
        .map(|(source, module)| Generated {
            module: module.name.clone(),
            text: emit::module(source.name, module, &names, nullable),
        })
        .collect())
}
