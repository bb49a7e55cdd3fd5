//! Encodings made from a schema alone, to test the generated code against.
//!
//! Nothing here knows what is generated: fields are written one by one as the schema lists
//! them. What a generated `decode` takes and its `encode` gives back must be these bytes.

use std::collections::BTreeMap;

use crate::{
    Class, Field, Module, Nullable, Primitive, Type,
    resolve::{can_be_null, simple},
};

/// Texts are made of these: one to four bytes each, and none that is left out by a path.
const LETTERS: &[char] = &['/', 'a', 'é', '漢', '🦀', '\0'];
/// The longest text, buffer and vector.
const LENGTH_MAX: u8 = 5;

/// Makes encodings of the classes of some schemas.
#[derive(Debug)]
pub struct Sampler<'s> {
    classes: BTreeMap<&'s str, &'s Class>,
    nullable: &'s Nullable,
}

/// Where the choices come from; zeros when there are no more.
struct Choices<'c>(std::slice::Iter<'c, u8>);

impl Choices<'_> {
    fn next(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    fn below(&mut self, limit: u8) -> u8 {
        self.next() % limit
    }

    fn letter(&mut self) -> char {
        LETTERS[usize::from(self.next()) % LETTERS.len()]
    }
}

impl<'s> Sampler<'s> {
    /// For schemas that [`crate::generate`] accepts.
    pub fn new(modules: &'s [Module], nullable: &'s Nullable) -> Self {
        let classes = modules.iter().flat_map(|module| &module.classes);
        Self { classes: classes.map(|class| (class.name.as_str(), class)).collect(), nullable }
    }

    /// The names of all classes, sorted.
    pub fn classes(&self) -> impl Iterator<Item = &'s str> {
        self.classes.keys().copied()
    }

    /// One encoding of `class`. Equal choices make equal bytes; without any, everything is
    /// zero, empty, or null where it may be.
    ///
    /// Panics when no schema declares the class.
    pub fn encoding(&self, class: &str, choices: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.put_class(&mut out, class, &mut Choices(choices.iter()));
        out
    }

    fn put_class(&self, out: &mut Vec<u8>, name: &str, choices: &mut Choices<'_>) {
        let class = self.classes.get(simple(name)).expect("a class of these schemas");
        for field in &class.fields {
            self.put_field(out, class, field, choices);
        }
    }

    fn put_field(
        &self,
        out: &mut Vec<u8>,
        class: &Class,
        field: &Field,
        choices: &mut Choices<'_>,
    ) {
        let nullable = can_be_null(&field.kind) && self.nullable.has(&class.name, &field.name);
        if nullable && choices.below(4) == 0 {
            out.extend((-1_i32).to_be_bytes());
        } else {
            self.put(out, &field.kind, choices);
        }
    }

    fn put(&self, out: &mut Vec<u8>, kind: &Type, choices: &mut Choices<'_>) {
        match kind {
            Type::Primitive(kind) => put_primitive(out, *kind, choices),
            Type::Vector(item) => {
                let length = choices.below(LENGTH_MAX);
                out.extend(i32::from(length).to_be_bytes());
                for _ in 0..length {
                    self.put(out, item, choices);
                }
            }
            Type::Record(name) => self.put_class(out, name, choices),
        }
    }
}

fn put_primitive(out: &mut Vec<u8>, kind: Primitive, choices: &mut Choices<'_>) {
    match kind {
        Primitive::Byte => out.push(choices.next()),
        Primitive::Boolean => out.push(choices.below(2)),
        Primitive::Int => out.extend((0..4).map(|_| choices.next())),
        Primitive::Long => out.extend((0..8).map(|_| choices.next())),
        Primitive::Buffer => {
            let length = choices.below(LENGTH_MAX);
            out.extend(i32::from(length).to_be_bytes());
            out.extend((0..length).map(|_| choices.next()));
        }
        Primitive::Ustring => {
            let letters = choices.below(LENGTH_MAX);
            let text: String = (0..letters).map(|_| choices.letter()).collect();
            let bytes = i32::try_from(text.len()).expect("a few letters are a few bytes");
            out.extend(bytes.to_be_bytes());
            out.extend(text.as_bytes());
        }
    }
}
