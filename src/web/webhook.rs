//! What a script sends: one object that names a run or a plan, may name a guard of it, and says why.

use super::trigger::{Aim, Trigger};
use serde::Deserialize;

/// The most bytes of one. Its signature is known only once all of it is read, so it is short.
pub(super) const LONGEST: usize = 16 << 10;

/// The most characters of a reason in a journal.
pub(super) const REASON: usize = 300;
/// The same of a name.
pub(super) const NAME: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    run: Option<String>,
    plan: Option<String>,
    guard: Option<String>,
    reason: String,
    by: Option<String>,
}

/// The trigger of a webhook.
///
/// # Errors
/// It is not such an object, or names neither run nor plan.
pub(super) fn trigger(body: &[u8]) -> Result<Trigger, String> {
    let wish: Wish = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let aim = Aim::new(wish.run.as_deref(), wish.plan.as_deref())
        .ok_or("name a `run` by its whole id, or a `plan`, or both")?;
    let by = match wish.by.map(|by| cut(&by, NAME)).filter(|by| !by.is_empty()) {
        Some(by) => format!("{by} via webhook"),
        None => "webhook".into(),
    };
    let guard = wish.guard.map(|guard| cut(&guard, NAME));
    Ok(Trigger { aim, guard, by, reason: cut(&wish.reason, REASON) })
}

/// One line of at most so many characters: it is kept for good.
pub(super) fn cut(text: &str, most: usize) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.trim();
    if line.chars().count() <= most {
        return line.to_owned();
    }
    line.chars().take(most - 1).chain(['…']).collect()
}
