//! What a human must do now, with the exact commands. Every ending that is not plainly good has an entry here.

use super::{Extras, Runbook, Story, Unread, words};
use crate::plan::{FREE, StepIx, Timestamp};
use crate::run::{Cause, Change, Ending, PauseCause, Phase, Receipt, Stuck, Verdict, ending};

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What is the case, and what to look at first.
    pub says: Vec<String>,
    /// What it is for, and the command.
    pub commands: Vec<(String, String)>,
    /// The page that says more.
    pub see: Runbook,
}

/// Writes commands so that they can be pasted.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    /// Added to each: ` --state-dir /srv/x`, or nothing.
    pub suffix: String,
    /// Somebody drives the run at this moment.
    pub driven: bool,
}

impl Commands {
    /// About a run.
    #[must_use]
    pub fn run(&self, verb: &str, id: &str) -> String {
        format!("switchover {verb} {id}{}", self.suffix)
    }

    /// About a step of a run.
    #[must_use]
    pub fn step(&self, verb: &str, step: &str, id: &str, rest: &str) -> String {
        format!("switchover {verb} {} --run {id}{rest}{}", quoted(step), self.suffix)
    }
}

/// A word as a shell takes it.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

const REASON: &str = " --reason '<why>'";

/// What a human must do now; `None` if nothing.
#[must_use]
pub fn advice(story: &Story, extras: &Extras) -> Option<Advice> {
    let (id, with) = (&*story.id, &extras.commands);
    let back = ("to undo what was done".to_owned(), with.run("rollback", id));
    match (story.verdict(), story.paused()) {
        (None, _) if let Some(unread) = &extras.unread => Some(of_another_version(story, unread, extras)),
        (Some(_), _) if story.run.finally_failed() => Some(finally_failed(story, with)),
        (Some(Verdict::Completed), _) => None,
        (Some(Verdict::RolledBack), _) => Some(rolled_back(story, with)),
        (Some(Verdict::Incomplete), _) => Some(incomplete(story, extras)),
        (None, _) if story.run.announced.is_some() => Some(announced(story, extras)),
        (None, Some(cause)) => Some(paused(story, cause, extras)),
        (None, None) if let Some(until) = story.run.bakes_until() => Some(baking(story, until, with)),
        (None, None) if with.driven => None,
        (None, None) if story.begun.is_none() => Some(Advice {
            says: vec!["it had not begun: nothing was done, and there is no such run; start it anew".into()],
            commands: Vec::new(),
            see: Runbook::Interrupted,
        }),
        (None, None) => Some(Advice {
            says: vec!["the process that drove this run is gone; nothing is lost".into()],
            commands: vec![("to go on where it stopped".into(), with.run("resume", id)), back],
            see: Runbook::Interrupted,
        }),
    }
}

/// It cannot go on by this version.
fn of_another_version(story: &Story, unread: &Unread, extras: &Extras) -> Advice {
    let (id, with) = (&*story.id, &extras.commands);
    let mut says = vec![
        format!("this version cannot read the plan of the run, and does nothing of it: {}", unread.why),
        format!("switchover {} began it; what is told here is what its journal says", unread.tool),
    ];
    if with.driven {
        says.push("a process of that version drives it now, and takes orders from here".into());
    }
    for (ix, step) in story.steps().filter(|(ix, _)| story.run[*ix].marked()) {
        if !matches!(story.phase(ix), Phase::Undone(_)) {
            let name = words::step_name(&story.plan, ix);
            let was = |change: &Change| {
                format!("{name} may be in force: {} was {} before this run", change.what, change.from)
            };
            says.extend(step.changes.iter().map(was));
        }
    }
    let commands = if with.driven {
        vec![
            ("to undo what was done".into(), with.run("abort", id)),
            ("to see it go on".into(), with.run("watch", id)),
        ]
    } else {
        vec![
            (format!("to go on, with switchover {}", unread.tool), with.run("resume", id)),
            ("or to undo what was done, with that one".into(), with.run("rollback", id)),
            (
                "to finish by hand, if it is lost: what was done, and what was there before".into(),
                with.run("report", id),
            ),
        ]
    };
    Advice { says, commands, see: Runbook::OtherVersion }
}

