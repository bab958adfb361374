//! A guard's look: what it keeps from one to the next, and what of it is worth an answer.
//!
//! What it has seen is recorded as that of a monitor is, so that whoever takes the run over goes on from there: a baseline
//! that was measured before the switch cannot be measured after it.

use super::{Hands, Piece, Progress, Turn};
use crate::plan::{Timestamp, format_duration};
use crate::port::Reads;
use crate::run::{Fault, Input, Memo};
use crate::signal::{Evidence, FORGIVEN, Verdict, Watch};
use std::time::Duration;

/// What a guard has seen.
#[derive(Clone, Default)]
pub(super) struct Watching {
    /// It does not look before; `None`: it has yet to begin.
    begins: Option<Timestamp>,
    evidence: Evidence,
    /// As it is recorded; `None`: nothing is.
    recorded: Option<Evidence>,
}

impl Watching {
    /// It goes on from what was noted; `next`: when it was to look. Or it begins, again.
    pub(super) fn of(noted: &Memo, next: Timestamp) -> Self {
        match Evidence::of(noted) {
            Some(evidence) if next != Timestamp::PAST => {
                Self { begins: Some(next), recorded: Some(evidence.clone()), evidence }
            }
            known => Self { evidence: known.unwrap_or_default().again(), ..Self::default() },
        }
    }

    /// Breaches in a row, and bad observations that still count.
    pub(super) fn bad(&self) -> (u32, usize) {
        let (broken, bad, _) = self.evidence.trouble();
        (broken, bad)
    }

    fn note(&self) -> Memo {
        serde_json::to_string(&self.evidence).unwrap_or_default().into()
    }
}

impl Hands {
    /// Looks at a guard's signal once.
    pub(super) async fn guard(&self, place: usize, piece: &mut Piece) -> Turn {
        let Some(watch) = self.actions.guard(place) else { return Turn::Never };
        let (clock, world) = (self.world.clock(), self.world_for(piece));
        let (now, due) = (clock.now(), piece.due);
        // Once a bake is over it has long looked, and is only asked whether all is well.
        let is_asked = due.until < Timestamp::NEVER;
        let begins = if is_asked { now } else { watch.begins(now) };
        let was_away = piece.from != Timestamp::PAST && now.since(piece.from) > FORGIVEN;
        let watching = piece.watching.get_or_insert_default();
        let begins = *watching.begins.get_or_insert(begins);
        if now < begins {
            piece.from = begins;
            return Turn::Again(begins, Duration::ZERO);
        }
        let reads =
            Reads { world: world.as_reads(), step: &piece.call.step, scope: &piece.scope, progress: &|_| () };
        let evidence = &mut watching.evidence;
        evidence.look(now, 1);
        let (first, before) = (evidence.first(), evidence.standings());
        let kept = &mut evidence.signals[0];
        // While nobody looked it was not silent.
        let silent = kept.silent.filter(|_| !was_away).unwrap_or(now);
        let sample = watch.look(&reads, first, &mut kept.memory).await;
        let now = clock.now();
        kept.silent = Some(if sample.verdict == Verdict::Pass { now } else { silent });
        kept.keep(sample.clone());
        self.tell(|| Progress::Guard(place, watch.curve(&self.plan.guards[place].id, kept)));
        evidence.is_looked_at(&before);
        let fault = match sample.verdict {
            Verdict::Fail => Some(Fault::permanent(sample.text)),
            // Nobody is watching: that is no pass.
            Verdict::NoEvidence if now.since(silent) >= watch.patience() => Some(blind(watch, &sample.text)),
            Verdict::NoEvidence => None,
            Verdict::Pass if now >= due.until => {
                return Turn::Answered(Input::Satisfied { guard: place });
            }
            Verdict::Pass => None,
        };
        if let Some(fault) = fault {
            let (note, fault) = (Some(self.redactor.memo(&watching.note())), self.redactor.fault(&fault));
            return Turn::Answered(Input::Tripped { guard: place, note, fault });
        }
        let next = now.after(watch.period());
        if watching.recorded.as_ref().is_none_or(|recorded| watching.evidence.is_news(recorded)) {
            let note = self.redactor.memo(&watching.note());
            return Turn::Answered(Input::Noted { guard: place, turn: due.turn, note, next });
        }
        piece.from = next;
        Turn::Again(next, Duration::ZERO)
    }

    /// One turn of a guard. Its look may wait until it is let through, but not for longer than a source may be silent.
    pub(super) async fn guard_in_time(&self, guard: usize, piece: &mut Piece) -> Turn {
        let Some(watch) = self.actions.guard(guard) else { return Turn::Never };
        let clock = self.world.clock();
        let limit = clock.now().after(watch.patience());
        tokio::select! {
            biased;
            turn = self.turn(piece) => turn,
            () = clock.sleep_until(limit) => {
                let fault = blind(watch, "a look is not through yet");
                Turn::Answered(Input::Tripped { guard, note: None, fault })
            }
        }
    }
}

/// It has seen nothing for as long as a guard may.
fn blind(watch: &Watch, why: &str) -> Fault {
    Fault::blind(format!("no evidence for {}: {why}", format_duration(watch.patience())))
}
