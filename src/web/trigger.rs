//! Triggers, and what becomes of them.

use std::fmt;

/// Somebody outside wants runs to roll back, or a guard of theirs to trip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Which runs.
    pub aim: Aim,
    /// Which guard of theirs, by its id; none: they roll back.
    pub guard: Option<String>,
    /// Who, for the journal.
    pub by: String,
    /// Why, for the journal.
    pub reason: String,
}

/// Which runs are meant, of those that are under way: all that fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim {
    run: Option<String>,
    plan: Option<String>,
}

impl Aim {
    /// By a run's whole id, by the name of a plan, or by both. An empty text says nothing; `None` if both do.
    #[must_use]
    pub fn new(run: Option<&str>, plan: Option<&str>) -> Option<Self> {
        let said = |text: &&str| !text.is_empty();
        let run = run.filter(said).map(str::to_ascii_uppercase);
        let plan = plan.filter(said).map(str::to_owned);
        (run.is_some() || plan.is_some()).then_some(Self { run, plan })
    }

    /// It means the run of this id, of the plan of this name.
    #[must_use]
    pub fn fits(&self, run: &str, plan: &str) -> bool {
        self.run.as_deref().is_none_or(|named| named == run)
            && self.plan.as_deref().is_none_or(|named| named == plan)
    }
}

impl fmt::Display for Aim {
    /// `run 01J… of plan small`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.run, &self.plan) {
            (Some(run), Some(plan)) => write!(f, "run {run} of plan {plan}"),
            (Some(run), None) => write!(f, "run {run}"),
            (None, plan) => write!(f, "plan {}", plan.as_deref().unwrap_or_default()),
        }
    }
}

/// What became of a trigger for one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The run's id.
    pub run: String,
    /// The name of its plan.
    pub plan: String,
    /// The guard that it is for.
    pub guard: Option<String>,
    /// Who gave it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What.
    pub became: Became,
    /// The same in words.
    pub says: String,
}

/// What became of a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// The run rolls back.
    RollingBack,
    /// It was on its way back already.
    AlreadyRollingBack,
    /// It is paused: a person must decide, as the plan says, or how far back it goes.
    Held,
    /// The run will turn back by itself, unless a person says no.
    Announced,
    /// The guard tripped, and its plan has nothing follow from that now.
    Tripped,
    /// The guard had tripped before.
    AlreadyTripped,
    /// Recorded; the process that drives the run has not answered yet.
    Recorded,
    /// Recorded; nobody drives the run, and whoever takes it up hears of it first.
    NotDriven,
    /// It changes nothing, as the words say.
    Refused,
    /// The state directory did not do what it should.
    Failed,
}

impl Became {
    /// For machines; a name never changes its meaning.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RollingBack => "rolling_back",
            Self::AlreadyRollingBack => "already_rolling_back",
            Self::Held => "held",
            Self::Announced => "announced",
            Self::Tripped => "tripped",
            Self::AlreadyTripped => "already_tripped",
            Self::Recorded => "recorded",
            Self::NotDriven => "not_driven",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl Told {
    /// For machines.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "run": self.run, "plan": self.plan, "guard": self.guard, "became": self.became.name(),
            "says": self.says, "by": self.by, "reason": self.reason,
        })
    }
}

/// No run could be told: the caller may try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unheard(pub String);

/// The runs that there are.
pub trait Runs: Send + Sync {
    /// Triggers each run that is under way and that one of these means, by the first that does: of those that name no
    /// guard, and of those that name the same one. May block for as long as a run may take to answer: most of a second.
    ///
    /// # Errors
    /// Nobody knows which runs there are.
    fn trigger(&self, triggers: &[Trigger]) -> Result<Vec<Told>, Unheard>;
}