/// The verdict stands, but what should have come after it did not.
fn finally_failed(story: &Story, with: &Commands) -> Advice {
    let mut says = vec!["the run itself ended as it says; a step of `finally` did not".to_owned()];
    for (ix, step) in story.steps().filter(|(ix, _)| story.plan.is_finally(*ix)) {
        if story.run[ix].stopped().is_some() {
            let reason = step.reason.as_deref().unwrap_or("no reason was recorded");
            says.push(format!("do {} by hand: {reason}", words::step_name(&story.plan, ix)));
        }
    }
    Advice {
        says,
        commands: vec![("to read every fact of it".into(), with.run("log", &story.id))],
        see: Runbook::Incomplete,
    }
}

fn rolled_back(story: &Story, with: &Commands) -> Advice {
    let mut says = vec![match ending(&story.run) {
        Ending::NothingChanged => "nothing was changed: it failed before the first write".to_owned(),
        _ if story.run.assumes() => "nothing is urgent: what was changed was undone".to_owned(),
        _ => "nothing is urgent: what was there before is there again, and was read back".to_owned(),
    }];
    for (ix, _) in story.steps().filter(|(ix, _)| story.phase(*ix) == Phase::Undone(Receipt::Assumed)) {
        let name = words::step_name(&story.plan, ix);
        says.push(format!("{name} was undone, and nothing reads it back: look yourself"));
    }
    if let Some(Cause::Failed(ix)) = &story.run.cause {
        let reason = story.step(*ix).reason.as_deref().unwrap_or("no reason was recorded");
        says.push(format!("mend what made {} fail: {reason}", words::step_name(&story.plan, *ix)));
    }
    for (ix, _) in story.steps().filter(|(ix, _)| story.phase(*ix) == Phase::Undone(Receipt::Left)) {
        says.push(format!("{} was left in place, as the plan says", words::step_name(&story.plan, ix)));
    }
    Advice {
        says,
        commands: vec![("to read every fact of it".into(), with.run("log", &story.id))],
        see: Runbook::RolledBack,
    }
}

/// What brings a step back without this tool.
fn by_hand(story: &Story, ix: StepIx, extras: &Extras) -> Vec<(String, String)> {
    let why = format!("to restore {} by hand", words::step_name(&story.plan, ix));
    let commands = extras.by_hand.get(ix.index()).into_iter().flatten();
    commands.map(|command| (why.clone(), command.clone())).collect()
}

fn incomplete(story: &Story, extras: &Extras) -> Advice {
    let (mut says, mut commands) = (Vec::new(), Vec::new());
    for (ix, _) in story.steps().filter(|(ix, _)| story.phase(*ix) == Phase::Undone(Receipt::TakenOver)) {
        let name = words::step_name(&story.plan, ix);
        says.push(format!("{name} was NOT RESTORED: an operator took it over; bring it back by hand"));
        for change in &story.step(ix).changes {
            says.push(format!("  {}: should be {} again", change.what, change.from));
        }
        commands.splice(..0, by_hand(story, ix, extras));
    }
    if says.is_empty() {
        says.push("something was left in force".into());
    }
    commands.push(("to read every fact of it".into(), extras.commands.run("log", &story.id)));
    Advice { says, commands, see: Runbook::Incomplete }
}

/// It rolls back by itself, and somebody may say no.
fn announced(story: &Story, extras: &Extras) -> Advice {
    let (id, with) = (&*story.id, &extras.commands);
    let mut says = Vec::new();
    if let Some(announced) = &story.run.announced {
        let why = words::why_back(&story.plan, &announced.cause);
        says.push(format!("{why}: without a word the run rolls back at {}", announced.at));
    }
    if let Some(Cause::Failed(ix)) = story.run.announced.as_ref().map(|announced| &announced.cause) {
        says.extend(story.step(*ix).reason.as_deref().map(str::to_owned));
    } else {
        says.extend(story.breach.as_ref().map(std::string::ToString::to_string));
    }
    let mut commands = vec![
        ("to say no, and be asked what then".to_owned(), with.run("pause", id)),
        ("to say no, and go on".to_owned(), with.run("continue", id)),
        ("to roll back now".to_owned(), with.run("rollback", id)),
    ];
    if !with.driven {
        says.push("nobody drives the run now: if that stays so, it rolls back when it is resumed".into());
        commands.push(("to go on where it stopped".into(), with.run("resume", id)));
    }
    Advice { says, commands, see: Runbook::Announced }
}

