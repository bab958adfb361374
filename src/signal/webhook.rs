//! `webhook`: a guard that is tripped from outside, by Alertmanager, a signed request, or `switchover trigger --guard`.
//!
//! It measures nothing: nobody asks it for evidence, so it is never silent, and it never says that all is well. That it trips
//! is an order to the run ([`crate::run::Order::Trip`]); what stands here is what a plan may say of it beside that.

use super::Condition;
use super::registry::OF_A_GUARD;
use crate::plan::{Code, Fields, value};

/// What it is for, in one line.
pub(super) const SUMMARY: &str = "tripped from outside: by an alert, a signed request, or `trigger --guard`";

/// Reads its `with`, which is empty; false if there were errors.
pub(super) fn check(fields: &mut Fields<'_>) -> bool {
    let mut is_sound = true;
    let asked = Condition::KEYS.into_iter().chain(OF_A_GUARD).filter(|key| fields.has(key));
    for key in asked.collect::<Vec<_>>() {
        let (span, _) = (fields.span_of(key), fields.optional(key, value(), ""));
        let message = format!("`{key}` is about what is measured, and a `webhook` measures nothing");
        fields
            .problems()
            .error(Code("SW2016"), span, message)
            .help("leave it out: whoever sends the request has decided that something is wrong");
        is_sound = false;
    }
    fields.finish();
    is_sound
}
