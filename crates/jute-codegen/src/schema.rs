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
    /// A single value.
    Primitive(Primitive),
    /// Any number of one type.
    Vector(Box<Self>),
    /// Another record, as written: `Class` or `module.Class`.
    Record(String),
}

/// The types that Jute has by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Primitive {
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
}

impl Primitive {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Byte, Self::Boolean, Self::Int, Self::Long, Self::Buffer, Self::Ustring];

    /// Its name in schemas and, for its functions, in the `jute` crate.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Byte => "byte",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Buffer => "buffer",
            Self::Ustring => "ustring",
        }
    }

    /// The Rust type that holds one.
    pub const fn rust_type(self) -> &'static str {
        match self {
            Self::Byte => "u8",
            Self::Boolean => "bool",
            Self::Int => "i32",
            Self::Long => "i64",
            Self::Buffer => "&'a [u8]",
            Self::Ustring => "&'a str",
        }
    }

    /// The fewest bytes that one takes.
    pub const fn bytes_min(self) -> usize {
        match self {
            Self::Byte | Self::Boolean => 1,
            Self::Int | Self::Buffer | Self::Ustring => 4,
            Self::Long => 8,
        }
    }

    /// Whether it has a length: then it can be null, and borrows what it was decoded from.
    pub const fn has_length(self) -> bool {
        match self {
            Self::Byte | Self::Boolean | Self::Int | Self::Long => false,
            Self::Buffer | Self::Ustring => true,
        }
    }
}
