//! A line on a terminal that says how far a rehearsal is.

use crate::plan::format_duration;
use crate::report::{Looks, words};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// The line. It is wiped away in the end.
pub struct Progress(ProgressBar);

impl Progress {
    /// Draws on standard error, which should be a terminal.
    #[must_use]
    pub fn new(looks: Looks) -> Self {
        let signs = if looks.ascii { "-\\|/ " } else { "⠋⠙⠸⠴⠦⠇ " };
        let style = ProgressStyle::with_template("{spinner} {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .tick_chars(signs);
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        Self(bar.with_style(style))
    }

    /// So many faults have struck, and so long it has taken.
    pub fn tell(&self, struck: u64, took: Duration) {
        let took = format_duration(Duration::from_secs(took.as_secs()));
        self.0.set_message(format!(
            "rehearsing: {} faults have struck, {took}; Ctrl-C reports what is known so far",
            words::grouped(struck)
        ));
        self.0.tick();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
