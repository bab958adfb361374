//! Steps, and what people say about them.

use super::{Expr, Policy, Span, Target, Value};
use std::{fmt, ops::Index, ops::Range, sync::Arc, time::Duration};

/// What people call a step: `deploy`, `deploy[backend]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub Arc<str>);

impl fmt::Debug for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A step's place in its plan. A run pins its plan, so a place is as good as a name; records store the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepIx(pub u32);

impl StepIx {
    /// As an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A kind of action or signal, and what the plan tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// `dns.switch`.
    pub kind: Arc<str>,
    /// Its `with`; `params` and `item` are filled in.
    pub with: Value,
    /// The constants its expressions may name.
    pub constants: Arc<super::Constants>,
}

/// Where in the plan a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Ahead of the run: `run --prepare` does only these, `run` looks again and first does what is missing.
    Prepare,
    /// The plan itself.
    Main,
    /// After everything else, whatever the ending.
    Finally,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub id: StepId,
    /// What it is for, in the plan's words.
    pub summary: Option<Arc<str>>,
    /// Where its `id` stands.
    pub span: Span,
    /// What it does.
    pub kind: Kind,
    /// Steps that come first. Lowering puts them at smaller places, so every plan is acyclic by construction.
    pub needs: Vec<StepIx>,
    /// Groups that it stands in, outermost first: for the tree that people see.
    pub path: Vec<StepId>,
    /// Where it stands.
    pub part: Part,
    /// Skipped where this does not hold.
    pub when: Option<Expr>,
    /// How long one try may take to arrive; without it, what the action proposes.
    pub timeout: Option<Duration>,
    /// Tries.
    pub retry: Retry,
    /// What a failure does.
    pub on_failure: OnFailure,
    /// How it is undone.
    pub undo: Undo,
    /// Whether it can be.
    pub reversibility: Reversibility,
    /// What becomes of data written to the new side; only steps that switch have it.
    pub writes: Option<Writes>,
}

impl Step {
    /// One that says nothing of itself but what it does and after what.
    #[must_use]
    pub fn new(id: impl Into<Arc<str>>, kind: Kind, needs: Vec<StepIx>) -> Self {
        Self {
            id: StepId(id.into()),
            summary: None,
            span: Span::default(),
            kind,
            needs,
            path: Vec::new(),
            part: Part::Main,
            when: None,
            timeout: None,
            retry: Retry::NEVER,
            on_failure: OnFailure::Rollback,
            undo: Undo::Own,
            reversibility: Reversibility::Reversible,
            writes: None,
        }
    }

    /// The way back undoes it: it is neither left deliberately, nor past undoing, nor after everything else.
    #[must_use]
    pub fn is_undone(&self) -> bool {
        let is_kept = matches!(self.undo, Undo::Keep(_)) || self.part == Part::Finally;
        !is_kept && self.reversibility == Reversibility::Reversible
    }
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An action of the registry: a change, a check, a monitor, a wait. `None` acts only on the way back.
    Act(Option<Use>),
    /// Somebody must say yes.
    Approve(Approval),
    /// An automatic rollback, and an abort, stops here and pauses.
    Checkpoint,
    /// Where the children of a group meet again. Does nothing; keeps the number of needs linear.
    Join,
}

/// Who must say yes, to what, until when.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Approval {
    /// The question.
    pub message: Arc<str>,
    /// Who.
    pub by: Approvers,
    /// The approver must not be who started the run: in production.
    pub another: bool,
    /// Then the run pauses.
    pub expires: Duration,
}

/// `by: { any: 2, of: [release-managers] }`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Approvers {
    /// How many different people.
    pub any: u32,
    /// The people, of all the groups named; empty: anybody.
    pub of: Vec<Arc<str>>,
}

/// How often, and how fast, a failed try is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Retry {
    /// Tries in all, so 1 is no retry.
    pub attempts: u32,
    /// Before the second try.
    pub wait: Duration,
    /// Each wait is this many hundredths of the one before: 200 doubles it. At most five minutes.
    pub backoff_percent: u32,
}

impl Retry {
    /// One try.
    pub const NEVER: Self = Self { attempts: 1, wait: Duration::ZERO, backoff_percent: 200 };

    /// The wait after `tries` tries have ended without success.
    #[must_use]
    pub fn backoff(&self, tries: u32) -> Duration {
        let longest = Duration::from_secs(300);
        (1..tries.min(64)).fold(self.wait.min(longest), |wait, _| {
            (wait.saturating_mul(self.backoff_percent) / 100).min(longest)
        })
    }
}

/// What a failure of a step does to the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnFailure {
    /// Undo everything.
    Rollback,
    /// Stop and ask.
    Pause,
    /// Undo this step alone, then go on without it.
    Continue,
}