/// All is done, and somebody should watch.
fn baking(story: &Story, until: Timestamp, with: &Commands) -> Advice {
    let id = &*story.id;
    let mut commands = vec![
        ("to end the bake now".to_owned(), with.run("continue", id)),
        ("to undo what was done".to_owned(), with.run("rollback", id)),
    ];
    let says = if with.driven {
        "nothing: its guards are watched, and a breach does what the plan says".into()
    } else {
        let take_up = format!("switchover serve --take-up{}", with.suffix);
        commands.splice(
            ..0,
            [
                ("to watch its guards here".to_owned(), with.run("resume", id)),
                ("to have every run that bakes watched".to_owned(), take_up),
            ],
        );
        format!("nobody watches its guards now, which are kept until {until}")
    };
    Advice { says: vec![says], commands, see: Runbook::Baking }
}

/// A run that was asked twice did not wait for its calls.
fn asked_to_stop(story: &Story) -> String {
    let called = |ix: &StepIx| {
        matches!(story.phase(*ix), Phase::Applying { .. } | Phase::Undoing { .. } | Phase::InDoubt)
    };
    let called: Vec<String> =
        story.plan.places().filter(called).map(|ix| words::step_name(&story.plan, ix)).collect();
    if called.is_empty() {
        return "it was asked to stop; all is saved, and no call is under way".into();
    }
    format!(
        "it was asked to stop; what became of the call of {} is looked at when the run goes on",
        called.join(", ")
    )
}

fn paused(story: &Story, cause: &PauseCause, extras: &Extras) -> Advice {
    let (id, with) = (&*story.id, &extras.commands);
    let name = |ix| words::step_name(&story.plan, ix);
    let reason = |ix| story.step(ix).reason.as_deref().unwrap_or("no reason was recorded").to_owned();
    let go_on = ("to go on".to_owned(), with.run("continue", id));
    let back = ("to undo what was done".to_owned(), with.run("rollback", id));
    let all = ("to undo past it".to_owned(), with.run("rollback", &format!("{id} --all")));
    let retry = |ix| ("once it is mended".to_owned(), with.step("retry", &name(ix), id, ""));
    let skip = |ix| ("to go on without it".to_owned(), with.step("skip", &name(ix), id, REASON));
    let (says, commands, see) = match *cause {
        PauseCause::Operator => (vec!["an operator paused it".into()], vec![go_on, back], Runbook::Paused),
        PauseCause::Interrupted => (
            vec![asked_to_stop(story)],
            vec![("to go on where it stopped".into(), with.run("resume", id)), back],
            Runbook::Interrupted,
        ),
        PauseCause::OutOfRoom => (
            vec!["the disk that holds the journal was full; all is saved, and nothing new was begun".into()],
            vec![("once there is room, to go on where it stopped".into(), with.run("resume", id)), back],
            Runbook::JournalFull,
        ),
        PauseCause::Failed(ix) => (
            vec![format!("{} failed: {}", name(ix), reason(ix))],
            vec![retry(ix), skip(ix), back],
            Runbook::StepFailed,
        ),
        PauseCause::Foreign(ix) if story.plan.is_lock(ix) => locked_out(story, ix, retry(ix), skip(ix), back),
        PauseCause::Foreign(ix) => (
            vec![
                format!("{}: {}", name(ix), reason(ix)),
                "nothing was written over it. Find out whose change it is before you go on".into(),
            ],
            vec![("once the world is as recorded, or as wanted".into(), retry(ix).1), skip(ix), back],
            Runbook::Foreign,
        ),
        PauseCause::Blind(ix) => (
            vec![
                format!("{}: {}", name(ix), reason(ix)),
                "silence is no evidence: neither a failure nor a pass".into(),
            ],
            vec![("once it can be seen again".into(), go_on.1), back],
            Runbook::Blind,
        ),
        PauseCause::Guard(_) => {
            let breach =
                story.breach.as_ref().map_or("a guard tripped".into(), std::string::ToString::to_string);
            (vec![breach], vec![go_on, back], Runbook::Guard)
        }
        PauseCause::Stuck(_) => stuck(story, extras),
        PauseCause::Rejected(ix) => (
            vec![format!("{} was rejected: {}", name(ix), reason(ix))],
            vec![("to ask again".into(), go_on.1), back],
            Runbook::ApprovalRejected,
        ),
        PauseCause::Expired(ix) => (
            vec![format!("nobody approved {} in time", name(ix))],
            vec![("to ask again".into(), go_on.1), back],
            Runbook::ApprovalExpired,
        ),
        PauseCause::Deadline => (
            vec!["the run is healthy as far as it got, but takes longer than the plan allows".into()],
            vec![go_on, back],
            Runbook::Deadline,
        ),
        PauseCause::Barrier(ix) => (
            vec![format!(
                "{} cannot be undone; going back around it may harm users more than staying",
                name(ix)
            )],
            vec![("to stay, and go forward again".into(), go_on.1), all],
            Runbook::Barrier,
        ),
        PauseCause::Checkpoint(ix) => (
            vec![format!("all after the checkpoint {} is undone; what came before it still holds", name(ix))],
            vec![all, ("to go forward again".into(), go_on.1)],
            Runbook::Checkpoint,
        ),
        PauseCause::Rewound(ix) => (
            vec![format!("{} and all that stood on it is undone; what came before it still holds", name(ix))],
            vec![all, ("to go forward again".into(), go_on.1)],
            Runbook::Checkpoint,
        ),
        PauseCause::Diverged { step, since } => (
            vec![
                format!(
                    "{} sent users to the new side at {since}; what they wrote in the {} since then stays behind",
                    name(step),
                    words::span(story.last.since(since))
                ),
                "decide together with whoever owns the data".into(),
            ],
            vec![
                ("to go back all the same".into(), all.1),
                ("to stay, and go forward again".into(), go_on.1),
            ],
            Runbook::Diverged,
        ),
    };
    Advice { says, commands, see }
}

