//! A tree of values that remembers where in the text each of them stands.

use std::sync::Arc;

/// Where a value stands: bytes of one of the files that a plan was read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Index among the files read: 0 is the plan, the others are what it includes.
    pub file: u16,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub data: Data,
}

/// What YAML 1.2 (core schema) knows.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`, and nothing else.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number; never NaN or infinite.
    Float(f64),
    /// Text.
    Text(Arc<str>),
    /// A sequence.
    List(Vec<Value>),
    /// A mapping, in the order of the file, without duplicates.
    Map(Vec<(Key, Value)>),
}

/// No number is NaN.
impl Eq for Data {}

/// The key of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its text.
    pub name: Arc<str>,
    /// Where it stands.
    pub span: Span,
}

impl Value {
    /// The value under `key`, if this is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries().iter().find(|(k, _)| &*k.name == key).map(|(_, v)| v)
    }

    /// The entries of a mapping; none for anything else.
    #[must_use]
    pub fn entries(&self) -> &[(Key, Value)] {
        if let Data::Map(entries) = &self.data { entries } else { &[] }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&Arc<str>> {
        if let Data::Text(text) = &self.data { Some(text) } else { None }
    }

    /// What it is, for messages: `text`, `a list`.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self.data {
            Data::Null => "nothing",
            Data::Bool(_) => "true or false",
            Data::Integer(_) => "a whole number",
            Data::Float(_) => "a number",
            Data::Text(_) => "text",
            Data::List(_) => "a list",
            Data::Map(_) => "a mapping",
        }
    }

    /// The same as JSON, without places.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as J;
        match &self.data {
            Data::Null => J::Null,
            Data::Bool(b) => J::Bool(*b),
            Data::Integer(n) => J::from(*n),
            Data::Float(n) => J::from(*n),
            Data::Text(text) => J::String(text.to_string()),
            Data::List(items) => items.iter().map(Value::to_json).collect(),
            Data::Map(entries) => {
                J::Object(entries.iter().map(|(k, v)| (k.name.to_string(), v.to_json())).collect())
            }
        }
    }

    /// A value of JSON, all of it at one place: what `${{ params.x }}` stands for.
    #[must_use]
    pub fn from_json(json: &serde_json::Value, span: Span) -> Self {
        use serde_json::Value as J;
        let data = match json {
            J::Null => Data::Null,
            J::Bool(b) => Data::Bool(*b),
            J::Number(n) => n.as_i64().map_or_else(|| Data::Float(n.as_f64().unwrap_or(0.0)), Data::Integer),
            J::String(text) => Data::Text(text.as_str().into()),
            J::Array(items) => Data::List(items.iter().map(|item| Self::from_json(item, span)).collect()),
            J::Object(entries) => Data::Map(
                entries
                    .iter()
                    .map(|(k, v)| (Key { name: k.as_str().into(), span }, Self::from_json(v, span)))
                    .collect(),
            ),
        };
        Self { span, data }
    }
}
