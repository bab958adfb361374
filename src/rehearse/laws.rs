//! What must hold of every scenario, whatever goes wrong in it, and in which words a breach is told.

use serde::{Deserialize, Serialize};

/// A law.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Law {
    /// No hang, no livelock.
    Ends,
    /// Completed means that the world is as desired.
    AsDesired,
    /// Rolled back means that the world is as before.
    AsBefore,
    /// An undo is stuck only where a fault makes it impossible.
    StuckForAReason,
    /// Nothing is undone on which something in force stands.
    HeldBack,
    /// No effect without its intent in the journal.
    Announced,
    /// A look changes nothing.
    LooksOnly,
    /// Somebody else's change is not overwritten.
    ForeignKept,
    /// No call is carried out twice.
    Once,
    /// The name that users resolve leads to a side that serves them.
    UsersServed,
    /// Nothing is undone while users still resolve to what stands on it.
    Drained,
    /// Once users are moved, nobody keeps an answer for longer than the lowered TTL.
    Lowered,
    /// A rollback takes no longer than the plan's `rto`.
    WithinRto,
    /// The run takes no longer than the plan's `deadline`.
    WithinDeadline,
    /// No evidence is not a pass.
    Evident,
    /// A trigger that the plan relies on fires when its cause is there.
    Fires,
    /// What passes by itself asks nobody and turns nothing back.
    Patient,
    /// An abort turns the run back.
    Obeys,
    /// What is announced can be said no to.
    Heeds,
    /// A point of no return is passed only after somebody said yes, and nothing before it is undone by itself.
    AsksFirst,
    /// Replaying the journal gives the same state.
    Replays,
}

impl Law {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::Ends,
        Self::AsDesired,
        Self::AsBefore,
        Self::StuckForAReason,
        Self::HeldBack,
        Self::Announced,
        Self::LooksOnly,
        Self::ForeignKept,
        Self::Once,
        Self::UsersServed,
        Self::Drained,
        Self::Lowered,
        Self::WithinRto,
        Self::WithinDeadline,
        Self::Evident,
        Self::Fires,
        Self::Patient,
        Self::Obeys,
        Self::Heeds,
        Self::AsksFirst,
        Self::Replays,
    ];

    /// In one line.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Ends => "every run ends",
            Self::AsDesired => "completed means that the world is as desired",
            Self::AsBefore => "rolled back means that the world is as before",
            Self::StuckForAReason => "an undo is stuck only where a fault makes it impossible",
            Self::HeldBack => "nothing is undone on which something in force stands",
            Self::Announced => "no effect without its intent in the journal",
            Self::LooksOnly => "a look changes nothing",
            Self::ForeignKept => "somebody else's change is not overwritten",
            Self::Once => "no call is carried out twice",
            Self::UsersServed => "the name that users resolve leads to a side that serves them",
            Self::Drained => "nothing is undone while users still resolve to what stands on it",
            Self::Lowered => "once users are moved, nobody keeps an answer for longer than the lowered TTL",
            Self::WithinRto => "a rollback takes no longer than the plan's `rto`",
            Self::WithinDeadline => "a run takes no longer than the plan's `deadline`",
            Self::Evident => "no evidence is not a pass",
            Self::Fires => "every trigger that the plan relies on fires when its cause is there",
            Self::Patient => "what passes by itself asks nobody and turns nothing back",
            Self::Obeys => "an abort turns the run back",
            Self::Heeds => {
                "where a plan says `veto`, a rollback is announced first, and whoever says no is heeded"
            }
            Self::AsksFirst => "a point of no return is passed only after somebody said yes",
            Self::Replays => "replaying the journal gives the same state",
        }
    }

    /// What to change in the plan, where that may help.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::UsersServed => {
                "lower the TTL and let the old one drain before the switch (`dns.ttl`), and keep the old side until its \
                 measured traffic is gone (`drain`)"
            }
            Self::Fires => {
                "let a monitor or a guard watch what users meet from the switch on, with a condition that can breach in \
                 the time it watches"
            }
            Self::AsBefore => {
                "give the step an undo that puts back what was there and a `check` that reads it, or say why it is left: \
                 `undo: { keep: … }`"
            }
            Self::AsDesired => "let the step look at what it made: `check`, `healthy`, `expect`",
            Self::Lowered => {
                "put `dns.ttl` before the switch, and leave the TTL low until what watches the new side has passed"
            }
            Self::WithinRto => {
                "lower the TTL and the keep-alive ahead (`dns.ttl`), or state an `rto` that DNS can keep; a `veto` counts, too"
            }
            Self::WithinDeadline => "state a longer `deadline`, or shorter times",
            Self::StuckForAReason | Self::HeldBack | Self::Drained => {
                "see what the undo needs, and whether it is still there on the way back"
            }
            Self::AsksFirst => "put an `approve` step before it",
            Self::Patient => "give the step `retry`, or the check more `passes` and time",
            Self::ForeignKept => "find out who else writes there, and take it from them first",
            _ => "this is a fault of switchover itself: please report it with the line that repeats it",
        }
    }
}

/// A breach of a law.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Breach {
    /// Which.
    pub law: Law,
    /// The step that it is about, if it is about one.
    pub step: Option<String>,
    /// What was seen.
    pub text: String,
}

/// What a scenario may come to by its own fault, beyond what every run may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct May {
    /// Users meet it themselves.
    pub(super) hurt: bool,
    /// An undo may become impossible.
    pub(super) stick: bool,
    /// A human may be asked, or the run may turn back. If not, it passes by itself.
    pub(super) stop: bool,
    /// A rollback may take longer.
    pub(super) delay: bool,
    /// The run must not complete.
    pub(super) must_fire: bool,
    /// What was there before may not be there in the end.
    pub(super) differ: bool,
    /// Nor may what the plan wants: somebody changes it when nobody looks any more.
    pub(super) undone_later: bool,
}

impl May {
    /// Nothing beyond what every run may.
    pub(super) const NOTHING: Self = Self {
        hurt: false,
        stick: false,
        stop: false,
        delay: false,
        must_fire: false,
        differ: false,
        undone_later: false,
    };

    /// And somebody says no to the rollback that comes of it: what harms users goes on, and that is their choice.
    pub(super) fn and_no(self) -> Self {
        self.and(Self { hurt: true, stop: true, delay: true, ..Self::NOTHING })
    }

    /// And the process dies: the run may be turned back by who finds it dead.
    pub(super) fn and_death(self) -> Self {
        self.and(Self { stop: true, delay: true, ..Self::NOTHING })
    }

    /// Both of two faults strike.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            hurt: self.hurt || other.hurt,
            stick: self.stick || other.stick,
            stop: self.stop || other.stop,
            delay: self.delay || other.delay,
            // One may hide the other.
            must_fire: false,
            differ: self.differ || other.differ,
            undone_later: self.undone_later || other.undone_later,
        }
    }
}
