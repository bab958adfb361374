//! Targets of a plan by name and kind.

use crate::plan::Target;
use crate::run::Fault;
use std::sync::Arc;

/// The target of this name, which must be of this kind.
pub(super) fn target<'t>(all: &'t [Arc<Target>], name: &str, kind: &str) -> Result<&'t Target, Fault> {
    let found = all.iter().find(|target| &*target.name == name);
    let found = found.ok_or_else(|| Fault::permanent(format!("the plan has no target `{name}`")))?;
    if &*found.kind == kind {
        return Ok(found);
    }
    Err(Fault::permanent(format!("target `{name}` is of kind {}, and {kind} is needed", found.kind)))
}
