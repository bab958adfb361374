//! How a run looks, from the same facts, in each renderer.

use super::*;
use crate::action::Registry;
use crate::doc::{self, Inputs, Stored};
use crate::plan::{Plan, StepIx, Timestamp};
use crate::run::{
    Actor, Change, Event, Fault, Order, PauseCause, Proposal, Receipt, Rewind, StepEvent, Stuck, Verdict,
};
use crate::signal::SignalRegistry;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PLAN: &str = r#"
switchover: v1
name: small
summary: Moves little.
people: { friends: [ana@example.com] }
targets:
  cloud: { aws: { account: "123456789012", region: eu-west-1 } }
  zone: { route53: { zone_id: Z1, name: example.com, aws: cloud } }
steps:
  - id: lower
    uses: dns.ttl
    with: { target: zone, record: app, ttl: 60s }
  - id: go
    uses: approve
    with: { message: "Go?", by: { any: 1, of: [friends] }, expires: 30m }
  - id: switch
    uses: dns.switch
    with: { target: zone, record: app, to: { cname: new.example.net }, writes: shared }
"#;

pub(super) fn plan() -> Arc<Plan> {
    let (files, inputs) = (Stored::default(), Inputs::default());
    let reading = doc::read("small.yaml", PLAN.as_bytes(), &files, &inputs, &Registry, &SignalRegistry);
    Arc::new(reading.plan.unwrap_or_else(|| panic!("{:#?}", reading.problems)))
}

/// Seconds after a fixed moment.
fn at(seconds: u64) -> Timestamp {
    Timestamp(1_795_000_000_000 + seconds * 1000)
}

fn ana() -> Actor {
    Actor { name: "ana@example.com".into(), automatic: false }
}

fn proposal(from: &str, to: &str) -> Proposal {
    Proposal {
        prior: "{}".into(),
        stages: 1,
        within: Duration::from_secs(300),
        call: None,
        must_finish: false,
        changes: vec![Change { what: "record app.example.com".into(), from: from.into(), to: to.into() }],
    }
}

/// A run that switches, and then goes wrong.
pub(super) fn facts() -> Vec<(Timestamp, Event)> {
    let step = |place: u32, event| Event::Step(StepIx(place), event);
    let done = || StepEvent::Succeeded { out: None };
    vec![
        (at(0), Event::RunStarted { by: Actor { name: "bo@example.com".into(), automatic: false } }),
        (at(0), step(0, StepEvent::Started)),
        (at(1), step(0, StepEvent::Planned { proposal: proposal("TTL 300", "TTL 60"), until: at(301) })),
        (at(1), step(0, StepEvent::Applying { stage: 1, by: at(61) })),
        (at(2), step(0, StepEvent::Applied { note: None, until: at(302) })),
        (
            at(3),
            step(
                0,
                StepEvent::Noted { note: r#"{"text":"2 of 3 authorities serve it"}"#.into(), next: at(8) },
            ),
        ),
        (at(90), step(0, done())),
        (at(90), step(1, StepEvent::ApprovalAsked { until: at(1890) })),
        (at(100), Event::OrderTaken { id: 1, by: ana(), order: Order::Approve { step: StepIx(1) } }),
        (at(100), step(1, StepEvent::Approved { by: ana().name })),
        (at(100), step(1, done())),
        (at(100), step(2, StepEvent::Started)),
        (
            at(101),
            step(2, StepEvent::Planned { proposal: proposal("CNAME old", "CNAME new"), until: at(401) }),
        ),
        (at(101), step(2, StepEvent::Applying { stage: 1, by: at(161) })),
        (at(102), step(2, StepEvent::Applied { note: None, until: at(402) })),
        (
            at(120),
            step(2, StepEvent::Failed { fault: Fault::permanent("ns-1 refuses\u{1b}[2J to serve it") }),
        ),
        (
            at(120),
            Event::RollbackStarted { cause: crate::run::Cause::Failed(StepIx(2)), rewind: Rewind::Safe },
        ),
        (at(120), step(2, StepEvent::Undoing { by: at(180) })),
    ]
}

fn restored() -> Vec<(Timestamp, Event)> {
    let step = |place: u32, event| Event::Step(StepIx(place), event);
    let mut facts = facts();
    facts.extend([
        (at(121), step(2, StepEvent::UndoCalled { until: at(421), note: None })),
        (at(200), step(2, StepEvent::Undone { receipt: Receipt::Restored })),
        (at(200), step(0, StepEvent::Undoing { by: at(260) })),
        (at(201), step(0, StepEvent::UndoCalled { until: at(501), note: None })),
        (at(260), step(0, StepEvent::Undone { receipt: Receipt::Restored })),
        (at(260), Event::RunFinished { verdict: Verdict::RolledBack }),
    ]);
    facts
}

fn stuck() -> Vec<(Timestamp, Event)> {
    let mut facts = facts();
    facts.extend([
        (
            at(130),
            Event::Step(
                StepIx(2),
                StepEvent::GotStuck { stuck: Stuck::Drifted, reason: "found CNAME other".into() },
            ),
        ),
        (at(130), Event::RunPaused { cause: PauseCause::Stuck(StepIx(2)) }),
    ]);
    facts
}

/// What a renderer wrote.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn told(facts: &[(Timestamp, Event)], mut renderer: impl Renderer) -> Story {
    let mut story = Story::new("01RUN", plan());
    for (seq, (at, event)) in facts.iter().enumerate() {
        story.take(*at, event);
        renderer.fact(&story, &Fact { seq: seq as u64 + 1, at: *at, event });
    }
    story
}

