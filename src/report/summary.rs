//! The end of a run, or how it stands: every step's outcome, times, the DNS clock, and what a human must do.

use super::{Advice, Commands, Looks, Story, Tone, brief, human, sparkline, words};
use crate::plan::{Kind, Part, StepIx, Timestamp};
use crate::run::{Curve, DnsClock, Ending, Mode, Phase, Receipt, Stuck, ending};
use std::time::Duration;

/// What a summary tells besides the facts.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// What the users of the sandbox met, line by line.
    pub traffic: Vec<String>,
    /// How commands are written.
    pub commands: Commands,
    /// Commands that undo by hand what this run could not, by place.
    pub by_hand: Vec<Vec<String>>,
    /// What the signals of each step measured last, as far as it is recorded, by place.
    pub curves: Vec<Vec<Curve>>,
    /// What each guard has seen, as far as it is recorded, by place.
    pub guards: Vec<Option<Watched>>,
    /// How wide the reader's terminal is, where it is one.
    pub columns: Option<usize>,
    /// The plan cannot be read by this version, and what the journal names stands for it: why.
    pub unread: Option<Unread>,
}

/// Why a plan cannot be read, and by whom it can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// What is wrong with it.
    pub why: String,
    /// The version that began the run.
    pub tool: String,
}

/// What a guard has seen.
#[derive(Clone, Debug)]
pub struct Watched {
    /// What it measured last.
    pub curve: Curve,
    /// Looks that were a pass.
    pub passes: u32,
    /// What the newest look said.
    pub says: String,
}

impl Extras {
    /// Guards that looked and never had evidence: nobody watched what they are for.
    pub(super) fn blind(&self, story: &Story) -> Vec<String> {
        let guards = story.plan.guards.iter().zip(&story.run.guards).zip(&self.guards);
        let blind = guards.filter_map(|((guard, known), watched)| {
            let watched = watched.as_ref().filter(|watched| watched.passes == 0 && !known.tripped)?;
            Some(format!("the guard {} has never had evidence: {}", guard.id, watched.says))
        });
        blind.collect()
    }

    /// What signals measured last: each with the step that it belongs to, in the order of the plan; then guards.
    pub(super) fn measured(&self, story: &Story) -> Vec<(String, &Curve)> {
        let places = story.plan.places().zip(&self.curves);
        let named = places.flat_map(|(ix, curves)| {
            let step = words::step_name(&story.plan, ix);
            curves.iter().map(move |curve| (format!("{step} {}", curve.name), curve))
        });
        let guards = self.guards.iter().flatten().map(|watched| &watched.curve);
        named.chain(guards.map(|curve| (format!("guard {}", curve.name), curve))).collect()
    }
}

/// The outcome of a step in a word or two.
#[must_use]
pub fn outcome(story: &Story, ix: StepIx) -> (Tone, &'static str) {
    let step = story.step(ix);
    if story.is_broken_off(ix) {
        return (Tone::Dim, "broken off");
    }
    match story.phase(ix) {
        Phase::Waiting => (Tone::Dim, "not begun"),
        Phase::Planning => (Tone::Busy, "looking"),
        Phase::Asking { .. } => (Tone::Warn, "waits for approval"),
        Phase::Ready => (Tone::Busy, "ready"),
        Phase::Applying { .. } => (Tone::Busy, "applying"),
        Phase::Watching { .. } if step.wrote => (Tone::Busy, "arriving"),
        Phase::Watching { .. } => (Tone::Busy, "watching"),
        Phase::Backoff { .. } => (Tone::Warn, "tried again soon"),
        Phase::InDoubt | Phase::Settling { .. } => (Tone::Warn, "in doubt"),
        Phase::Done if story.run.cause.is_some() && step.wrote && story.plan[ix].part != Part::Finally => {
            (Tone::Warn, "done, in force")
        }
        Phase::Done => (Tone::Good, "done"),
        Phase::Skipped => (Tone::Dim, "skipped"),
        Phase::Failed => (Tone::Bad, "failed"),
        Phase::Foreign => (Tone::Bad, "foreign change"),
        Phase::Blind => (Tone::Bad, "no evidence"),
        Phase::Undoing { .. } => (Tone::Busy, "undoing"),
        Phase::UndoBackoff { .. } => (Tone::Warn, "undone again soon"),
        Phase::Restoring { .. } => (Tone::Busy, "being read back"),
        Phase::Stuck(Stuck::Failed) | Phase::Undone(Receipt::TakenOver) => (Tone::Bad, "NOT RESTORED"),
        Phase::Stuck(Stuck::Drifted) => (Tone::Bad, "DRIFTED"),
        Phase::Undone(Receipt::Restored) if step.failed => (Tone::Warn, "failed, RESTORED"),
        Phase::Undone(Receipt::Restored) => (Tone::Good, "RESTORED"),
        Phase::Undone(Receipt::Assumed) if step.failed => (Tone::Warn, "failed, UNDONE"),
        Phase::Undone(Receipt::Assumed) => (Tone::Warn, "UNDONE"),
        Phase::Undone(Receipt::Left) => (Tone::Plain, "LEFT"),
    }
}

