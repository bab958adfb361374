//! What a monitor, or a guard, has seen: kept from look to look, and recorded as often as it matters.
//!
//! A note holds all that going on needs, and takes the place of the one before. So few of a long watch are enough: one as
//! soon as something was seen that may decide, and one now and then. Whoever is killed loses what was neither: at most what
//! was seen in [`SELDOM`]. Of a watch of a day no more than 1,600 are recorded, whatever is seen; where nothing is, half.

use super::{Memory, Sample, Verdict, Weight};
use crate::plan::Timestamp;
use crate::run::Curve;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// While nothing is seen that may decide, it is recorded at intervals that grow up to this: much shorter than a silence that
/// is forgiven, so that who was killed and comes back within three minutes has not been silent.
const SELDOM: Duration = Duration::from_secs(120);
/// So many changes are recorded at once, and one more for each [`SELDOM`]. What flaps more often is recorded now and then.
const AT_ONCE: u32 = 120;

/// A hole of so long in what was watched is forgiven: what windows hold reaches back as far.
pub(crate) const FORGIVEN: Duration = Duration::from_secs(5 * 60);

/// Breaches in a row, bad observations that still count, and moments since which evidence is missing, or counts.
pub type Trouble = (u32, usize, Vec<Timestamp>);

/// How a signal stands, in short: what its newest look said, and what it keeps.
type Standing = (Option<Verdict>, Weight);

/// What was seen of each signal: kept from look to look, and for whoever asks later.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Evidence {
    pub(crate) signals: Vec<Kept>,
    /// When it was looked at last.
    #[serde(default)]
    looked: Timestamp,
    #[serde(default)]
    pace: Pace,
    /// Since when it counts, after a hole in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    anew: Option<Timestamp>,
    /// Names the call after which it was looked at last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<String>,
}

/// How often it has to be recorded.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Pace {
    /// When it was looked at first.
    first: Timestamp,
    /// So many looks saw what may decide.
    turns: u32,
}

impl Evidence {
    /// As a note has it; `None`: that is no note of this.
    pub(crate) fn of(note: &str) -> Option<Self> {
        serde_json::from_str(note).ok()
    }

    /// When it was looked at first.
    pub(crate) fn first(&self) -> Timestamp {
        self.pace.first
    }

    /// When what counts began, which would have been then.
    pub(crate) fn begun(&self, at: Timestamp) -> Timestamp {
        self.anew.map_or(at, |anew| anew.max(at))
    }

    /// It is looked at now, for so many signals.
    pub(crate) fn look(&mut self, now: Timestamp, signals: usize) {
        self.signals.resize_with(signals, Kept::default);
        if self.pace.first == Timestamp::default() {
            self.pace.first = now;
        }
        self.looked = now;
    }

    /// When it was looked at last.
    pub(crate) fn looked(&self) -> Timestamp {
        self.looked
    }

    /// It is looked at in the name of this call. Whether there was another one before: somebody was asked, and went on.
    pub(crate) fn is_of_another(&mut self, call: &str) -> bool {
        self.call.replace(call.to_owned()).is_some_and(|before| before != call)
    }

    /// It was looked at last in the name of this call.
    pub(crate) fn is_of(&self, call: &str) -> bool {
        self.call.as_deref() == Some(call)
    }

    /// What broke a signal before somebody went on does not break it once more. What it is compared with stays.
    pub(crate) fn forget_broken(&mut self) {
        for kept in self.signals.iter_mut().filter(|kept| kept.is_broken()) {
            let baseline = kept.memory.baseline.take();
            (kept.memory, kept.last) = (Memory { baseline, ..Memory::default() }, None);
        }
    }

    /// The same of which nothing counts but what signals are compared with.
    pub(crate) fn again(self) -> Self {
        let again = |kept: Kept| {
            let memory = Memory { baseline: kept.memory.baseline, ..Memory::default() };
            Kept { memory, last: None, silent: None, ..kept }
        };
        Self { signals: self.signals.into_iter().map(again).collect(), ..Self::default() }
    }

    /// Nothing that was seen counts any more.
    pub(crate) fn begin_anew(&mut self, now: Timestamp, why: &str) {
        self.anew = Some(now);
        for kept in &mut self.signals {
            let text = format!("{why}: what is watched begins anew");
            (kept.passes, kept.last) = (0, Some(Sample { verdict: Verdict::NoEvidence, value: None, text }));
        }
    }

    /// How each signal stands.
    pub(crate) fn standings(&self) -> Vec<Standing> {
        let standing = |kept: &Kept| (kept.last.as_ref().map(|sample| sample.verdict), kept.memory.weight());
        self.signals.iter().map(standing).collect()
    }

    /// A look is over, before which they stood so.
    pub(crate) fn is_looked_at(&mut self, before: &[Standing]) {
        let news = |((says, weight), (said, before)): (Standing, &Standing)| {
            says != *said || weight.has_news(*before)
        };
        let turned = self.standings().into_iter().zip(before).any(news);
        self.pace.turns = self.pace.turns.saturating_add(turned.into());
    }

