//! An answer that conditions are content with: made up from what they wish for, and believed only once they hold of it.

use super::super::Response;
use crate::plan::Expr;
use crate::plan::wish::{Comparison, Place, Test, Wish};
use serde_json::{Map, Value as Json};
use std::time::Duration;

/// What one step wants of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// These hold.
    pub holds: Vec<Expr>,
    /// These do not.
    pub never: Vec<Expr>,
    /// These have a value.
    pub taken: Vec<Expr>,
    /// It has a status below 400.
    pub accepted: bool,
    /// What was captured from answers before.
    pub captures: Map<String, Json>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200.
    pub status: u16,
    /// JSON, or text.
    pub body: String,
}

/// The most answers that are tried.
const MOST: usize = 64;
/// What is there if anything will do.
const SOMETHING: &str = "derived";
/// What an answer says if nobody wants to hear anything.
const PLAIN: &str = r#"{"status":"ok"}"#;

/// An answer that all of them are content with; `None` if none was found.
#[must_use]
pub fn answer(wanted: &[&Wanted]) -> Option<Answer> {
    let mut ways: Vec<Vec<Wish>> = vec![Vec::new()];
    for one in wanted {
        let known = one.known();
        let taken = one.taken.iter().map(|expr| vec![expr.reads(&known)]);
        let holds = one.holds.iter().map(|expr| expr.wishes(&known, true));
        let never = one.never.iter().map(|expr| expr.wishes(&known, false));
        for granted in holds.chain(never).chain(taken).filter(|granted| !granted.is_empty()) {
            let longer = ways.iter().flat_map(|way| granted.iter().map(|more| [&way[..], more].concat()));
            ways = longer.take(MOST).collect();
        }
    }
    let content = |answer: &Answer| wanted.iter().all(|one| one.is_content(answer));
    ways.iter().filter_map(|way| Draft::of(way).and_then(Draft::finish)).find(content)
}

impl Wanted {
    /// Whether this answer will do.
    #[must_use]
    pub fn is_content(&self, answer: &Answer) -> bool {
        let variables = self.variables(answer);
        let holds = |expr: &Expr| expr.holds(&variables) == Ok(true);
        (!self.accepted || answer.status < 400)
            && self.holds.iter().all(holds)
            && !self.never.iter().any(holds)
            && self.taken.iter().all(|expr| expr.eval(&variables).is_ok())
    }

    /// What conditions on this answer may name.
    #[must_use]
    pub fn variables(&self, answer: &Answer) -> Vec<(&'static str, Json)> {
        let response = Response {
            status: answer.status,
            headers: vec![("content-type".into(), answer.kind().into())],
            body: answer.body.clone().into_bytes(),
            elapsed: Duration::ZERO,
            address: None,
        };
        let mut variables = response.variables();
        variables.extend(self.known());
        variables
    }

    fn known(&self) -> Vec<(&'static str, Json)> {
        vec![("captures", Json::Object(self.captures.clone()))]
    }
}

impl Answer {
    /// Its media type.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.body.trim_start().as_bytes().first() {
            Some(b'{' | b'[') => "application/json",
            _ => "text/html",
        }
    }
}

/// An answer that is being made.
#[derive(Debug, Default)]
struct Draft {
    status: Json,
    json: Json,
    body: Text,
}

/// A text that is being made.
#[derive(Debug, Default)]
struct Text {
    whole: Option<String>,
    begins: String,
    inside: Vec<String>,
    ends: String,
}

impl Draft {
    fn of(way: &[Wish]) -> Option<Self> {
        let mut draft = Self { status: 200.into(), ..Self::default() };
        // How many there are is settled when it is known what each is like.
        let (sizes, rest): (Vec<&Wish>, Vec<&Wish>) =
            way.iter().partition(|wish| matches!(wish.test, Test::Size(..)));
        for wish in rest.into_iter().chain(sizes) {
            let (root, place) = wish.place.split_first()?;
            match root {
                Place::Field(root) if root == "status" => grant(&mut draft.status, &wish.test)?,
                Place::Field(root) if root == "json" => grant(reach(&mut draft.json, place)?, &wish.test)?,
                Place::Field(root) if root == "body" => draft.body.grant(&wish.test),
                // Headers and time are not ours to choose: the condition is asked in the end.
                _ => {}
            }
        }
        Some(draft)
    }

    fn finish(mut self) -> Option<Answer> {
        let status = u16::try_from(self.status.as_u64()?).ok()?;
        let text = self.body.finish();
        let body = match (&mut self.json, text) {
            (Json::Null, None) => PLAIN.to_owned(),
            (Json::Null, Some(text)) => text,
            (json, None) => json.to_string(),
            (json, Some(text)) => {
                let said = json.to_string().contains(&text);
                if let Json::Object(fields) = json
                    && !said
                {
                    fields.insert("text".into(), text.into());
                }
                json.to_string()
            }
        };
        Some(Answer { status, body })
    }
}

impl Text {
    fn grant(&mut self, test: &Test) {
        match test {
            Test::Is(Comparison::Equal, Json::String(text)) => self.whole = Some(text.clone()),
            Test::Contains(text) => self.inside.push(text.clone()),
            Test::Begins(text) => self.begins.clone_from(text),
            Test::Ends(text) => self.ends.clone_from(text),
            Test::Matches(pattern) => self.inside.push(matching(pattern)),
            _ => {}
        }
    }

