//! Which names there are, in which module, whether they borrow, and how small they can be.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Nullable, SchemaError, Source,
    schema::{Class, Module, Type},
};

/// What is known of each class, by its simple name.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: BTreeMap<String, Known>,
}

#[derive(Debug)]
struct Known {
    module: String,
    /// Whether it holds references into the decoded bytes.
    borrows: bool,
    /// Whether it can be copied: it has no vector.
    copies: bool,
    bytes_min: usize,
}

impl Names {
    /// Looks up every name in every schema.
    pub(crate) fn new(
        sources: &[Source<'_>],
        modules: &[Module],
        nullable: &Nullable,
    ) -> Result<Self, SchemaError> {
        let mut names = Self::default();
        let mut classes = BTreeMap::new();
        for (source, module) in sources.iter().zip(modules) {
            for class in &module.classes {
                if classes.insert(class.name.as_str(), (source, module, class)).is_some() {
                    return Err(SchemaError::Duplicate {
                        file: source.name.to_owned(),
                        class: class.name.clone(),
                    });
                }
            }
        }
        for (source, module, class) in classes.values() {
            names.learn(source, module, class, &classes, &mut BTreeSet::new())?;
        }
        check_nullable(modules, nullable)?;
        Ok(names)
    }

    /// Whether a class holds references.
    pub(crate) fn borrows(&self, class: &str) -> bool {
        self.get(class).borrows
    }

    /// Whether a type can be copied.
    pub(crate) fn type_copies(&self, kind: &Type) -> bool {
        match kind {
            Type::Primitive(_) => true,
            Type::Vector(_) => false,
            Type::Record(name) => self.get(name).copies,
        }
    }

    /// The module that declares a class.
    pub(crate) fn module(&self, class: &str) -> &str {
        &self.get(class).module
    }

    fn get(&self, class: &str) -> &Known {
        self.known.get(simple(class)).expect("every name was looked up before")
    }

    /// Whether a type holds references.
    pub(crate) fn type_borrows(&self, kind: &Type) -> bool {
        match kind {
            Type::Primitive(kind) => kind.has_length(),
            Type::Vector(item) => self.type_borrows(item),
            Type::Record(name) => self.borrows(name),
        }
    }

    /// The fewest bytes that a type takes.
    pub(crate) fn bytes_min(&self, kind: &Type) -> usize {
        match kind {
            Type::Primitive(kind) => kind.bytes_min(),
            Type::Vector(_) => 4,
            Type::Record(name) => self.get(name).bytes_min,
        }
    }

    fn learn<'m>(
        &mut self,
        source: &Source<'_>,
        module: &Module,
        class: &Class,
        classes: &BTreeMap<&str, (&'m Source<'m>, &'m Module, &'m Class)>,
        within: &mut BTreeSet<String>,
    ) -> Result<(), SchemaError> {
        if self.known.contains_key(&class.name) {
            return Ok(());
        }
        let file = || source.name.to_owned();
        if !within.insert(class.name.clone()) {
            return Err(SchemaError::Cycle { file: file(), class: class.name.clone() });
        }
        for field in &class.fields {
            let Some(name) = record_in(&field.kind) else { continue };
            let found = classes.get(simple(name)).filter(|(_, other, _)| {
                name.split_once('.').is_none_or(|(prefix, _)| prefix == other.name)
            });
            let Some((source, module, class)) = found else {
                return Err(SchemaError::UnknownType {
                    file: file(),
                    class: class.name.clone(),
                    field: field.name.clone(),
                    name: name.to_owned(),
                });
            };
            self.learn(source, module, class, classes, within)?;
        }
        let known = Known {
            module: module.name.clone(),
            borrows: class.fields.iter().any(|field| self.type_borrows(&field.kind)),
            copies: class.fields.iter().all(|field| self.type_copies(&field.kind)),
            bytes_min: class.fields.iter().map(|field| self.bytes_min(&field.kind)).sum(),
        };
        self.known.insert(class.name.clone(), known);
        within.remove(&class.name);
        Ok(())
    }
}

/// A class's name without its module.
pub(crate) fn simple(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, simple)| simple)
}

fn record_in(kind: &Type) -> Option<&str> {
    match kind {
        Type::Record(name) => Some(name),
        Type::Vector(item) => record_in(item),
        Type::Primitive(_) => None,
    }
}

/// Whether a type has a null at all.
pub(crate) const fn can_be_null(kind: &Type) -> bool {
    match kind {
        Type::Primitive(kind) => kind.has_length(),
        Type::Vector(_) => true,
        Type::Record(_) => false,
    }
}

fn check_nullable(modules: &[Module], nullable: &Nullable) -> Result<(), SchemaError> {
    let fields = modules.iter().flat_map(|module| &module.classes).flat_map(|class| {
        let fields = class.fields.iter().filter(|field| can_be_null(&field.kind));
        fields.map(|field| format!("{}.{}", class.name, field.name))
    });
    let fields: BTreeSet<String> = fields.collect();
    match nullable.0.keys().find(|entry| !fields.contains(*entry)) {
        Some(entry) => Err(SchemaError::NotNullable { entry: entry.clone() }),
        None => Ok(()),
    }
}