/// The summary, as lines.
#[must_use]
pub fn summary(story: &Story, now: Timestamp, extras: &Extras, looks: Looks) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    line(&headline(story, now, looks));
    line("");
    let rows = rows(story, now);
    let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).min(40);
    for row in &rows {
        let name = format!("{:width$}", looks.safe(&row.name));
        let word = looks.tint(row.tone, &format!("{:18}", row.word));
        let text = format!("  {name}  {word} {:>8}  {}", row.took, looks.safe(&row.says));
        line(text.trim_end());
    }
    let measured = extras.measured(story);
    if !measured.is_empty() {
        line("");
        let columns = extras.columns.map_or(usize::MAX, |columns| columns.saturating_sub(2));
        for text in sparkline::lines(&measured, looks, columns) {
            line(&format!("  {text}"));
        }
    }
    let blind = extras.blind(story);
    if !blind.is_empty() {
        line("");
        for text in &blind {
            line(&looks.tint(Tone::Warn, &looks.safe(text)));
        }
    }
    if !story.unwatched.is_empty() {
        line("");
        story.unwatched.iter().for_each(|gap| line(&words::unwatched(gap)));
    }
    let clocks = dns_lines(story, now);
    if !clocks.is_empty() {
        line("");
        for text in &clocks {
            line(&looks.safe(text));
        }
    }
    let exposed = exposed(story);
    if !exposed.is_empty() {
        line("");
        for text in &exposed {
            line(&looks.safe(text));
        }
    }
    if !extras.traffic.is_empty() {
        line("");
        for told in &extras.traffic {
            line(&looks.safe(told));
        }
    }
    if let Some(advice) = human::advice(story, extras) {
        line("");
        line(&told(&advice, looks));
    }
    out
}

/// What to do, as lines.
#[must_use]
pub fn told(advice: &Advice, looks: Looks) -> String {
    let mut lines = vec![looks.tint(Tone::Strong, "what to do now")];
    lines.extend(advice.says.iter().map(|says| format!("  {}", looks.safe(says))));
    let mut before = "";
    for (why, command) in &advice.commands {
        if why != before {
            lines.push(format!("  {}:", looks.safe(why)));
        }
        before = why;
        lines.push(format!("    {}", looks.tint(Tone::Strong, &looks.safe(command))));
    }
    let page = advice.see;
    lines.push(format!("  see {} (`switchover explain {}` prints it)", page.path(), page.name()));
    lines.join("\n")
}

/// The run in one line.
#[must_use]
pub fn headline(story: &Story, now: Timestamp, looks: Looks) -> String {
    format!("{} {} (run {})", looks.tint(Tone::Strong, &story.plan.name), state(story, now, looks), story.id)
}

/// How the run stands, in a few words.
fn state(story: &Story, now: Timestamp, looks: Looks) -> String {
    let standing = Standing {
        mode: story.run.mode,
        paused: story.paused().map(|cause| words::pause(&story.plan, cause)),
        announced: story
            .run
            .announced
            .as_ref()
            .map(|announced| (announced.at.since(now), words::why_back(&story.plan, &announced.cause))),
        baking: story.run.bakes_until().map(|until| (until, until.since(now))),
        because: story.run.cause.as_ref().map(|cause| words::why_back(&story.plan, cause)),
        changed_nothing: ending(&story.run) == Ending::NothingChanged,
        assumes: story.run.assumes(),
        lasted: story.lasted(now),
    };
    standing.text(looks)
}