fn end(facts: &[(Timestamp, Event)]) -> String {
    let story = told(facts, JsonLines(Page::default()));
    summary(&story, story.last, &Extras::default(), Looks::default())
}

#[test]
fn plain_lines_are_one_a_fact() {
    let page = Page::default();
    told(&restored(), Plain::new(page.clone(), Looks { colour: false, ascii: true }, &plan()));
    insta::assert_snapshot!(page.text(), @r"
    2026-11-18T11:06:40Z run     small started by bo@example.com
    2026-11-18T11:06:40Z lower   looking at what is there
    2026-11-18T11:06:41Z lower   will change
    2026-11-18T11:06:41Z           record app.example.com: TTL 300 -> TTL 60
    2026-11-18T11:06:41Z lower   applying; an answer is awaited for 1m
    2026-11-18T11:06:42Z lower   applied; must have arrived within 5m
    2026-11-18T11:06:43Z lower   2 of 3 authorities serve it; looks again in 5s
    2026-11-18T11:08:10Z lower   done in 1m30s
    2026-11-18T11:08:10Z go      waits for approval, 30m left: Go?
    2026-11-18T11:08:20Z run     approval of go by ana@example.com
    2026-11-18T11:08:20Z go      approved by ana@example.com
    2026-11-18T11:08:20Z go      done in 10s
    2026-11-18T11:08:20Z switch  looking at what is there
    2026-11-18T11:08:21Z switch  will change
    2026-11-18T11:08:21Z           record app.example.com: CNAME old -> CNAME new
    2026-11-18T11:08:21Z switch  applying; an answer is awaited for 1m
    2026-11-18T11:08:22Z switch  applied; must have arrived within 5m
    2026-11-18T11:08:40Z switch  failed after 20s: ns-1 refuses?[2J to serve it
    2026-11-18T11:08:40Z run     rolling back: switch failed
    2026-11-18T11:08:40Z switch  undoing; an answer is awaited for 1m
    2026-11-18T11:08:41Z switch  undone; must be back within 5m
    2026-11-18T11:10:00Z switch  RESTORED: the prior state was read back
    2026-11-18T11:10:00Z lower   undoing; an answer is awaited for 1m
    2026-11-18T11:10:01Z lower   undone; must be back within 5m
    2026-11-18T11:11:00Z lower   RESTORED: the prior state was read back
    2026-11-18T11:11:00Z run     rolled back and verified after 4m20s
    ");
}

#[test]
fn github_gets_annotations_and_groups() {
    let page = Page::default();
    told(&facts()[14..17], GitHub::new(page.clone(), Looks::default()));
    let page_of_plan = Page::default();
    told(&facts()[..3], GitHub::new(page_of_plan.clone(), Looks::default()));
    insta::assert_snapshot!(page.text() + &page_of_plan.text(), @r"
    2026-11-18T11:08:22Z switch  applied; must have arrived within 5m
    2026-11-18T11:08:40Z switch  failed after 0s: ns-1 refuses?[2J to serve it
    ::error title=small%3A switch::failed after 0s: ns-1 refuses?[2J to serve it
    2026-11-18T11:08:40Z run  rolling back: switch failed
    ::error title=small%3A run::rolling back: switch failed
    2026-11-18T11:06:40Z run  small started by bo@example.com
    2026-11-18T11:06:40Z lower  looking at what is there
    ::group::2026-11-18T11:06:41Z lower  will change
      record app.example.com: TTL 300 → TTL 60
    ::endgroup::
    ");
}

#[test]
fn machines_get_stable_names() {
    let page = Page::default();
    told(&facts()[..3], JsonLines(page.clone()));
    insta::assert_snapshot!(page.text(), @r#"
    {"seq":1,"at":"2026-11-18T11:06:40Z","run":"01RUN","event":"run.started","plan":"small","by":{"name":"bo@example.com","automatic":false},"text":"small started by bo@example.com"}
    {"seq":2,"at":"2026-11-18T11:06:40Z","run":"01RUN","event":"step.started","step":"lower","text":"looking at what is there"}
    {"seq":3,"at":"2026-11-18T11:06:41Z","run":"01RUN","event":"step.planned","step":"lower","stages":1,"changes":[{"what":"record app.example.com","from":"TTL 300","to":"TTL 60"}],"until":"2026-11-18T11:11:41Z","text":"will change"}
    "#);
}

#[test]
fn nothing_is_called_read_back_that_was_only_believed() {
    let mut facts = restored();
    let undone = |event: &Event| matches!(event, Event::Step(StepIx(0), StepEvent::Undone { .. }));
    let (_, fact) = facts.iter_mut().find(|(_, event)| undone(event)).unwrap();
    *fact = Event::Step(StepIx(0), StepEvent::Undone { receipt: Receipt::Assumed });
    let page = Page::default();
    told(&facts, Plain::new(page.clone(), Looks { colour: false, ascii: true }, &plan()));
    let text = page.text() + &end(&facts);
    for words in [
        "lower   UNDONE: its undo ended well, and nothing reads it back\n",
        "run     rolled back, not all of it read back, after 4m20s\n",
        "small rolled back, not all of it read back, after 4m20s: switch failed (run 01RUN)\n",
        "  lower   UNDONE                4m20s  nothing reads it back\n",
        "  nothing is urgent: what was changed was undone\n",
        "  lower was undone, and nothing reads it back: look yourself\n",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    assert!(!text.contains("verified"), "{text}");
}

#[test]
fn a_rollback_ends_with_receipts() {
    insta::assert_snapshot!(end(&restored()), @r"
    small rolled back and verified after 4m20s: switch failed (run 01RUN)

      lower   RESTORED              4m20s  record app.example.com: TTL 300 again
      go      done                    10s  by ana@example.com
      switch  failed, RESTORED      1m40s  ns-1 refuses?[2J to serve it

    what to do now
      nothing is urgent: what was there before is there again, and was read back
      mend what made switch fail: ns-1 refuses?[2J to serve it
      to read every fact of it:
        switchover log 01RUN
      see runbooks/R-rolled-back.md (`switchover explain R-rolled-back` prints it)
    ");
}

/// A run that failed, and gives people a minute and a half to say no.
fn announced() -> Vec<(Timestamp, Event)> {
    let mut facts = facts();
    facts.truncate(facts.len() - 2);
    let cause = crate::run::Cause::Failed(StepIx(2));
    facts.push((at(120), Event::RollbackAnnounced { cause, at: at(210) }));
    facts
}

#[test]
fn a_rollback_that_is_announced_counts_down_and_says_how_to_say_no() {
    let page = Page::default();
    let story = told(&announced(), JsonLines(page.clone()));
    insta::assert_snapshot!(page.text().lines().last().unwrap(), @r#"{"seq":17,"at":"2026-11-18T11:08:40Z","run":"01RUN","event":"rollback.announced","cause":{"kind":"failed","step":"switch"},"begins":"2026-11-18T11:10:10Z","text":"rolls back in 1m30s, unless somebody says no: switch failed (`switchover pause 01RUN` says no)"}"#);
    let at_first = end(&announced());
    insta::assert_snapshot!(at_first, @r"
    small rolls back in 1m30s, unless somebody says no: switch failed (run 01RUN)

      lower   done                  1m30s  record app.example.com: TTL 300 → TTL 60
      go      done                    10s  by ana@example.com
      switch  failed                  20s  ns-1 refuses?[2J to serve it

    what to do now
      switch failed: without a word the run rolls back at 2026-11-18T11:10:10Z
      ns-1 refuses?[2J to serve it
      nobody drives the run now: if that stays so, it rolls back when it is resumed
      to say no, and be asked what then:
        switchover pause 01RUN
      to say no, and go on:
        switchover continue 01RUN
      to roll back now:
        switchover rollback 01RUN
      to go on where it stopped:
        switchover resume 01RUN
      see runbooks/R-announced.md (`switchover explain R-announced` prints it)
    ");
    // Of whoever reads it half a minute later, while somebody drives the run.
    let extras = Extras { commands: Commands { driven: true, ..Commands::default() }, ..Extras::default() };
    let later = summary(&story, at(150), &extras, Looks::default());
    assert!(later.starts_with("small rolls back in 1m, unless somebody says no: switch failed"), "{later}");
    assert!(!later.contains("nobody drives"), "{later}");
    let object = result_json(&story, at(150), &extras, None);
    assert_eq!(object["announced"]["seconds_left"], 60);
    assert_eq!(object["announced"]["cause"]["step"], "switch");
    let page = Page::default();
    told(&announced(), Plain::new(page.clone(), Looks::default(), &plan()));
    let told_last = page.text();
    let last = told_last.lines().last().unwrap();
    assert!(last.ends_with("run     rolls back in 1m30s, unless somebody says no: switch failed (`switchover pause 01RUN` says no)"), "{last}");
    // Asked to stop, it still says so.
    let mut stopped = announced();
    stopped.push((at(125), Event::RunPaused { cause: PauseCause::Interrupted }));
    let stopped = end(&stopped);
    assert!(
        stopped.contains("rolls back in 1m25s") && stopped.contains("switchover resume 01RUN"),
        "{stopped}"
    );
    // Somebody says no, and nothing of it is left.
    let mut vetoed = announced();
    let order = Order::Pause { reason: Some("it is the probe".into()) };
    vetoed.push((at(130), Event::OrderTaken { id: 2, by: ana(), order }));
    vetoed.push((at(130), Event::RunPaused { cause: PauseCause::Failed(StepIx(2)) }));
    let vetoed = end(&vetoed);
    assert!(vetoed.starts_with("small paused after 2m10s: switch failed, and a person decides"), "{vetoed}");
    assert!(!vetoed.contains("says no"), "{vetoed}");
}

/// A run whose guards are kept for a day once it is done.
fn baking() -> Vec<(Timestamp, Event)> {
    let mut facts = facts();
    facts.truncate(facts.len() - 3);
    facts.push((at(110), Event::Step(StepIx(2), StepEvent::Succeeded { out: None })));
    facts.push((at(110), Event::Baking { until: at(86_510) }));
    facts
}

#[test]
fn a_run_that_bakes_says_until_when_and_who_watches() {
    let page = Page::default();
    let story = told(&baking(), JsonLines(page.clone()));
    insta::assert_snapshot!(page.text().lines().last().unwrap(), @r#"{"seq":17,"at":"2026-11-18T11:08:30Z","run":"01RUN","event":"run.baking","until":"2026-11-19T11:08:30Z","text":"all is done; bakes for 1d: the guards are kept until 2026-11-19T11:08:30Z"}"#);
    insta::assert_snapshot!(end(&baking()), @r"
    small completed; bakes until 2026-11-19T11:08:30Z, 1d left (run 01RUN)

      lower   done                  1m30s  record app.example.com: TTL 300 → TTL 60
      go      done                    10s  by ana@example.com
      switch  done                    10s  record app.example.com: CNAME old → CNAME new

    what to do now
      nobody watches its guards now, which are kept until 2026-11-19T11:08:30Z
      to watch its guards here:
        switchover resume 01RUN
      to have every run that bakes watched:
        switchover serve --take-up
      to end the bake now:
        switchover continue 01RUN
      to undo what was done:
        switchover rollback 01RUN
      see runbooks/R-baking.md (`switchover explain R-baking` prints it)
    ");
    let extras = Extras { commands: Commands { driven: true, ..Commands::default() }, ..Extras::default() };
    let later = summary(&story, at(86_520), &extras, Looks::default());
    assert!(later.contains("30Z, its guards have yet to say that all is well (run"), "{later}");
    assert!(later.contains("its guards are watched") && !later.contains("resume"), "{later}");
    let object = result_json(&story, at(170), &extras, None);
    assert_eq!(object["baking"]["seconds_left"], 86_340);
    // Whoever takes it up says for how long there may have been nobody.
    let mut resumed = baking();
    resumed.push((at(3_710), Event::RunResumed { owner: "host/2".into() }));
    let gap = "nobody is known to have watched its guards from 2026-11-18T11:08:30Z to 2026-11-18T12:08:30Z";
    let page = Page::default();
    let story = told(&resumed, Plain::new(page.clone(), Looks::default(), &plan()));
    assert!(page.text().trim_end().ends_with(&format!("taken over by host/2; {gap}")), "{}", page.text());
    assert!(summary(&story, story.last, &extras, Looks::default()).contains(&format!("\n{gap}\n")));
    let report = markdown(&story, story.last, &extras, &[]);
    assert!(report.contains(&format!("\n- {gap}\n")), "{report}");
    // From one process to the next is no time at all.
    let handed_over = (Timestamp(at(3_710).0 + 1), Event::RunResumed { owner: "host/3".into() });
    let page = Page::default();
    let story = told(
        &[resumed.clone(), vec![handed_over]].concat(),
        Plain::new(page.clone(), Looks::default(), &plan()),
    );
    assert_eq!(story.unwatched.len(), 1);
    assert!(page.text().trim_end().ends_with("taken over by host/3; what was in flight is looked at first"));
    resumed.push((at(90_000), Event::Baked));
    resumed.push((at(90_000), Event::RunFinished { verdict: Verdict::Completed }));
    assert!(end(&resumed).starts_with("small completed after 1d1h (run 01RUN)"), "{}", end(&resumed));
}

/// Whoever resumes is told at once what is waited for, not when it is over.
#[test]
fn a_call_in_doubt_says_until_when_it_is_waited_for() {
    let shown = |facts: &[(Timestamp, Event)]| {
        let page = Page::default();
        let story = told(facts, Plain::new(page.clone(), Looks::default(), &plan()));
        let text = page.text();
        let lines: Vec<&str> = text.lines().collect();
        (
            lines[lines.len() - 2..].join("\n"),
            summary(&story, story.last, &Extras::default(), Looks::default()),
        )
    };
    let resumed = (at(104), Event::RunResumed { owner: "host/2".into() });
    let mut lost = facts();
    lost.truncate(lost.len() - 4);
    lost.push(resumed.clone());
    let (lines, stands) = shown(&lost);
    insta::assert_snapshot!(lines, @r"
    2026-11-18T11:08:24Z run     taken over by host/2; what was in flight is looked at first
    2026-11-18T11:08:24Z           switch: its call may have been carried out, or may be yet; that it was not is believed at 2026-11-18T11:09:31Z, in 1m7s
    ");
    assert!(stands.contains("that it was not is believed in"), "{stands}");
    let mut undoing = facts();
    undoing.push((at(125), resumed.1));
    insta::assert_snapshot!(shown(&undoing).0, @r"
    2026-11-18T11:08:45Z run     taken over by host/2; what was in flight is looked at first
    2026-11-18T11:08:45Z           switch: its undo may be carried out until 2026-11-18T11:09:50Z; it is tried again then, in 1m5s
    ");
    let mut late = facts();
    late.truncate(late.len() - 4);
    late.push((
        at(170),
        Event::Step(StepIx(2), StepEvent::WasInDoubt { reason: "no answer within 1m".into() }),
    ));
    insta::assert_snapshot!(shown(&late).0.lines().last().unwrap(), @"2026-11-18T11:09:30Z switch  in doubt: no answer within 1m; looking at the world; that it was not carried out is believed in 1s");
    // Once it is over nothing is waited for.
    late.last_mut().unwrap().0 = at(180);
    assert!(shown(&late).0.ends_with("no answer within 1m; looking at the world"), "{}", shown(&late).0);
}

#[test]
fn a_stuck_undo_says_what_to_type() {
    insta::assert_snapshot!(end(&stuck()), @r"
    small paused after 2m10s: the undo of switch is stuck; what it stands on is not undone (run 01RUN)

      lower   done, in force        1m30s  record app.example.com: TTL 300 → TTL 60
      go      done                    10s  by ana@example.com
      switch  DRIFTED                 30s  found CNAME other

    what to do now
      switch is DRIFTED: found CNAME other
        record app.example.com: was CNAME old before this run
      what it stands on is held back, so that nothing users may still reach is taken away
      once switch is mended, or was restored by hand:
        switchover retry switch --run 01RUN
      to leave switch as it is:
        switchover skip switch --run 01RUN --reason '<why>'
      see runbooks/R-stuck-drifted.md (`switchover explain R-stuck-drifted` prints it)
    ");
}

/// The commands come from whoever knows the actions; those of somebody else's change are not for typing.
#[test]
fn a_failed_undo_names_the_commands_that_do_it_by_hand() {
    let by_hand = vec![vec![], vec![], vec!["first '1'".to_owned(), "second".to_owned()]];
    let extras = Extras { by_hand, ..Extras::default() };
    let mut failed = stuck();
    let place = failed.len() - 2;
    failed[place].1 =
        Event::Step(StepIx(2), StepEvent::GotStuck { stuck: Stuck::Failed, reason: "access denied".into() });
    let story = told(&failed, JsonLines(Page::default()));
    let said = summary(&story, story.last, &extras, Looks::default());
    let (_, to_do) = said.split_once("what to do now").unwrap();
    insta::assert_snapshot!(to_do, @r"
      switch is NOT RESTORED: access denied
        record app.example.com: was CNAME old before this run
      what it stands on is held back, so that nothing users may still reach is taken away
      to restore switch by hand:
        first '1'
        second
      once switch is mended, or was restored by hand:
        switchover retry switch --run 01RUN
      to leave switch as it is:
        switchover skip switch --run 01RUN --reason '<why>'
      see runbooks/R-stuck-failed.md (`switchover explain R-stuck-failed` prints it)
    ");
    let drifted = told(&stuck(), JsonLines(Page::default()));
    assert!(!summary(&drifted, drifted.last, &extras, Looks::default()).contains("second"));
}

#[test]
fn a_replay_looks_as_it_did_live() {
    let (live, again) = (Page::default(), Page::default());
    let first = told(&stuck(), Plain::new(live.clone(), Looks::default(), &plan()));
    let second = told(&stuck(), Plain::new(again.clone(), Looks::default(), &plan()));
    assert_eq!(live.text(), again.text());
    let now = first.last;
    let extras = Extras::default();
    assert_eq!(result_json(&first, now, &extras, None), result_json(&second, now, &extras, None));
}

#[test]
fn commands_can_be_pasted() {
    assert_eq!(quoted("deploy[backend]"), "'deploy[backend]'");
    assert_eq!(quoted("it's"), r"'it'\''s'");
    let commands = Commands { suffix: " --state-dir '/a b'".into(), driven: false };
    assert_eq!(
        commands.step("retry", "deploy[a]", "01RUN", ""),
        "switchover retry 'deploy[a]' --run 01RUN --state-dir '/a b'"
    );
}

#[test]
fn every_page_has_its_place_and_every_place_its_page() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<String> = std::fs::read_dir(root.join("runbooks"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("R-"))
        .collect();
    files.sort();
    let mut known: Vec<String> = Runbook::ALL.iter().map(|page| format!("{}.md", page.name())).collect();
    known.sort();
    assert_eq!(files, known);

    // Each is linked from what says it: an error, or the end of a run.
    let mut sources = String::new();
    let mut folders = vec![root.join("src/report"), root.join("src/cli")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("tests.rs") && !path.ends_with("runbooks.rs") {
                sources.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    for page in Runbook::ALL {
        let name = format!("Runbook::{page:?}");
        assert!(sources.contains(&name), "nothing links {}", page.path());
        assert!(
            page.text().starts_with(&format!("# {}: ", page.name())),
            "{} has another heading",
            page.path()
        );
    }
}
