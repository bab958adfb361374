//! Sound plans: what a run needs to know, once a plan is known to make sense. Pure data and pure questions.
//!
//! Not here: YAML syntax (`doc`), what a kind of step does (`action`), clocks, I/O, async.

mod decode;
mod expr;
mod graph;
mod lock;
mod policy;
mod problem;
mod secret;
mod shape;
mod step;
mod target;
mod template;
mod time;
mod value;

pub use decode::{Constants, Fields, Kinds, Known, StepTraits, nearest};
pub use expr::{Expr, ExprError, wish};
pub use graph::{Node, lower};
pub use lock::{BESIDE, FREE, LOCK, UNLOCK, is_lock};
pub use policy::{Freeze, Heartbeat, OnBreach, Policy, Window};
pub use problem::{Code, Label, Problem, Problems, Severity};
pub use secret::refuse_secrets;
pub use shape::{
    Shape, boolean, duration, expr, integer, list, map, nested, number, one_of, reference, target, template,
    text, value,
};
pub use step::{
    Approval, Approvers, Guard, GuardSpan, Kind, OnFailure, Part, Plan, Pool, Retry, Reversibility, Step,
    StepId, StepIx, Undo, Use, WEBHOOK, Writes,
};
pub use target::{Target, name_server};
pub use template::{Scope, Template};
pub use time::{Timestamp, format_duration, parse_duration};
pub use value::{Data, Key, Span, Value};
