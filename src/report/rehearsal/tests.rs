//! How a rehearsal looks: one that was made by hand, on several pages and for machines.

use super::*;
use crate::action::Registry;
use crate::doc::{self, Inputs, Stored};
use crate::rehearse::{Breach, Law, Outcome, Story};
use crate::report::Looks;
use crate::signal::SignalRegistry;
use serde_json::json;

const PLAN: &str = r#"
switchover: v1
name: small
policy: { rto: 5m }
targets:
  cloud: { aws: { account: "123456789012", region: eu-west-1 } }
  zone: { route53: { zone_id: Z1, name: example.com, aws: cloud } }
steps:
  - { id: rest, uses: wait, with: { for: 1m } }
  - id: switch
    uses: dns.switch
    with: { target: zone, record: app, to: { cname: new.example.net }, writes: diverge }
  - { id: settle, uses: wait, with: { for: 1m } }
"#;

fn plan() -> Plan {
    let (files, inputs) = (Stored::default(), Inputs::default());
    let reading = doc::read("small.yaml", PLAN.as_bytes(), &files, &inputs, &Registry, &SignalRegistry);
    reading.plan.unwrap_or_else(|| panic!("{:#?}", reading.problems))
}

fn finding(law: &str, step: &str, fault: &str, text: &str, times: u64) -> serde_json::Value {
    json!({
        "law": law, "step": step, "fault": fault, "about": "switch", "text": text,
        "name": format!("{step}/{fault}@7#1"), "times": times,
    })
}

/// As the engine would count, by hand.
fn counted(findings: &[serde_json::Value]) -> Rehearsal {
    let spread = |spans: serde_json::Value| json!({"seconds": spans});
    let row = |scenarios: u64, merged: u64, completed: u64| {
        json!({
            "scenarios": scenarios, "merged": merged, "asked": 12, "stuck": 3,
            "outcomes": {"completed": completed, "rolled_back": scenarios - completed - 1, "taken_over": 1},
            "detect": spread(json!({"0": 10, "45": 1})),
            "decide": spread(json!({"2": 4})),
            "lead_back": spread(json!({"60": 3, "252": 1})),
            "undo": spread(json!({"90": 3, "372": 1})),
        })
    };
    let mut people = row(40, 0, 39);
    for of in ["detect", "decide", "lead_back", "undo"] {
        people[of] = spread(json!({}));
    }
    let told = json!({
        "plan": "small", "world": "aep", "seed": 1,
        "rows": {"write": row(40_194, 28_889, 20_000), "people": people, "pair": row(1000, 0, 400)},
        "findings": findings,
        "coverage": {"switch": {"write": 40_194, "people": 40, "pair": 900}, "run": {"pair": 100}, "rest": {"pair": 4}},
        "faults": 156, "alike": 31, "unplayed": 0,
        "slowest": {"name": "switch/dns.change.late@41#1", "took": {"secs": 372, "nanos": 0}},
        "no_return": [], "diverges": [{"step": "switch", "behind": {"secs": 1320, "nanos": 0}}],
        "opaque": [["rest", "its undo is assumed, not proved: it has no `check`"]],
        "estimates": [
            {"step": "rest", "takes": {"secs": 60, "nanos": 0}, "until": {"secs": 60, "nanos": 0},
             "at_most": {"secs": 300, "nanos": 0}, "worst": {"secs": 75, "nanos": 0}},
            {"step": "switch", "takes": {"secs": 42, "nanos": 500_000_000}, "until": {"secs": 102, "nanos": 500_000_000},
             "at_most": {"secs": 900, "nanos": 0}, "worst": {"secs": 222, "nanos": 0},
             "back": {"secs": 102, "nanos": 0}, "back_worst": {"secs": 252, "nanos": 0}},
        ],
        "way_back": {"secs": 104, "nanos": 0},
    });
    serde_json::from_value(told).unwrap()
}

fn told<'a>(rehearsal: &'a Rehearsal, plan: &'a Plan) -> Rehearsed<'a> {
    Rehearsed {
        rehearsal,
        plan,
        digest: "sha256:aa",
        params_digest: "sha256:bb",
        command: "switchover rehearse small.yaml",
        at: Timestamp(1_795_000_000_000),
        took: Duration::from_millis(21_300),
        begins: Timestamp(1_767_693_600_000),
        only: None,
        cut: None,
    }
}

