//! A JSON body with holes in its texts.

use crate::plan::{Code, Data, ExprError, Known, Problems, Scope, Shape, Template, Value};
use serde_json::Value as Json;
use std::sync::Arc;

/// JSON whose texts may have holes.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// As it stands.
    Fixed(Json),
    /// Text.
    Text(Template),
    /// A list.
    List(Vec<Body>),
    /// A mapping.
    Map(Vec<(Arc<str>, Body)>),
}

impl Body {
    /// The body with its holes filled.
    pub(super) fn render(&self, scope: &Scope) -> Result<Json, ExprError> {
        Ok(match self {
            Self::Fixed(json) => json.clone(),
            Self::Text(template) => template.render(scope)?.into(),
            Self::List(items) => items.iter().map(|item| item.render(scope)).collect::<Result<_, _>>()?,
            Self::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| Ok((key.to_string(), value.render(scope)?)));
                Json::Object(entries.collect::<Result<_, ExprError>>()?)
            }
        })
    }

    /// The texts with holes.
    pub(super) fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Fixed(_) => Vec::new(),
            Self::Text(template) => vec![template],
            Self::List(items) => items.iter().flat_map(Self::templates).collect(),
            Self::Map(entries) => entries.iter().flat_map(|(_, value)| value.templates()).collect(),
        }
    }

    fn read(value: &Value, known: &Known, problems: &mut Problems) -> Option<Self> {
        Some(match &value.data {
            Data::Text(text) => match Template::parse(text, &known.constants) {
                Ok(template) => Self::Text(template),
                Err(error) => {
                    problems.error(Code("SW1012"), value.span, error.to_string());
                    return None;
                }
            },
            Data::List(items) => {
                Self::List(items.iter().map(|item| Self::read(item, known, problems)).collect::<Option<_>>()?)
            }
            Data::Map(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, item)| Some((key.name.clone(), Self::read(item, known, problems)?)));
                Self::Map(entries.collect::<Option<_>>()?)
            }
            _ => Self::Fixed(value.to_json()),
        })
    }
}

/// Any JSON.
pub(super) struct AnyJson;

impl Shape for AnyJson {
    type Out = Body;
    fn read(&self, value: &Value, known: &Known, problems: &mut Problems) -> Option<Body> {
        Body::read(value, known, problems)
    }
    fn schema(&self) -> Json {
        serde_json::json!({})
    }
}
