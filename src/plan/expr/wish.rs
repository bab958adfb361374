//! What a condition wants of the values it reads: `status == 200 && size(json.list) > 0` as wishes that somebody who makes
//! up an answer can grant. Only what people write is understood: whoever grants wishes asks the condition in the end.

use super::Expr as Condition;
use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, operators};
use serde_json::Value as Json;

/// One value that a condition reads, and what should be true of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// Where the value is, from its variable on.
    pub place: Vec<Place>,
    /// What should be true.
    pub test: Test,
}

/// One part of where a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A variable, or a field of a mapping.
    Field(String),
    /// An item of a list, from 0.
    Item(usize),
}

/// What should be true of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// It is there.
    There,
    /// It stands so to this one.
    Is(Comparison, Json),
    /// Its size does.
    Size(Comparison, i64),
    /// It is text with this in it.
    Contains(String),
    /// It is text that begins so.
    Begins(String),
    /// It is text that ends so.
    Ends(String),
    /// It is text that this pattern matches.
    Matches(String),
}

/// How two values stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

/// The most ways to grant a condition that are told.
const MOST: usize = 16;

/// Each is one way: all of its wishes together.
type Ways = Vec<Vec<Wish>>;

impl Condition {
    /// The ways to make it hold, or not hold, where these variables have values already; the first is the plainest. None:
    /// nothing in it is understood.
    #[must_use]
    pub fn wishes(&self, known: &[(&str, Json)], holds: bool) -> Vec<Vec<Wish>> {
        let lookup = |name: &str| self.known_value(known, name);
        let reader = Reader { lookup: &lookup, bound: Vec::new() };
        match self.program.root() {
            Some(root) => reader.walk(root, holds).unwrap_or_default(),
            None => reader.fields(&self.program.paths()[0]).map_or_else(Vec::new, |place| {
                vec![vec![Wish { place, test: Test::Is(Comparison::Equal, Json::Bool(holds)) }]]
            }),
        }
    }

    /// What must be there for it to have a value.
    #[must_use]
    pub fn reads(&self, known: &[(&str, Json)]) -> Vec<Wish> {
        let lookup = |name: &str| self.known_value(known, name);
        let reader = Reader { lookup: &lookup, bound: Vec::new() };
        let place = match self.program.root() {
            Some(root) => reader.place(root),
            None => reader.fields(&self.program.paths()[0]),
        };
        place.map(|place| Wish { place, test: Test::There }).into_iter().collect()
    }

    fn known_value(&self, known: &[(&str, Json)], name: &str) -> Option<Json> {
        let given = known.iter().find(|(given, _)| *given == name).map(|(_, value)| value);
        given.or_else(|| self.constants.get(name)).cloned()
    }
}

/// Reads wishes off a condition.
struct Reader<'r> {
    lookup: &'r dyn Fn(&str) -> Option<Json>,
    /// Variables of the macros around, and where their items are.
    bound: Vec<(&'r str, Vec<Place>)>,
}

impl<'r> Reader<'r> {
    /// The ways to make it so; `None` where it says nothing that is understood.
    fn walk(&self, expr: &'r IdedExpr, holds: bool) -> Option<Ways> {
        match &expr.expr {
            Expr::Call(call) => self.call(call, holds),
            Expr::Select(select) if select.test => {
                let mut place = self.place(&select.operand)?;
                place.push(Place::Field(select.field.clone()));
                holds.then(|| vec![vec![Wish { place, test: Test::There }]])
            }
            Expr::Comprehension(inner) => self.items(inner, holds),
            _ => {
                let place = self.place(expr)?;
                Some(vec![vec![Wish { place, test: Test::Is(Comparison::Equal, Json::Bool(holds)) }]])
            }
        }
    }

    fn call(&self, call: &'r CallExpr, holds: bool) -> Option<Ways> {
        let args = &call.args[..];
        match (call.func_name.as_str(), args) {
            (operators::LOGICAL_AND, [a, b]) if holds => both(self.walk(a, true), self.walk(b, true)),
            (operators::LOGICAL_OR, [a, b]) if !holds => both(self.walk(a, false), self.walk(b, false)),
            (operators::LOGICAL_AND | operators::LOGICAL_OR, [a, b]) => {
                either(self.walk(a, holds), self.walk(b, holds))
            }
            (operators::LOGICAL_NOT, [a]) => self.walk(a, !holds),
            (operators::NOT_STRICTLY_FALSE, [a]) => self.walk(a, holds),
            (operators::CONDITIONAL, [condition, yes, no]) => either(
                both(self.walk(condition, true), self.walk(yes, holds)),
                both(self.walk(condition, false), self.walk(no, holds)),
            ),
            (operators::IN, [item, list]) if holds => self.within(item, list),
            (name, [a, b]) if comparison(name).is_some() => {
                let compared = comparison(name)?;
                self.compare(a, b, if holds { compared } else { compared.opposite() })
            }
            (name, [text]) if holds => self.text(name, call.target.as_deref()?, text),
            _ => None,
        }
    }