    /// Whether it is to be recorded before the next look, where this was recorded last.
    pub(crate) fn is_news(&self, recorded: &Self) -> bool {
        let told = |evidence: &Self| (evidence.signals.len(), evidence.anew, evidence.call.clone());
        let watched = |until: Timestamp| until.since(self.pace.first);
        let turns = AT_ONCE.saturating_add(
            u32::try_from(watched(self.looked).as_secs() / SELDOM.as_secs()).unwrap_or(u32::MAX),
        );
        told(self) != told(recorded)
            || self.signals.iter().any(Kept::is_broken)
            || self.pace.turns != recorded.pace.turns && self.pace.turns <= turns
            || self.looked.since(recorded.looked) >= watched(recorded.looked).min(SELDOM)
    }

    /// What may still break it, or hold it up: of holes, moments that say how long it will take, of those that are not over
    /// and of the newest that is.
    pub(crate) fn trouble(&self) -> Trouble {
        let bad = self.signals.iter().map(|kept| kept.memory.bad());
        let (row, all) = bad.fold((0, 0), |(row, all), (broken, bad)| (row + broken, all + bad));
        let heard = self.signals.iter().map(|kept| kept.memory.heard.unwrap_or_default());
        (row, all, heard.filter(|heard| *heard < self.looked).chain(self.anew).collect())
    }

    /// What signals are compared with is known of one.
    pub(crate) fn is_compared(&self) -> bool {
        self.signals.iter().any(|kept| kept.memory.is_compared())
    }

    /// No signal was looked at yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.signals.is_empty()
    }
}

/// What was seen of one signal.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) memory: Memory,
    /// Looks that were a pass.
    pub(crate) passes: u32,
    /// What the newest look said.
    pub(crate) last: Option<Sample>,
    /// The newest values, as of a [`Curve`].
    pub(crate) values: Vec<Option<f64>>,
    /// Of a guard: since when its silence counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) silent: Option<Timestamp>,
}

impl Kept {
    pub(crate) fn keep(&mut self, sample: Sample) {
        self.passes += u32::from(sample.verdict == Verdict::Pass);
        Curve::add(&mut self.values, sample.value.map(rounded));
        self.last = Some(sample);
    }

    /// The newest look was a breach.
    fn is_broken(&self) -> bool {
        self.last.as_ref().is_some_and(|sample| sample.verdict == Verdict::Fail)
    }

    /// The newest look was a pass: there is evidence, and none of it is suspect.
    pub(crate) fn is_fine(&self) -> bool {
        self.last.as_ref().is_some_and(|sample| sample.verdict == Verdict::Pass)
    }
}

/// Four digits of it: as much as people are shown.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_767_693_600_000);

    /// How many notes a watch makes that is looked at every 10 s for so many hours; `bad` says which looks are.
    fn recorded(hours: u64, bad: impl Fn(u64) -> bool) -> usize {
        let (mut evidence, mut recorded) = (Evidence::default(), Vec::<Evidence>::new());
        for look in 0..hours * 360 {
            let now = START.after(Duration::from_secs(look * 10));
            evidence.look(now, 1);
            let before = evidence.standings();
            let verdict = if bad(look) { Verdict::NoEvidence } else { Verdict::Pass };
            let kept = &mut evidence.signals[0];
            kept.memory.broken = bad(look).into();
            kept.keep(Sample { verdict, value: Some(0.25), text: String::new() });
            evidence.is_looked_at(&before);
            if recorded.last().is_none_or(|last| evidence.is_news(last)) {
                recorded.push(evidence.clone());
            }
        }
        recorded.len()
    }

    #[test]
    fn a_quiet_watch_is_recorded_less_and_less_often() {
        // At 0, 10, 20, 40, 80 and 160 s, and every two minutes from then on.
        assert_eq!(recorded(1, |_| false), 6 + (3600 - 160) / 120);
    }

    #[test]
    fn what_may_decide_is_recorded_at_once() {
        // The bad look, and the one after it, by which it is known that it was the only one.
        assert_eq!(recorded(1, |look| look == 103), recorded(1, |_| false) + 2);
    }

    #[test]
    fn what_flaps_for_a_day_is_bounded_too() {
        let notes = recorded(24, |look| look % 2 == 0);
        assert!((720..1_600).contains(&notes), "{notes}");
    }

    #[test]
    fn a_curve_has_so_many_values_and_gaps() {
        let mut kept = Kept::default();
        for value in [Some(1.0), None, Some(2.0 / 3.0)] {
            kept.keep(Sample { verdict: Verdict::Pass, value, text: String::new() });
        }
        assert_eq!(kept.values, [Some(1.0), None, Some(0.6667)]);
        for _ in 0..Curve::LONGEST {
            kept.keep(Sample { verdict: Verdict::Pass, value: Some(1_234_567.0), text: String::new() });
        }
        assert_eq!(kept.values, [Some(1_235_000.0); Curve::LONGEST]);
    }
}