/// How a run stands, where its plan is not at hand.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Which way it goes.
    pub mode: Mode,
    /// Why nothing new is begun.
    pub paused: Option<String>,
    /// In how long it rolls back without a word, and why.
    pub announced: Option<(Duration, String)>,
    /// All is done, and the guards are kept: until when, and for how long that is.
    pub baking: Option<(Timestamp, Duration)>,
    /// Why it rolled back.
    pub because: Option<String>,
    /// It ended before anything was written.
    pub changed_nothing: bool,
    /// Some undo was believed, for nothing could be read back.
    pub assumes: bool,
    /// How long it has taken, or took.
    pub lasted: Duration,
}

impl Standing {
    /// In a few words.
    #[must_use]
    pub fn text(&self, looks: Looks) -> String {
        let lasted = words::span(self.lasted);
        let because = self.because.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let (tone, text) = match (self.mode, &self.paused) {
            (Mode::Finished(_), _) if self.changed_nothing => {
                (Tone::Warn, format!("ended after {lasted}, before anything was changed{because}"))
            }
            (Mode::Finished(verdict), _) => {
                let (tone, text) = words::ended(verdict, self.assumes);
                (tone, format!("{text} after {lasted}{because}"))
            }
            (_, _) if let Some((left, why)) = &self.announced => {
                let left = words::span(*left);
                (Tone::Bad, format!("rolls back in {left}, unless somebody says no: {why}"))
            }
            (_, Some(why)) => (Tone::Bad, format!("paused after {lasted}: {why}")),
            (Mode::Idle, None) => (Tone::Dim, "not begun".into()),
            (Mode::Rollback, None) => (Tone::Warn, format!("rolling back for {lasted}{because}")),
            (Mode::Forward, None) if let Some((until, left)) = self.baking => {
                let left = if left.is_zero() {
                    "its guards have yet to say that all is well".into()
                } else {
                    format!("{} left", words::span(left))
                };
                (Tone::Good, format!("completed; bakes until {until}, {left}"))
            }
            (Mode::Forward, None) => (Tone::Busy, format!("under way for {lasted}")),
        };
        looks.tint(tone, &looks.safe(&text))
    }
}

struct Row {
    name: String,
    tone: Tone,
    word: &'static str,
    took: String,
    says: String,
}

fn rows(story: &Story, now: Timestamp) -> Vec<Row> {
    let shown = story.steps().filter(|(ix, _)| !matches!(story.plan[*ix].kind, Kind::Join));
    shown
        .map(|(ix, step)| {
            let (tone, word) = outcome(story, ix);
            let took =
                step.began.map_or(String::new(), |began| words::span(step.ended.unwrap_or(now).since(began)));
            let says = match story.phase(ix) {
                Phase::Done => changes(story, ix),
                Phase::Asking { until } => format!("{} left", words::span(until.since(now))),
                Phase::InDoubt if story.run[ix].settles > now => {
                    let left = words::span(story.run[ix].settles.since(now));
                    let reason = step.reason.as_deref().unwrap_or("its call may have been carried out");
                    format!("{reason}; that it was not is believed in {left}")
                }
                Phase::Undone(Receipt::Restored) if !step.failed => changes_back(story, ix),
                Phase::Undone(Receipt::Assumed) if !step.failed => "nothing reads it back".to_owned(),
                _ => step.reason.as_deref().unwrap_or_default().to_owned(),
            };
            Row { name: words::step_name(&story.plan, ix), tone, word, took, says }
        })
        .collect()
}

fn changes(story: &Story, ix: StepIx) -> String {
    let step = story.step(ix);
    let approved = &story.run[ix].approved_by;
    if !approved.is_empty() {
        return format!("by {}", approved.join(", "));
    }
    let each = step.changes.iter().map(|c| {
        let (from, to) = brief::change(c);
        format!("{}: {from} → {to}", c.what)
    });
    each.collect::<Vec<_>>().join("; ")
}

fn changes_back(story: &Story, ix: StepIx) -> String {
    let each = story.step(ix).changes.iter().map(|c| format!("{}: {} again", c.what, brief::text(&c.from)));
    each.collect::<Vec<_>>().join("; ")
}