    /// `json.state in ["done", "ended"]`, `"a" in json.list`.
    fn within(&self, item: &'r IdedExpr, list: &'r IdedExpr) -> Option<Ways> {
        let (place, wanted) = match (self.fixed(item), self.fixed(list)) {
            (None, Some(Json::Array(items))) => (self.place(item)?, items),
            (Some(value), None) => {
                let mut place = self.place(list)?;
                place.push(Place::Item(0));
                (place, vec![value])
            }
            _ => return None,
        };
        let way = |value: Json| vec![Wish { place: place.clone(), test: Test::Is(Comparison::Equal, value) }];
        Some(wanted.into_iter().take(MOST).map(way).collect())
    }

    fn compare(&self, a: &'r IdedExpr, b: &'r IdedExpr, compared: Comparison) -> Option<Ways> {
        let (side, value, compared) = match (self.fixed(a), self.fixed(b)) {
            (None, Some(value)) => (a, value, compared),
            (Some(value), None) => (b, value, compared.turned()),
            _ => return None,
        };
        let Some(sized) = sized(side) else {
            return Some(vec![vec![Wish { place: self.place(side)?, test: Test::Is(compared, value) }]]);
        };
        let size = value.as_i64()?;
        match &sized.expr {
            // `json.list.filter(x, x.good).size() > 0`: one item that is good.
            Expr::Comprehension(inner) => self.items(inner, compared.fits(1, size)),
            _ => Some(vec![vec![Wish { place: self.place(sized)?, test: Test::Size(compared, size) }]]),
        }
    }

    fn text(&self, function: &str, target: &'r IdedExpr, text: &'r IdedExpr) -> Option<Ways> {
        let text = self.fixed(text)?.as_str()?.to_owned();
        let test = match function {
            "contains" => Test::Contains(text),
            "startsWith" => Test::Begins(text),
            "endsWith" => Test::Ends(text),
            "matches" => Test::Matches(text),
            _ => return None,
        };
        Some(vec![vec![Wish { place: self.place(target)?, test }]])
    }

    /// `all`, `exists` and the like: what they ask of an item, asked of the first.
    fn items(&self, inner: &'r ComprehensionExpr, holds: bool) -> Option<Ways> {
        let mut first = self.place(&inner.iter_range)?;
        first.push(Place::Item(0));
        let mut bound = self.bound.clone();
        bound.push((&inner.iter_var, first));
        Reader { lookup: self.lookup, bound }.walk(&inner.loop_step, holds)
    }

    /// Where a value is that nobody knows yet.
    fn place(&self, expr: &'r IdedExpr) -> Option<Vec<Place>> {
        match &expr.expr {
            Expr::Ident(name) => self.fields(std::slice::from_ref(name)),
            Expr::Select(select) if !select.test => {
                let mut place = self.place(&select.operand)?;
                place.push(Place::Field(select.field.clone()));
                Some(place)
            }
            Expr::Call(call) => match (call.func_name.as_str(), &call.args[..]) {
                (operators::INDEX, [operand, index]) => {
                    let mut place = self.place(operand)?;
                    place.push(match self.fixed(index)? {
                        Json::String(key) => Place::Field(key),
                        number => Place::Item(usize::try_from(number.as_u64()?).ok()?),
                    });
                    Some(place)
                }
                // `int(json.count) == 3` is granted by what it reads.
                ("int" | "uint" | "double" | "string" | "dyn", [inner]) => self.place(inner),
                _ => None,
            },
            _ => None,
        }
    }

    /// `a.b.c`, where `a` has no value yet.
    fn fields(&self, path: &[String]) -> Option<Vec<Place>> {
        let root = path.first().filter(|root| !root.starts_with('@'))?;
        let rest = path[1..].iter().map(|field| Place::Field(field.clone()));
        if let Some((_, item)) = self.bound.iter().rev().find(|(name, _)| name == root) {
            return Some(item.iter().cloned().chain(rest).collect());
        }
        let known = (self.lookup)(root).is_some();
        (!known).then(|| std::iter::once(Place::Field(root.clone())).chain(rest).collect())
    }