/// Another run holds the lock in the world, or has taken it from this one.
fn locked_out(
    story: &Story,
    ix: StepIx,
    retry: (String, String),
    skip: (String, String),
    back: (String, String),
) -> (Vec<String>, Vec<(String, String)>, Runbook) {
    let reason = story.step(ix).reason.as_deref().unwrap_or("no reason was recorded");
    let mut says = vec![reason.to_owned()];
    let retry = ("once it is over, or has given its lock back".to_owned(), retry.1);
    if story.run.wrote {
        says.push("this run has changed something, and does nothing more before you say what".into());
        return (says, vec![retry, back, ("to go on without a lock".into(), skip.1)], Runbook::LockHeld);
    }
    says.push("nothing was changed. Ask whoever started that run, and end it where it was started".into());
    let over = if *story.plan[ix].id.0 == *FREE {
        ("to take its lock over: only if nobody can go on with it".to_owned(), skip.1)
    } else {
        ("to go on without a lock".to_owned(), skip.1)
    };
    (says, vec![retry, ("to give this run up".to_owned(), back.1), over], Runbook::LockHeld)
}

fn stuck(story: &Story, extras: &Extras) -> (Vec<String>, Vec<(String, String)>, Runbook) {
    let with = &extras.commands;
    let (mut says, mut commands) = (Vec::new(), Vec::new());
    let mut see = Runbook::StuckFailed;
    for (ix, step) in story.steps() {
        let Phase::Stuck(stuck) = story.phase(ix) else { continue };
        let name = words::step_name(&story.plan, ix);
        let (word, page) = match stuck {
            Stuck::Failed => ("NOT RESTORED", Runbook::StuckFailed),
            Stuck::Drifted => ("DRIFTED", Runbook::StuckDrifted),
        };
        see = page;
        says.push(format!(
            "{name} is {word}: {}",
            step.reason.as_deref().unwrap_or("no reason was recorded")
        ));
        says.extend(step.changes.iter().map(|c| format!("  {}: was {} before this run", c.what, c.from)));
        if stuck == Stuck::Failed {
            commands.extend(by_hand(story, ix, extras));
        }
        let retry = with.step("retry", &name, &story.id, "");
        commands.push((format!("once {name} is mended, or was restored by hand"), retry));
        let rest = format!("{REASON} ");
        commands.push((
            format!("to leave {name} as it is"),
            with.step("skip", &name, &story.id, rest.trim_end()),
        ));
    }
    says.push("what it stands on is held back, so that nothing users may still reach is taken away".into());
    (says, commands, see)
}
