//! Facts into words: one stream, several renderers. Rendering a replay is rendering it live.
//!
//! Not here: the driver, the store, the world. It knows plans and facts, and what a rehearsal counted.

mod brief;
mod github;
mod human;
mod json;
mod live;
mod looks;
mod markdown;
mod permissions;
mod plain;
mod preview;
mod rehearsal;
mod renderer;
mod runbook;
mod runbooks;
mod sparkline;
mod story;
mod summary;
mod tree;
mod words;

pub use github::GitHub;
pub use human::{Advice, Commands, advice, quoted};
pub use json::{JsonLines, fact as fact_json, name as event_name, result as result_json};
pub use live::Live;
pub use looks::{Looks, Tone};
pub use markdown::markdown;
pub use permissions::{ByHand, Permission, Permissions};
pub use plain::Plain;
pub use preview::{Amiss, CallShare, Preview, PreviewStep, Seen, SwitchClock, preview_json, preview_text};
pub use rehearsal::{
    Cut, Progress, Rehearsed, annotations, catalogue_json, catalogue_text, junit, rehearsal_json,
    rehearsal_text, scenario_end, scenario_json, struck, timeline_json, timeline_text,
};
pub use renderer::{Fact, Renderer};
pub use runbook::{Hand, change_line, runbook};
pub use runbooks::Runbook;
pub use story::{StepStory, Story};
pub use summary::{Extras, Standing, Unread, Watched, headline, outcome, summary, told};
pub use tree::{TreeRow, tree};
pub use words::{Line, grouped, line, pause, pause_about, refused, span, why_back, why_back_about};

#[cfg(test)]
mod tests;