/// How a step is undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undo {
    /// As its action does.
    Own,
    /// Not: it is left deliberately, for this reason.
    Keep(Arc<str>),
    /// By doing this.
    By(Use),
}

/// Whether a step can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reversibility {
    /// Has an undo: the action's own, or the one that the plan declares for it.
    Reversible,
    /// Harmless to what ran before: left in place.
    Expand,
    /// A point of no return: past it nothing is undone by itself.
    Irreversible,
}

/// What becomes of data written to the new side when users go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Writes {
    /// Both sides use one store.
    Shared,
    /// They are copied back.
    Replicated,
    /// They stay behind: an automatic rollback pauses and asks.
    Diverge,
}

/// At most `max` children of a group are open (begun and not ended) at any time. Bounds the way forward only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pool {
    /// How many.
    pub max: usize,
    /// Each child's steps: lowering numbers a subtree contiguously.
    pub children: Vec<Range<usize>>,
}

/// A signal that holds over the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Its name.
    pub id: Arc<str>,
    /// Its signal.
    pub uses: Use,
    /// While it watches.
    pub span: GuardSpan,
    /// What a breach does.
    pub on_breach: super::OnBreach,
}

/// The kind of a guard that is tripped from outside.
pub const WEBHOOK: &str = "webhook";

impl Guard {
    /// It has no looks of its own: somebody outside trips it, by an order.
    #[must_use]
    pub fn is_outside(&self) -> bool {
        &*self.uses.kind == WEBHOOK
    }
}

/// Between which steps a guard watches: from the first write to the end, unless the plan says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuardSpan {
    /// From when this step has begun.
    pub from: Option<StepIx>,
    /// Until this step has ended.
    pub until: Option<StepIx>,
}

/// A sound plan, lowered to steps that need steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its name.
    pub name: Arc<str>,
    /// What it is for.
    pub summary: Option<Arc<str>>,
    /// Whom to ask.
    pub owner: Option<Arc<str>>,
    /// Typed confirmation, approvals by somebody else, a lock in the world.
    pub production: bool,
    /// All steps; needs come first.
    pub steps: Vec<Step>,
    /// Bounds on groups.
    pub pools: Vec<Pool>,
    /// Signals that hold over the run.
    pub guards: Vec<Guard>,
    /// Named connections.
    pub targets: Vec<Arc<Target>>,
    /// Secrets by name, and where they come from (`env`, `file`, `exec`).
    pub secrets: Vec<(Arc<str>, Value)>,
    /// Groups of people.
    pub people: Vec<(Arc<str>, Vec<Arc<str>>)>,
    /// Rules of the whole run.
    pub policy: Policy,
}

impl Plan {
    /// The places of all steps.
    pub fn places(&self) -> impl DoubleEndedIterator<Item = StepIx> + Clone + use<> {
        (0..u32::try_from(self.steps.len()).unwrap_or(u32::MAX)).map(StepIx)
    }

    /// The way back: all steps but those of `finally`, which lowering puts last; in reverse.
    pub fn back(&self) -> impl Iterator<Item = StepIx> + '_ {
        self.places().rev().skip_while(|ix| self.is_finally(*ix))
    }

    /// The place of a step.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<StepIx> {
        self.places().find(|ix| &*self[*ix].id.0 == id)
    }

    /// What reading a `with` of this plan again needs to know.
    #[must_use]
    pub fn known(&self, uses: &Use) -> super::Known {
        super::Known {
            constants: uses.constants.clone(),
            targets: self.targets.clone(),
            secrets: self.secrets.iter().map(|(name, _)| name.clone()).collect(),
            steps: self.steps.iter().map(|step| step.id.0.clone()).collect(),
            groups: self.people.clone(),
            used_targets: std::cell::RefCell::default(),
            read_steps: std::cell::RefCell::default(),
            switching_steps: std::cell::RefCell::default(),
            production: self.production,
        }
    }

    /// This step runs after everything else, whatever the ending.
    #[must_use]
    pub fn is_finally(&self, ix: StepIx) -> bool {
        self[ix].part == Part::Finally
    }

    /// Only the steps that may be done ahead, as a plan of their own.
    #[must_use]
    pub fn only_prepare(&self) -> Self {
        let steps: Vec<Step> = self.steps.iter().filter(|s| s.part == Part::Prepare).cloned().collect();
        let inside = |pool: &&Pool| pool.children.iter().all(|child| child.end <= steps.len());
        let pools = self.pools.iter().filter(inside).cloned().collect();
        Self { steps, pools, guards: Vec::new(), ..self.clone() }
    }
}

impl Index<StepIx> for Plan {
    type Output = Step;
    fn index(&self, ix: StepIx) -> &Step {
        &self.steps[ix.index()]
    }
}
