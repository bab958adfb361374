//! Whoever watches a run: renderers, the sandbox. They are told what is recorded, and cannot change anything.

use crate::plan::StepIx;
use crate::run::{Curve, Run};
use crate::store::{Recorded, Takeover};

/// Told of a run as it happens. Called between two facts: be quick.
pub trait Observer: Send {
    /// A fact was recorded; `run` has taken it.
    fn on_event(&mut self, run: &Run, recorded: &Recorded);
    /// A fact that was recorded before this process began; `run` has taken it.
    fn on_replayed(&mut self, run: &Run, recorded: &Recorded) {
        let _ = (run, recorded);
    }
    /// A step says how it goes. Without secrets; not recorded, and may be dropped.
    fn on_progress(&mut self, run: &Run, step: StepIx, text: &str) {
        let _ = (run, step, text);
    }
    /// What the signals of a step measured lately. Not recorded at each look, and may be dropped.
    fn on_curves(&mut self, run: &Run, step: StepIx, curves: &[Curve]) {
        let _ = (run, step, curves);
    }
    /// What a guard's signal measured lately. Not recorded, and may be dropped.
    fn on_guard(&mut self, run: &Run, guard: usize, curve: &Curve) {
        let _ = (run, guard, curve);
    }
    /// A lock was taken from a run that nobody runs any more.
    fn on_takeover(&mut self, takeover: &Takeover) {
        let _ = takeover;
    }
    /// What people should know, and no fact says.
    fn on_notice(&mut self, text: &str) {
        let _ = text;
    }
}
