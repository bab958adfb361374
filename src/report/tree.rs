//! The steps of a plan as the tree that people wrote.

use crate::plan::{Kind, Part, Plan, StepIx};

/// One row of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeRow {
    /// How deep, from 0.
    pub depth: usize,
    /// The name of a group, or of a step.
    pub name: String,
    /// The step; `None` for a group.
    pub step: Option<StepIx>,
    /// In which part it stands.
    pub part: Part,
}

/// All rows, in the order of the plan.
#[must_use]
pub fn tree(plan: &Plan) -> Vec<TreeRow> {
    let mut rows = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut part = Part::Main;
    for ix in plan.places() {
        let step = &plan[ix];
        if matches!(step.kind, Kind::Join) {
            continue;
        }
        if step.part != part {
            open.clear();
            part = step.part;
        }
        let mut path: Vec<String> = match step.part {
            Part::Prepare => vec!["prepare".into()],
            Part::Main => Vec::new(),
            Part::Finally => vec!["finally".into()],
        };
        path.extend(step.path.iter().map(ToString::to_string));
        let shared = open.iter().zip(&path).take_while(|(a, b)| a == b).count();
        for (depth, name) in path.iter().enumerate().skip(shared) {
            rows.push(TreeRow { depth, name: name.clone(), step: None, part });
        }
        rows.push(TreeRow { depth: path.len(), name: step.id.to_string(), step: Some(ix), part });
        open = path;
    }
    rows
}
