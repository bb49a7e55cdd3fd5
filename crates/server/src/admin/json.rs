//! JSON as the admin server of ZooKeeper writes it: members in the order they were put,
//! spaces around the colon. `serde_json` would sort them.

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Integer(i64),
    /// Written as Java does, always with a point.
    Double(f64),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    /// An object of members with constant names.
    pub(super) fn object<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Object(members.map(|(name, value)| (name.to_owned(), value)).into())
    }

    /// A whole number.
    pub(super) fn number(value: u64) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }

    /// A text.
    pub(super) fn text(value: impl Into<String>) -> Self {
        Self::Text(value.into())
    }

    /// The whole value over several lines.
    pub(super) fn pretty(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out
    }

    fn write(&self, out: &mut String, depth: usize) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Integer(value) => out.push_str(&value.to_string()),
            Self::Double(value) => out.push_str(&super::mntr::java_double(*value)),
            Self::Text(text) => out.push_str(&quoted(text)),
            Self::List(items) if items.is_empty() => out.push_str("[ ]"),
            Self::List(items) => {
                out.push_str("[ ");
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    item.write(out, depth);
                }
                out.push_str(" ]");
            }
            Self::Object(members) if members.is_empty() => out.push_str("{ }"),
            Self::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    out.push_str(if index > 0 { ",\n" } else { "\n" });
                    out.push_str(&"  ".repeat(depth + 1));
                    out.push_str(&quoted(name));
                    out.push_str(" : ");
                    value.write(out, depth + 1);
                }
                out.push('\n');
                out.push_str(&"  ".repeat(depth));
                out.push('}');
            }
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn looks_as_jackson_prints() {
        let value = Json::object([
            ("b", Json::Integer(-1)),
            ("a", Json::List(vec![Json::object([("x", Json::Double(0.0))]), Json::Null])),
            ("text", Json::text("a \"b\"\n")),
            ("none", Json::Object(Vec::new())),
            ("empty", Json::List(Vec::new())),
        ]);
        expect![[r#"
            {
              "b" : -1,
              "a" : [ {
                "x" : 0.0
              }, null ],
              "text" : "a \"b\"\n",
              "none" : { },
              "empty" : [ ]
            }"#]]
        .assert_eq(&value.pretty());
    }
}