/// One a name that steps in force have changed, with the first of them. A TTL that another gave back counts for the name.
pub(super) fn dns_clocks(story: &Story) -> Vec<(StepIx, DnsClock)> {
    let in_force = |ix: &StepIx| story.phase(*ix) == Phase::Done;
    let clock = |ix: StepIx| Some((ix, story.clocks.get(ix.index())?.as_ref()?));
    let mut all: Vec<(StepIx, DnsClock)> = Vec::new();
    for (ix, clock) in story.plan.places().filter(in_force).filter_map(clock) {
        match all.iter_mut().find(|(_, known)| known.name == clock.name) {
            Some((_, known)) => {
                known.after = known.after.max(clock.after);
                known.connections = known.connections.max(clock.connections);
                known.left = known.left.max(clock.left);
            }
            None => all.push((ix, clock.clone())),
        }
    }
    all
}

/// How long users could be led where they should not have been.
pub(super) struct Exposure<'s> {
    pub(super) step: StepIx,
    pub(super) name: &'s str,
    /// From the first moment at which a name server could have answered so.
    pub(super) from: Timestamp,
    /// Until no resolver had that answer any more, and no connection was left that had been made by it.
    pub(super) until: Timestamp,
}

/// One a step that led a name elsewhere, and was undone.
pub(super) fn exposures(story: &Story) -> impl Iterator<Item = Exposure<'_>> {
    story.steps().filter_map(|(ix, step)| {
        let clock = story.clocks.get(ix.index())?.as_ref()?;
        let undone = matches!(story.phase(ix), Phase::Undone(Receipt::Restored | Receipt::Assumed));
        let (from, until) = (step.written?, step.ended.filter(|_| undone)?);
        Some(Exposure { step: ix, name: &clock.name, from, until })
    })
}

/// The same, a line each.
pub(super) fn exposed(story: &Story) -> Vec<String> {
    let told = |Exposure { step, name, from, until }: Exposure<'_>| {
        format!(
            "exposure: users of {name} could be led by {} from {from} to {until}, for {}",
            words::step_name(&story.plan, step),
            words::span(until.since(from))
        )
    };
    exposures(story).map(told).collect()
}

/// Until when users may still come to a side that a step in force leads all of them away from.
pub(super) struct Leaving<'s> {
    pub(super) name: &'s str,
    /// No resolver has the old answer any more from then on.
    pub(super) looked_up: Timestamp,
    /// No connection is left that was made by it from then on, where that is known.
    pub(super) left: Option<Timestamp>,
}

/// One a step in force that led a name elsewhere: it was seen to be served everywhere by its end.
pub(super) fn leavings(story: &Story) -> impl Iterator<Item = Leaving<'_>> {
    story.steps().filter(|(ix, _)| story.phase(*ix) == Phase::Done).filter_map(|(ix, step)| {
        let clock = story.clocks.get(ix.index())?.as_ref().filter(|clock| clock.left.is_some())?;
        let served = step.ended?;
        let left = clock.left_within(clock.before).map(|within| served.after(within));
        Some(Leaving { name: &clock.name, looked_up: served.after(clock.before), left })
    })
}

/// The latest of those moments, as long as somebody may come to the old side.
fn leaving(story: &Story, now: Timestamp) -> Option<String> {
    let last = |leaving: &Leaving<'_>| leaving.left.unwrap_or(leaving.looked_up);
    let latest = leavings(story).max_by_key(last).filter(|latest| now < last(latest))?;
    let Leaving { name, looked_up, left } = latest;
    let by = if now < looked_up { format!(" by {looked_up}") } else { String::new() };
    let ends = left.map(|left| format!(", and the last connection to the old one ends by {left}"));
    let ends = ends.unwrap_or_default();
    Some(format!("DNS clock: all new lookups of {name} reach the new side{by}{ends}"))
}

/// How soon users could be led back now, and who may still be where they were before.
pub(super) fn dns_lines(story: &Story, now: Timestamp) -> Vec<String> {
    dns_clock(story).into_iter().chain(leaving(story, now)).collect()
}

/// How long a rollback would take now to reach those who look the name up, and those who are connected.
fn dns_clock(story: &Story) -> Option<String> {
    let reach = |clock: &DnsClock| clock.rollback() + clock.connections;
    let (ix, clock) = dns_clocks(story).into_iter().max_by_key(|(_, clock)| reach(clock))?;
    let connected = if clock.connections.is_zero() {
        String::new()
    } else {
        format!(
            ", and connections that are open within {}",
            words::span(clock.rollback() + clock.connections)
        )
    };
    Some(format!(
        "DNS clock: a rollback of {} now reaches new lookups within {}{connected}",
        words::step_name(&story.plan, ix),
        words::span(clock.rollback())
    ))
}