fn broken() -> Vec<serde_json::Value> {
    let drained = |step, fault, seconds| {
        finding("drained", step, fault, &format!("undone, and users resolve to it for {seconds}s more"), 4)
    };
    vec![
        finding("as-before", "switch", "dns.change.late", "record app is new, and should be <old>", 1),
        drained("switch", "dns.change.lost", 41),
        drained("switch", "dns.change.lost-answer", 42),
        drained("switch", "dns.change.slow", 40),
        drained("switch", "dns.change.wrong", 40),
        drained("settle", "people.abort", 12),
    ]
}

const WIDE: usize = 80;

fn page(of: &Rehearsed<'_>, width: usize, ascii: bool) -> String {
    rehearsal_text(of, width, Looks { colour: false, ascii })
}

#[test]
fn a_good_end_is_one_line_and_what_was_counted() {
    let (rehearsal, plan) = (counted(&[]), plan());
    let text = page(&told(&rehearsal, &plan), WIDE, false);
    insta::assert_snapshot!(text, @r"
    no findings in 41,234 scenarios (12,345 played to their end, the rest came to a
      situation that was known) of 156 faults, seed 1, in 21s
    small in world aep, from 2026-01-06T10:00:00Z on

    how they ended  scenarios  completed  rolled back  asked  stuck  taken over
    on a write         40,194     20,000       20,193     12      3           1
    on people              40         39            0     12      3           1
    two at once         1,000        400          599     12      3           1

    median/worst to  notice it  turn back  lead users back     undo all
    on a write          0s/45s      2s/2s         1m/4m12s  1m30s/6m12s
    two at once         0s/45s      2s/2s         1m/4m12s  1m30s/6m12s

    slowest rollback: 6m12s
      repeat  switchover rehearse small.yaml --only 'switch/dns.change.late@41#1'
    rto of 5m: users were led back within 4m12s at worst, whatever went wrong

    points of no return: none
    switch has `writes: diverge`: what users wrote on the new side in 22m stayed
      behind, at worst

    what was struck  write  people  pair
    rest                 0       0     4
    switch             40k      40   900
    run                  0       0   100
    no fault strikes: settle

    what it cannot see into
      rest: its undo is assumed, not proved: it has no `check`
    left out: 31 looks only repeat the one before, and nothing was struck there

    where nothing goes wrong  begins after  takes  at worst  way back  at worst
    rest                                0s     1m     1m15s         -         -
    switch                              1m    42s     3m42s     1m42s     4m12s
    the whole way back, from where most is in force: 1m44s
    ");
}

#[test]
fn findings_come_first_and_one_cause_is_told_once() {
    let (rehearsal, plan) = (counted(&broken()), plan());
    let of = told(&rehearsal, &plan);
    assert_eq!(of.found(), 2);
    let text = page(&of, WIDE, true);
    assert!(text.is_ascii());
    let (findings, _) = text.split_once("\nhow they ended").unwrap();
    insta::assert_snapshot!(findings, @r"
    2 findings in 41,234 scenarios (12,345 played to their end, the rest came to a
      situation that was known) of 156 faults, seed 1, in 21s
    small in world aep, from 2026-01-06T10:00:00Z on

    1. broken: rolled back means that the world is as before
       seen    switch: record app is new, and should be <old>
       struck  at switch: dns.change.late
       in      1 scenario
       repeat  switchover rehearse small.yaml --only 'switch/dns.change.late@7#1'
       change  give the step an undo that puts back what was there and a `check`
               that reads it, or say why it is left: `undo: { keep: ... }`

    2. broken: nothing is undone while users still resolve to what stands on it
       seen    switch: undone, and users resolve to it for 41s more
       struck  at switch: dns.change.lost, dns.change.lost-answer, dns.change.slow
               and 1 more
               at settle: people.abort
       in      20 scenarios
       repeat  switchover rehearse small.yaml --only 'switch/dns.change.lost@7#1'
       change  see what the undo needs, and whether it is still there on the way
               back
    ");
}

#[test]
fn a_narrow_page_has_lists_for_tables() {
    let (rehearsal, plan) = (counted(&broken()), plan());
    let text = page(&told(&rehearsal, &plan), 40, false);
    let copied = |line: &&str| line.contains("  repeat  ");
    for line in text.lines().filter(|line| !copied(line)) {
        assert!(line.chars().count() <= 40, "{line}");
    }
    let (_, tables) = text.split_once("how they ended").unwrap();
    insta::assert_snapshot!(tables, @r"
    on a write
      scenarios 40,194, completed 20,000,
      rolled back 20,193, asked 12, stuck 3,
      taken over 1
    on people
      scenarios 40, completed 39, asked 12,
      stuck 3, taken over 1
    two at once
      scenarios 1,000, completed 400, rolled
      back 599, asked 12, stuck 3, taken
      over 1

    median/worst to
    on a write
      notice it 0s/45s, turn back 2s/2s,
      lead users back 1m/4m12s, undo all
      1m30s/6m12s
    two at once
      notice it 0s/45s, turn back 2s/2s,
      lead users back 1m/4m12s, undo all
      1m30s/6m12s

    slowest rollback: 6m12s
      repeat  switchover rehearse small.yaml --only 'switch/dns.change.late@41#1'
    rto of 5m: users were led back within
      4m12s at worst, whatever went wrong

    points of no return: none
    switch has `writes: diverge`: what users
      wrote on the new side in 22m stayed
      behind, at worst

    what was struck  write  people  pair
    rest                 0       0     4
    switch             40k      40   900
    run                  0       0   100
    no fault strikes: settle

    what it cannot see into
      rest: its undo is assumed, not proved:
        it has no `check`
    left out: 31 looks only repeat the one
      before, and nothing was struck there

    where nothing goes wrong
    rest
      begins after 0s, takes 1m, at worst
      1m15s
    switch
      begins after 1m, takes 42s, at worst
      3m42s, way back 1m42s, at worst 4m12s
    the whole way back, from where most is
      in force: 1m44s
    ");
}

#[test]
fn what_was_not_played_is_said() {
    let (mut rehearsal, plan) = (counted(&[]), plan());
    rehearsal.unplayed = 17;
    let cut = |cut| Rehearsed { cut: Some(cut), ..told(&rehearsal, &plan) };
    let head = |of: &Rehearsed<'_>| page(of, 100, true).split("\n\n").next().unwrap().to_owned();
    insta::assert_snapshot!(head(&cut(Cut::Interrupted)), @r"
    no findings so far in 41,234 scenarios (12,345 played to their end, the rest came to a situation
      that was known) of 156 faults, seed 1, in 21s
    small in world aep, from 2026-01-06T10:00:00Z on
    PARTIAL: it was interrupted; 17 pieces of work were not played
    ");
    let over = cut(Cut::Over(Duration::from_secs(30)));
    assert!(over.is_complete());
    insta::assert_snapshot!(head(&over), @r"
    no findings in 41,234 scenarios (12,345 played to their end, the rest came to a situation that was
      known) of 156 faults, seed 1, in 21s
    small in world aep, from 2026-01-06T10:00:00Z on
    its time of 30s was over after all single faults and 1,000 pairs
    ");
    let mut early = rehearsal.clone();
    early.rows.remove(&Class::Pair);
    let early = Rehearsed { rehearsal: &early, only: Some("dns"), ..over };
    assert!(!early.is_complete());
    insta::assert_snapshot!(head(&early), @r"
    no findings so far in 40,234 scenarios (11,345 played to their end, the rest came to a situation
      that was known) of 156 faults, seed 1, in 21s
    small in world aep, from 2026-01-06T10:00:00Z on
    PARTIAL: only faults with `dns` in their name were played
    PARTIAL: its time of 30s was over before all single faults were played; 17 pieces of work were not
      played
    ");
}

#[test]
fn machines_are_told_all_by_stable_names() {
    let (rehearsal, plan) = (counted(&broken()), plan());
    let object = rehearsal_json(&told(&rehearsal, &plan));
    let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    insta::assert_snapshot!(keys.join(" "), @"rehearsal plan plan_digest params_digest tool at took_seconds world begins seed only complete cut found findings scenarios merged faults alike unplayed classes coverage not_struck slowest_rollback points_of_no_return writes_diverge opaque timeline way_back_seconds");
    insta::assert_snapshot!(format!("{:#}", object["findings"][0]), @r#"
    {
      "law": "as-before",
      "broken": "rolled back means that the world is as before",
      "about": "switch",
      "seen": "record app is new, and should be <old>",
      "scenarios": 1,
      "change": "give the step an undo that puts back what was there and a `check` that reads it, or say why it is left: `undo: { keep: … }`",
      "struck": [
        {
          "step": "switch",
          "fault": "dns.change.late",
          "seen": "record app is new, and should be <old>",
          "scenarios": 1,
          "scenario": "switch/dns.change.late@7#1",
          "repeat": "switchover rehearse small.yaml --only 'switch/dns.change.late@7#1'"
        }
      ]
    }
    "#);
    insta::assert_snapshot!(object["classes"]["write"], @r#"{"scenarios":40194,"merged":28889,"outcomes":{"completed":20000,"rolled_back":20193,"taken_over":1},"asked":12,"stuck":3,"notice":{"median_seconds":0,"worst_seconds":45},"turn_back":{"median_seconds":2,"worst_seconds":2},"lead_back":{"median_seconds":60,"worst_seconds":252},"undo":{"median_seconds":90,"worst_seconds":372}}"#);
    assert_eq!(object["findings"][1]["struck"].as_array().map(Vec::len), Some(5));
}

#[test]
fn junit_has_a_case_a_law_and_a_case_a_step() {
    let (rehearsal, plan) = (counted(&broken()), plan());
    let xml = junit(&told(&rehearsal, &plan));
    assert_eq!(xml.matches("<testcase ").count(), Law::ALL.len() + 4);
    let (_, steps) = xml.split_once("name=\"small.steps\"").unwrap();
    insta::assert_snapshot!(steps, @r#"
     tests="4" failures="2" skipped="0" timestamp="2026-11-18T11:06:40Z">
        <testcase classname="small.steps" name="rest"/>
        <testcase classname="small.steps" name="switch">
          <failure type="as-before" message="rolled back means that the world is as before: record app is new, and should be &lt;old&gt;">
    dns.change.late at switch, in 1 scenario: rolled back means that the world is as before: record app is new, and should be &lt;old&gt;
      repeat: switchover rehearse small.yaml --only 'switch/dns.change.late@7#1'
    dns.change.lost at switch, in 4 scenarios: nothing is undone while users still resolve to what stands on it: undone, and users resolve to it for 41s more
      repeat: switchover rehearse small.yaml --only 'switch/dns.change.lost@7#1'
    dns.change.lost-answer at switch, in 4 scenarios: nothing is undone while users still resolve to what stands on it: undone, and users resolve to it for 42s more
      repeat: switchover rehearse small.yaml --only 'switch/dns.change.lost-answer@7#1'
    dns.change.slow at switch, in 4 scenarios: nothing is undone while users still resolve to what stands on it: undone, and users resolve to it for 40s more
      repeat: switchover rehearse small.yaml --only 'switch/dns.change.slow@7#1'
    dns.change.wrong at switch, in 4 scenarios: nothing is undone while users still resolve to what stands on it: undone, and users resolve to it for 40s more
      repeat: switchover rehearse small.yaml --only 'switch/dns.change.wrong@7#1'
          </failure>
        </testcase>
        <testcase classname="small.steps" name="settle">
          <failure type="drained" message="nothing is undone while users still resolve to what stands on it: undone, and users resolve to it for 12s more">
    people.abort at settle, in 4 scenarios: nothing is undone while users still resolve to what stands on it: undone, and users resolve to it for 12s more
      repeat: switchover rehearse small.yaml --only 'settle/people.abort@7#1'
          </failure>
        </testcase>
        <testcase classname="small.steps" name="run"/>
      </testsuite>
    </testsuites>
    "#);
    let (head, _) = xml.split_once("</testsuite>").unwrap();
    let failed: Vec<&str> =
        head.lines().filter(|line| line.contains("<failure") || line.contains("<testsuite")).collect();
    insta::assert_snapshot!(failed.join("\n"), @r#"
    <testsuites name="switchover rehearse" tests="25" failures="4" time="21.300">
      <testsuite name="small.laws" tests="21" failures="2" skipped="0" timestamp="2026-11-18T11:06:40Z">
          <failure type="as-before" message="rolled back means that the world is as before: record app is new, and should be &lt;old&gt;">
          <failure type="drained" message="nothing is undone while users still resolve to what stands on it: undone, and users resolve to it for 41s more">
    "#);
}

#[test]
fn a_failure_is_an_annotation() {
    let (rehearsal, plan) = (counted(&broken()), plan());
    insta::assert_snapshot!(annotations(&told(&rehearsal, &plan)), @r"
    ::error title=small%3A rolled back means that the world is as before::record app is new, and should be <old>%0Aswitchover rehearse small.yaml --only 'switch/dns.change.late@7#1'
    ::error title=small%3A nothing is undone while users still resolve to what stands on it::undone, and users resolve to it for 41s more%0Aswitchover rehearse small.yaml --only 'switch/dns.change.lost@7#1'
    ");
}

fn story(struck_after: u64, breaches: Vec<Breach>) -> Story {
    Story { facts: Vec::new(), struck_after, outcome: Outcome::RolledBack, breaches }
}

#[test]
fn a_scenario_says_what_strikes_where() {
    let said = |name: &str| {
        let all = struck(name, &story(41, Vec::new()));
        all.into_iter().map(|(after, text)| format!("{after}: {text}")).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(said("switch/dns.change.lost-answer@41#1+killed-before-43-aborted"), @r"
    41: dns.change.lost-answer strikes here: done, and its answer lost
    42: the process dies here, before the next fact is recorded; who finds it dead aborts
    ");
    insta::assert_snapshot!(said("deploy[a]/people.abort[x/y]@41"), @"41: people.abort strikes here: an operator aborts");
    insta::assert_snapshot!(said("back:run/undisturbed@41+killed-after-44+killed-after-50-suspended"), @r"
    44: the process dies here, with this fact recorded; another process takes over
    50: the process dies here, with this fact recorded; it is suspended rather than dead, and another process takes over
    ");
    insta::assert_snapshot!(said("pair:1:77"), @"0: two faults at once, pair 1:77");
    assert_eq!(said("undisturbed"), "");
}

#[test]
fn a_scenario_says_how_it_ended() {
    let looks = Looks { colour: false, ascii: false };
    let breach = Breach { law: Law::WithinRto, step: Some("switch".into()), text: "it took 6m".into() };
    insta::assert_snapshot!(scenario_end(&story(41, vec![breach.clone()]), WIDE, looks), @r"
    it ended: rolled back
    it breaks a law: a rollback takes no longer than the plan's `rto`
      seen    it took 6m (switch)
      change  lower the TTL and the keep-alive ahead (`dns.ttl`), or state an `rto`
              that DNS can keep; a `veto` counts, too
    ");
    insta::assert_snapshot!(scenario_end(&story(41, Vec::new()), WIDE, looks), @r"
    it ended: rolled back
    it breaks no law
    ");
    let object = scenario_json("switch/dns.change.late@41#1", &story(41, vec![breach]));
    insta::assert_snapshot!(object, @r#"{"scenario":"switch/dns.change.late@41#1","outcome":"rolled_back","struck":[{"after":41,"what":"dns.change.late strikes here: no answer comes, and it is done later"}],"findings":[{"law":"within-rto","broken":"a rollback takes no longer than the plan's `rto`","about":"switch","seen":"it took 6m","change":"lower the TTL and the keep-alive ahead (`dns.ttl`), or state an `rto` that DNS can keep; a `veto` counts, too"}]}"#);
}

#[test]
fn the_catalogue_has_all_laws() {
    let text = catalogue_text(WIDE, Looks::default());
    let object = catalogue_json();
    for law in Law::ALL {
        assert!(text.contains(&stable(law)), "{law:?}");
    }
    assert_eq!(object["laws"].as_array().map(Vec::len), Some(Law::ALL.len()));
    assert!(text.lines().all(|line| line.chars().count() <= WIDE), "{text}");
}