    /// A value that is there already: a literal, a constant, what was captured.
    fn fixed(&self, expr: &IdedExpr) -> Option<Json> {
        match &expr.expr {
            Expr::Literal(literal) => literal_value(literal),
            Expr::List(list) => list.elements.iter().map(|element| self.fixed(element)).collect(),
            Expr::Ident(name) => {
                let bound = self.bound.iter().any(|(own, _)| own == name);
                (self.lookup)(name).filter(|_| !bound)
            }
            Expr::Select(select) if !select.test => self.fixed(&select.operand)?.get(&select.field).cloned(),
            Expr::Call(call) => match (call.func_name.as_str(), &call.args[..]) {
                (operators::INDEX, [operand, index]) => match (self.fixed(operand)?, self.fixed(index)?) {
                    (Json::Object(fields), Json::String(key)) => fields.get(&key).cloned(),
                    (Json::Array(items), index) => items.get(usize::try_from(index.as_u64()?).ok()?).cloned(),
                    _ => None,
                },
                (operators::NEGATE, [inner]) => {
                    let value = self.fixed(inner)?;
                    value.as_i64().map(|n| (-n).into()).or_else(|| value.as_f64().map(|n| (-n).into()))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// What `size` is asked of: `size(x)`, `x.size()`.
fn sized(expr: &IdedExpr) -> Option<&IdedExpr> {
    let Expr::Call(call) = &expr.expr else { return None };
    match (call.func_name.as_str(), call.target.as_deref(), &call.args[..]) {
        ("size", None, [inner]) => Some(inner),
        ("size", Some(inner), []) => Some(inner),
        _ => None,
    }
}

fn literal_value(literal: &LiteralValue) -> Option<Json> {
    Some(match literal {
        LiteralValue::Boolean(value) => (*value.inner()).into(),
        LiteralValue::Double(value) => (*value.inner()).into(),
        LiteralValue::Int(value) => (*value.inner()).into(),
        LiteralValue::UInt(value) => (*value.inner()).into(),
        LiteralValue::String(value) => value.inner().into(),
        LiteralValue::Null => Json::Null,
        LiteralValue::Bytes(_) => return None,
    })
}

/// What is not understood on one side is left to luck.
fn both(a: Option<Ways>, b: Option<Ways>) -> Option<Ways> {
    let (Some(a), Some(b)) = (&a, &b) else { return a.or(b) };
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| a.iter().chain(b).cloned().collect()));
    Some(pairs.take(MOST).collect())
}

fn either(a: Option<Ways>, b: Option<Ways>) -> Option<Ways> {
    let (Some(a), Some(b)) = (&a, &b) else { return a.or(b) };
    Some(a.iter().chain(b).take(MOST).cloned().collect())
}

fn comparison(operator: &str) -> Option<Comparison> {
    Some(match operator {
        operators::EQUALS => Comparison::Equal,
        operators::NOT_EQUALS => Comparison::Unequal,
        operators::LESS => Comparison::Less,
        operators::LESS_EQUALS => Comparison::AtMost,
        operators::GREATER => Comparison::More,
        operators::GREATER_EQUALS => Comparison::AtLeast,
        _ => return None,
    })
}

impl Comparison {
    /// What holds where this does not.
    fn opposite(self) -> Self {
        match self {
            Self::Equal => Self::Unequal,
            Self::Unequal => Self::Equal,
            Self::Less => Self::AtLeast,
            Self::AtMost => Self::More,
            Self::More => Self::AtMost,
            Self::AtLeast => Self::Less,
        }
    }

    /// With its sides changed over.
    fn turned(self) -> Self {
        match self {
            Self::Less => Self::More,
            Self::AtMost => Self::AtLeast,
            Self::More => Self::Less,
            Self::AtLeast => Self::AtMost,
            same => same,
        }
    }

    /// Whether a value stands so to another.
    #[must_use]
    pub fn fits<T: PartialOrd>(self, value: T, other: T) -> bool {
        match self {
            Self::Equal => value == other,
            Self::Unequal => value != other,
            Self::Less => value < other,
            Self::AtMost => value <= other,
            Self::More => value > other,
            Self::AtLeast => value >= other,
        }
    }
}
