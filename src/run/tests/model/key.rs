//! What makes two states one: all that their futures depend on, and nothing of how they came about.

use super::system::{Flight, Process, System};
use crate::plan::Timestamp;
use crate::run::{Bake, Phase, Run, StepRun, Work};
use std::hash::{DefaultHasher, Hash, Hasher};

impl System {
    /// Names this state.
    pub(super) fn key(&self) -> u64 {
        let mut hash = DefaultHasher::new();
        self.hash_durable(&mut hash);
        self.left.hash(&mut hash);
        self.kept.holder.map(|(_, expires)| self.ahead(Timestamp(expires))).hash(&mut hash);
        // Which of the two is which makes no difference.
        let mut both = [0, 1].map(|n| {
            let mut hash = DefaultHasher::new();
            self.kept.holder.is_some_and(|(holder, _)| holder == n).hash(&mut hash);
            if let Some(process) = &self.processes[n] {
                self.hash_process(process, &mut hash);
            }
            hash.finish()
        });
        both.sort_unstable();
        both.hash(&mut hash);
        hash.finish()
    }

    /// Names what is left when all processes are gone.
    pub(super) fn durable_key(&self) -> u64 {
        let mut hash = DefaultHasher::new();
        self.hash_durable(&mut hash);
        hash.finish()
    }

    /// How far ahead a moment is; all that are past are one.
    fn ahead(&self, at: Timestamp) -> u64 {
        if at == Timestamp::NEVER { u64::MAX } else { at.0.saturating_sub(self.now - 1) }
    }

    fn hash_durable(&self, hash: &mut DefaultHasher) {
        let kept = &self.kept;
        self.hash_run(&kept.run, hash);
        kept.last.map(|(epoch, _)| epoch == kept.epoch).hash(hash);
        kept.orders.hash(hash);
        kept.open.until().map(|until| self.ahead(until)).hash(hash);
        (&self.cells, &self.landed).hash(hash);
        for call in &self.calls {
            (call.step, call.round, call.back, call.to, call.landed, self.ahead(call.by)).hash(hash);
        }
    }

    fn hash_process(&self, process: &Process, hash: &mut DefaultHasher) {
        let kept = &self.kept;
        (process.epoch == kept.epoch, process.seq == kept.seq).hash(hash);
        (process.stopped, process.silent, process.locked).hash(hash);
        kept.last.map(|(_, id)| id == process.id).hash(hash);
        self.hash_run(&process.run, hash);
        match &process.pending {
            None => 0.hash(hash),
            Some(events) => {
                let mut next = process.run.clone();
                for event in events {
                    next.evolve(event).expect("a decided fact can follow");
                }
                events.len().hash(hash);
                self.hash_run(&next, hash);
            }
        }
        for Flight { due, call, lost } in &process.flights {
            let current = match due.work {
                Work::Guard(guard) => process.run.guards[guard].turn == due.turn,
                work => work.step().is_none_or(|ix| process.run[ix].turn == due.turn),
            };
            (due.work, current, self.ahead(due.from), self.ahead(due.until), lost).hash(hash);
            call.map(|id| self.calls.iter().position(|call| call.id == id)).hash(hash);
        }
    }

    fn hash_run(&self, run: &Run, hash: &mut DefaultHasher) {
        (&run.mode, &run.paused, run.cause.is_some(), &run.rewind).hash(hash);
        for guard in &run.guards {
            (guard.tripped, guard.satisfied).hash(hash);
        }
        let announced = run.announced.as_ref();
        announced.map(|announced| (&announced.cause, self.ahead(announced.at))).hash(hash);
        (run.bake == Bake::Over, run.bakes_until().map(|until| self.ahead(until))).hash(hash);
        (run.last_order, run.wrote).hash(hash);
        run.steps.iter().for_each(|step| self.hash_step(step, hash));
    }

    fn hash_step(&self, step: &StepRun, hash: &mut DefaultHasher) {
        let at = |moment: Timestamp| Timestamp(self.ahead(moment));
        let phase = match step.phase {
            Phase::Applying { by } => Phase::Applying { by: at(by) },
            Phase::Undoing { by } => Phase::Undoing { by: at(by) },
            Phase::Watching { from, until } => Phase::Watching { from: at(from), until: at(until) },
            Phase::Restoring { from, until } => Phase::Restoring { from: at(from), until: at(until) },
            Phase::Backoff { until } => Phase::Backoff { until: at(until) },
            Phase::UndoBackoff { until } => Phase::UndoBackoff { until: at(until) },
            Phase::Asking { until } => Phase::Asking { until: at(until) },
            phase => phase,
        };
        (phase, step.tries, step.round, self.ahead(step.settles)).hash(hash);
        (step.mark(), step.mended, step.turned, step.again).hash(hash);
        step.record.as_ref().map(|record| (record.reached, &record.note, &record.proposal.prior)).hash(hash);
    }
}
