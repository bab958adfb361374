//! Mistakes that can be made on purpose, one at a time, to see that a rehearsal or a test finds them. In the product none
//! is: there `on` is `false` for good, and the compiler leaves nothing of it. A binary that is built with the feature
//! `mistakes`, so that it can be killed while it makes one, makes the one that `SWITCHOVER_MISTAKE` names.

/// Declares the mistakes, and the list of all of them: none can be forgotten.
macro_rules! mistakes {
    ($($(#[$said:meta])+ $name:ident,)+) => {
        /// A mistake in a rule, named by what is then so.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Mistake {
            $($(#[$said])+ $name,)+
        }

        #[cfg(any(test, feature = "mistakes"))]
        impl Mistake {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

mistakes! {
    /// A call in doubt is taken for one that did not land.
    DoubtIsNotLanded,
    /// A call whose answer was lost is sent again without looking.
    LostIsRepeated,
    /// It is not waited until a lost call can land no more.
    GraceIgnored,
    /// A call is sent although its deadline has passed.
    SentTooLate,
    /// A command that could not be started in time has failed.
    LateFails,
    /// What is written is written before its intent is recorded.
    EffectFirst,
    /// The undo of a deployment goes by the newest revision of the family, not by what was recorded.
    UndoByRevision,
    /// The undo of a deployment goes back to the revision before the one that runs.
    PreviousRevision,
    /// The step that failed is not undone.
    FailedIsNotUndone,
    /// What is in doubt is not undone.
    DoubtIsNotUndone,
    /// A step writes over somebody else's change.
    ForeignOverwritten,
    /// An undo writes without comparing.
    UndoOverwrites,
    /// Who takes a run over forgets what was in flight.
    ResumeForgets,
    /// No evidence is a pass.
    SilencePasses,
    /// What a monitor or a guard sees is no breach.
    TriggersDeaf,
    /// Triggers are suspended while somebody is asked for approval.
    TriggersSuspended,
    /// An undo that is stuck is told as done.
    StuckSwallowed,
    /// A stuck undo holds back nothing that it stands on.
    StuckHoldsNothing,
    /// All undos begin at once.
    UndoUnordered,
    /// The way back waits for no drain.
    NoDrainBack,
    /// The way forward waits for no drain.
    NoDrainForward,
    /// A rollback goes past a point of no return by itself.
    BarrierPassed,
    /// A rollback goes past a checkpoint by itself.
    CheckpointPassed,
    /// Who was suspended goes on after another took over.
    FencingIgnored,
    /// The store takes what a holder that was replaced appends.
    EpochNotChecked,
    /// The store appends wherever its journal ends, not where the writer believes.
    PlaceNotChecked,
    /// What the disk refuses of an append is taken for written.
    DiskErrorSwallowed,
    /// Nothing is synced.
    NeverSynced,
    /// Nobody looks whether the files of the store are where they were.
    VanishedUnnoticed,
    /// The hash of an event does not cover the one before it.
    HashNotChained,
    /// Who waits to take a lock over does not see that its run was run again meanwhile.
    BarredOnce,
    /// A lock is taken from a run that is under way.
    LockNotHeeded,
    /// A lease is not renewed while a call is under way.
    LeaseNotRenewed,
    /// An abort is taken, and nothing follows.
    AbortIgnored,
    /// A rollback begins at once, though the plan gives people time to say no.
    NotAnnounced,
    /// Who says no to a rollback that is announced is not heard.
    NoIsNotHeard,
    /// A run ends once its steps are done, though the plan keeps its guards for longer.
    NotBaked,
    /// A bake is over when its time is, whatever its guards have seen.
    BakedByTheClock,
    /// Nobody is woken to try an undo again.
    NobodyWakes,
    /// Nobody needs to approve.
    NobodyAsked,
    /// Who approves first approves for all.
    OneIsEnough,
    /// Reaching the deadline of the run pauses nothing.
    DeadlineIgnored,
    /// An undo that was called is taken for done.
    NothingReadBack,
    /// What `check` says is not heard.
    CheckIgnored,
    /// Too many calls count as a failure.
    ThrottleFails,
    /// A look that fails is not repeated.
    Impatient,
    /// Nobody compares the digests of images.
    DigestIgnored,
    /// The record comes back with another TTL.
    OtherTtl,
    /// A switch gives its record a longer TTL than the plan says.
    TtlRaised,
    /// A command goes on when nobody waits for it any more.
    CommandLivesOn,
    /// A command is in the group of the process, and hears what a terminal tells that.
    CommandInOurGroup,
    /// The first Ctrl-C waits for no call.
    InterruptBreaksOff,
    /// A terminal that closes ends the process.
    HangUpKills,
    /// A terminal that closes stops also who was started so as not to hear of it.
    NohupOverridden,
    /// Who closes a terminal is in a hurry: the shell repeats what the kernel has said.
    HangUpHurries,
    /// No signal is heard before a run has begun.
    DeafAtFirst,
    /// Somebody always reads what is printed.
    ReaderAssumed,
    /// What a run locked stays locked once it is over.
    LocksStay,
    /// A change of a record compares nothing with what is there.
    Upserted,
}

/// Whether this mistake is made.
#[cfg(not(any(test, feature = "mistakes")))]
pub(crate) const fn on(_: Mistake) -> bool {
    false
}

/// Whether this mistake is made.
#[cfg(all(not(test), feature = "mistakes"))]
#[expect(clippy::disallowed_methods, reason = "a mistake is made deep inside, where no argument leads")]
pub(crate) fn on(mistake: Mistake) -> bool {
    static MADE: std::sync::OnceLock<Option<Mistake>> = std::sync::OnceLock::new();
    let named = |name: String| {
        let found = Mistake::ALL.iter().find(|mistake| format!("{mistake:?}") == name);
        *found.unwrap_or_else(|| panic!("SWITCHOVER_MISTAKE: there is no {name}"))
    };
    *MADE.get_or_init(|| std::env::var("SWITCHOVER_MISTAKE").ok().map(named)) == Some(mistake)
}

#[cfg(test)]
thread_local! {
    static MADE: std::cell::Cell<Option<Mistake>> = const { std::cell::Cell::new(None) };
}

/// Whether this mistake is made.
#[cfg(test)]
pub(crate) fn on(mistake: Mistake) -> bool {
    MADE.get() == Some(mistake)
}

/// Makes this mistake on this thread as long as it lasts.
#[cfg(test)]
pub(crate) fn making<T>(mistake: Option<Mistake>, act: impl FnOnce() -> T) -> T {
    MADE.set(mistake);
    let told = act();
    MADE.set(None);
    told
}
