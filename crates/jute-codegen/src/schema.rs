//! A schema as a tree of values.

/// A `module` block: one Rust module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The module's name.
    pub name: String,
    /// In the order of the schema.
    pub classes: Vec<Class>,
}

/// A `class` block: one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Its `///` lines.
    pub docs: Vec<String>,
    /// Its name, also in Rust.
    pub name: String,
    /// In wire order.
    pub fields: Vec<Field>,
}

/// One field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its `///` lines.
    pub docs: Vec<String>,
    /// Its name, in snake case.
    pub name: String,
    /// What it holds.
    pub kind: Type,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// One byte.
    Byte,
    /// One byte, true or false.
    Boolean,
    /// 32 bits.
    Int,
    /// 64 bits.
    Long,
    /// Bytes.
    Buffer,
    /// Text.
    Ustring,
    /// Any number of one type.
    Vector(Box<Type>),
    /// Another record, as written: `Class` or `module.Class`.
    Record(String),
}
