//! What the edge answers. Shared by the machine, the ports and the actions; knows none of them.

use std::{fmt, sync::Arc, time::Duration};

/// Text (JSON) that an action wrote and will read again. The machine keeps it and never looks inside.
pub type Memo = Arc<str>;

/// Whether a call that failed may have changed the world all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Landed {
    /// Certainly not: refused, or never sent. Or an undo that has ended: what it did is done, and `undo` looks first.
    No,
    /// The answer was lost. A timeout is this.
    Maybe,
}

/// What trying again is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Trying again may help.
    Transient,
    /// It will fail again.
    Permanent,
    /// The world holds neither what was recorded nor what this step makes of it: somebody else was here.
    Foreign,
    /// Nobody can tell: a credential expired, port 53 is blocked, a source is silent. Pauses and asks; never a
    /// failure, never a pass.
    Blind,
}

/// Something that went wrong at the edge.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// What, as a lowercase fragment without secrets.
    pub message: Arc<str>,
    /// What trying again is worth.
    pub kind: FaultKind,
    /// Whether the world may have changed.
    pub landed: Landed,
}

impl Fault {
    fn unlanded(kind: FaultKind, message: impl Into<Arc<str>>) -> Self {
        Self { message: message.into(), kind, landed: Landed::No }
    }
    /// Trying again may help; nothing changed.
    pub fn transient(message: impl Into<Arc<str>>) -> Self {
        Self::unlanded(FaultKind::Transient, message)
    }
    /// It will fail again; nothing changed.
    pub fn permanent(message: impl Into<Arc<str>>) -> Self {
        Self::unlanded(FaultKind::Permanent, message)
    }
    /// Somebody else's change is in the way; nothing was written.
    pub fn foreign(message: impl Into<Arc<str>>) -> Self {
        Self::unlanded(FaultKind::Foreign, message)
    }
    /// Nobody can tell.
    pub fn blind(message: impl Into<Arc<str>>) -> Self {
        Self::unlanded(FaultKind::Blind, message)
    }
    /// The answer to a write was lost.
    pub fn lost(message: impl Into<Arc<str>>) -> Self {
        Self { message: message.into(), kind: FaultKind::Transient, landed: Landed::Maybe }
    }
    /// Somebody else was here.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.kind == FaultKind::Foreign
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// One thing that a step would change, for people.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Change {
    /// What: `record app.navralabs.com CNAME`.
    pub what: Arc<str>,
    /// What is there.
    pub from: Arc<str>,
    /// What will be.
    pub to: Arc<str>,
}

/// One field of a thing that a step would put in place of another, for people.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Difference {
    /// Where it stands: `web.image`.
    pub field: Arc<str>,
    /// What is there; `None`: nothing.
    pub from: Option<Arc<str>>,
    /// What will be; `None`: nothing.
    pub to: Option<Arc<str>>,
}

/// For how long clients go by what a name said before, as a step that changes where it leads was planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsClock {
    /// The name.
    pub name: Arc<str>,
    /// For how long resolvers may keep what is there now; where nothing is, that there is nothing.
    pub before: Duration,
    /// For how long they may keep what is put there.
    pub after: Duration,
    /// For how long the new side may still get requests of clients that kept a connection to it when its answer was gone.
    pub connections: Duration,
    /// For how long the old side may still get requests of clients that kept a connection to it when its answer was gone: zero,
    /// where nobody knows. `None`: not all are led away from it.
    pub left: Option<Duration>,
}

impl DnsClock {
    /// How long Route 53 says that a change generally takes until all of its servers have it.
    pub const PROPAGATION: Duration = Duration::from_secs(60);

    /// Within how long nobody comes to the old side any more, where new lookups no longer lead there within this: what is
    /// known of it.
    #[must_use]
    pub fn left_within(&self, lookups: Duration) -> Option<Duration> {
        self.left.filter(|left| !left.is_zero()).map(|left| lookups + left)
    }

    /// Within how long a rollback reaches all new lookups.
    #[must_use]
    pub fn rollback(&self) -> Duration {
        Self::PROPAGATION + self.after
    }
}

/// What a preview tells of a step beside its changes, for people. It is not recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The thing that it would put in place, field by field.
    pub differences: Vec<Difference>,
    /// How it goes, a sentence each: how long it takes, whom it needs, what may end it.
    pub notes: Vec<Arc<str>>,
}

/// What a step would do, from what is there now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proposal {
    /// What undoing restores, recorded before the first write.
    pub prior: Memo,
    /// How many writes, one after the other with evidence between: 0 for a check, a wait, a change already there;
    /// 1 for most changes; one a weight for a progressive shift. All are undone by one undo.
    pub stages: u32,
    /// How long one stage may take to arrive, and the undo to be back.
    pub within: Duration,
    /// How long one call may take before its answer counts as lost; `None`: the plan's policy. A command needs its
    /// own.
    pub call: Option<Duration>,
    /// Once applied it is awaited before it is undone: a migration is never interrupted.
    pub must_finish: bool,
    /// What it changes, for people.
    pub changes: Vec<Change>,
}

/// What a read-only look at the world found, against the record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Look {
    /// As before the stage (looking forward), or as before the step (looking back).
    Prior,
    /// Under way to where it should be. A `note` is recorded before the next look, which comes `again` later:
    /// the samples of a monitor, the moment at which a drain ends.
    Moving {
        /// Replaces the note before it.
        note: Option<Memo>,
        /// When to look again.
        again: Duration,
    },
    /// As the stage makes it, and its evidence is in. Looking back: still, or on the way to, what the step made.
    Desired {
        /// What later steps may read as `steps.<id>.out`.
        out: Memo,
    },
    /// Looking back: there is nothing to look at. The undo was answered, and is believed.
    Assumed,
}

/// The newest values of a signal, for people: no fact, and nothing follows from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// The signal, or the guard, by its id.
    pub name: Arc<str>,
    /// The oldest first, at most [`Curve::LONGEST`]. A look that saw none is a gap.
    pub values: Vec<Option<f64>>,
    /// What they are compared with, where that is one number.
    pub limit: Option<f64>,
}

impl Curve {
    /// How many values it has at most.
    pub const LONGEST: usize = 24;

    /// Adds what was just seen to the values of a curve.
    pub fn add(values: &mut Vec<Option<f64>>, value: Option<f64>) {
        values.push(value);
        values.drain(..values.len().saturating_sub(Self::LONGEST));
    }
}

/// What a host answers for a step's work.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// `None`: its `when` says no.
    Planned(Result<Option<Proposal>, Fault>),
    /// What the call returned that later looks need: a deployment id, a change id.
    Applied(Result<Option<Memo>, Fault>),
    /// What was seen.
    Looked(Result<Look, Fault>),
    /// What calling the undo returned that later looks need.
    Undone(Result<Option<Memo>, Fault>),
}

#[cfg(test)]
mod tests {
    use super::Curve;

    #[test]
    fn a_curve_has_the_newest_values() {
        let mut values = Vec::new();
        for value in [Some(1.0), None].into_iter().cycle().take(Curve::LONGEST + 1) {
            Curve::add(&mut values, value);
        }
        assert_eq!(values.len(), Curve::LONGEST);
        assert_eq!((values[0], values[Curve::LONGEST - 1]), (None, Some(1.0)));
    }
}