    fn finish(self) -> Option<String> {
        let made = [self.begins, self.inside.join(" "), self.ends].concat();
        self.whole.or_else(|| (!made.is_empty()).then_some(made))
    }
}

/// The value at a place, made if it is not there; `None` if something else is in its way.
fn reach<'j>(mut here: &'j mut Json, place: &[Place]) -> Option<&'j mut Json> {
    for part in place {
        here = match part {
            Place::Field(field) => {
                if here.is_null() {
                    *here = Json::Object(Map::new());
                }
                here.as_object_mut()?.entry(field.clone()).or_insert(Json::Null)
            }
            Place::Item(place) => {
                if here.is_null() {
                    *here = Json::Array(Vec::new());
                }
                let items = here.as_array_mut()?;
                // Nobody needs a list that is longer.
                if *place > MOST {
                    return None;
                }
                while items.len() <= *place {
                    items.push(Json::Null);
                }
                items.get_mut(*place)?
            }
        };
    }
    Some(here)
}

/// Changes a value so that a wish comes true, if it does not already; `None` if it cannot.
fn grant(value: &mut Json, test: &Test) -> Option<()> {
    match test {
        Test::There if value.is_null() => *value = SOMETHING.into(),
        Test::There => {}
        Test::Is(Comparison::Equal, wanted) => *value = wanted.clone(),
        Test::Is(Comparison::Unequal, other) if value.is_null() || value == other => {
            *value = unequal(other);
        }
        Test::Is(Comparison::Unequal, _) => {}
        Test::Is(comparison, bound) => {
            let fits = value
                .as_f64()
                .is_some_and(|value| comparison.fits(value, bound.as_f64().unwrap_or(f64::NAN)));
            if !fits {
                *value = beyond(*comparison, bound)?;
            }
        }
        Test::Size(comparison, size) => resize(value, *comparison, *size)?,
        Test::Contains(text) => change(value, |old| if old.contains(text) { old } else { old + text }),
        Test::Begins(text) => {
            change(value, |old| if old.starts_with(text) { old } else { text.clone() + &old });
        }
        Test::Ends(text) => change(value, |old| if old.ends_with(text) { old } else { old + text }),
        Test::Matches(pattern) => change(value, |old| if old.is_empty() { matching(pattern) } else { old }),
    }
    Some(())
}

fn change(value: &mut Json, how: impl FnOnce(String) -> String) {
    let old = value.as_str().unwrap_or_default().to_owned();
    *value = how(old).into();
}

fn unequal(other: &Json) -> Json {
    match other {
        Json::Bool(value) => (!value).into(),
        Json::Number(number) => number.as_i64().map_or_else(|| 0.into(), |number| (number + 1).into()),
        Json::String(text) if text == SOMETHING => "other".into(),
        _ => SOMETHING.into(),
    }
}

/// A number that stands so to a bound.
fn beyond(comparison: Comparison, bound: &Json) -> Option<Json> {
    let by = match comparison {
        Comparison::More => 1,
        Comparison::Less => -1,
        Comparison::Equal | Comparison::Unequal | Comparison::AtMost | Comparison::AtLeast => 0,
    };
    match bound.as_i64() {
        Some(whole) => Some((whole + by).into()),
        None => bound.as_f64().map(|bound| (bound + f64::from(i32::try_from(by).unwrap_or(0))).into()),
    }
}

/// A list, or a text, of a size that stands so to this one.
fn resize(value: &mut Json, comparison: Comparison, size: i64) -> Option<()> {
    let has = value.as_array().map(Vec::len).or_else(|| value.as_str().map(str::len)).unwrap_or(0);
    if !value.is_null() && comparison.fits(i64::try_from(has).ok()?, size) {
        return Some(());
    }
    let wanted = beyond(comparison, &size.into())?.as_i64()?;
    let wanted = if comparison == Comparison::Unequal { size + 1 } else { wanted };
    let wanted = usize::try_from(wanted).ok().filter(|wanted| *wanted <= MOST)?;
    match value {
        Json::Null => *value = vec![something(); wanted].into(),
        Json::Array(items) => {
            let like = items.first().cloned().unwrap_or_else(something);
            items.resize(wanted, like);
        }
        Json::String(text) => {
            while text.len() < wanted {
                text.push('x');
            }
        }
        _ => return None,
    }
    Some(())
}

fn something() -> Json {
    serde_json::json!({"id": SOMETHING})
}

/// A text that a plain pattern matches: `^v1\.[0-9]+$` is `v1.1`. What is not plain comes out wrong, and is found out.
fn matching(pattern: &str) -> String {
    let digits = ["[0-9]+", "[0-9]*", "\\d+", "\\d*", "[0-9]", "\\d"];
    let words = ["[a-z]+", "[a-f0-9]+", "[0-9a-f]+", "\\w+", ".+"];
    let mut text = pattern.trim_start_matches('^').trim_end_matches('$').to_owned();
    for (shapes, with) in [(&digits[..], "1"), (&words[..], "a"), (&[".*"][..], "")] {
        for shape in shapes {
            text = text.replace(shape, with);
        }
    }
    text.replace('\\', "")
}

#[cfg(test)]
mod tests;
