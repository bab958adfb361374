//! How mistakes look, and that each is found where it stands.

use super::*;

#[test]
fn ten_mistakes_show_at_once() {
    insta::assert_snapshot!(shown(
        "switchover: v1
name: ten-mistakes
params:
  soak: { type: duration, default: 15m }
policy: { deadline: 3x, on_failure: rolback }
steps:
- id: deploy
  uses: chnage
- id: deploy
  uses: change
  with: { thign: a, size: 11 }
  timeuot: 3m
- id: check
  uses: look
  when: !params.soak
  with: { expect: stauts == 200, url: \"https://${{ params.sook }}/\" }
notify: []
"
    ), @r#"
error[SW1005]: `x` is not a unit of time; there are ms, s, m, h and d
 --> plan.yaml:5:21
  |
5 | policy: { deadline: 3x, on_failure: rolback }
  |                     ^^

error[SW1007]: `rolback` is not one of rollback, pause
 --> plan.yaml:5:37
  |
5 | policy: { deadline: 3x, on_failure: rolback }
  |                                     ^^^^^^^
  |
  = help: did you mean `rollback`?

error[SW1020]: there is no kind of step `chnage`
 --> plan.yaml:8:9
  |
8 |   uses: chnage
  |         ^^^^^^
  |
  = help: did you mean `change`?

error[SW1018]: `deploy` is the id of two steps
 --> plan.yaml:9:7
  |
7 | - id: deploy
  |       ------ the first one is here
8 |   uses: chnage
9 | - id: deploy
  |       ^^^^^^

error[SW1004]: `thing` is missing
  --> plan.yaml:11:9
   |
11 |   with: { thign: a, size: 11 }
   |         ^^^^^^^^^^^^^^^^^^^^^^
   |
   = help: what it writes

error[SW1003]: unknown key `thign`
  --> plan.yaml:11:11
   |
11 |   with: { thign: a, size: 11 }
   |           ^^^^^
   |
   = help: did you mean `thing`?

error[SW1006]: 11 is not between 1 and 10
  --> plan.yaml:11:27
   |
11 |   with: { thign: a, size: 11 }
   |                           ^^

error[SW1003]: unknown key `timeuot`
  --> plan.yaml:12:3
   |
12 |   timeuot: 3m
   |   ^^^^^^^
   |
   = help: did you mean `timeout`?

error[SW1012]: `!params.soak` has no value here: found no matching overload for '!_' applied to '(string)'
  --> plan.yaml:15:9
   |
15 |   when: !params.soak
   |         ^^^^^^^^^^^^

error[SW1013]: YAML reads `!params.soak` as a tag, not as text
  --> plan.yaml:15:9
   |
15 |   when: !params.soak
   |         ^^^^^^^^^^^^
   |
   = help: put the whole condition in quotes: a leading `!` is YAML's

error[SW1012]: `stauts` is not known here; there are status, steps, params
  --> plan.yaml:16:19
   |
16 |   with: { expect: stauts == 200, url: "https://${{ params.sook }}/" }
   |                   ^^^^^^^^^^^^^

error[SW1012]: `params` has no `sook`; did you mean `soak`?
  --> plan.yaml:16:48
   |
16 |   with: { expect: stauts == 200, url: "https://${{ params.sook }}/" }
   |                                                ^^^^^^^^^^^^^^^^^^

error[SW1021]: `notify` is not there yet: messages to people and their tools
  --> plan.yaml:17:9
   |
17 | notify: []
   |         ^^
   |
   = help: remove it: a run would go on without it, and nobody would notice
"#);
}

#[test]
fn the_top_level() {
    insta::assert_snapshot!(problems(
        "switchover: v2
name: a b
owner: 7
production: yes
parms: {}
readiness: ready.yaml
secrets:
  two: { env: A, file: b }
  later: { aws_secretsmanager: x }
  a-b: { env: A }
people: { nobody: [] }
targets:
  prod: { aws: { account: 12345678901, region: eu-west-1 } }
  short: { aws: { account: \"1234\", region: eu-west-1 } }
  zone: { route53: { zone_id: Z1, name: x, aws: prdo } }
  other: { route54: {} }
  later: { cloudflare: {} }
  both: { aws: {}, route53: {} }
policy:
  window: { zone: Europe/Pari, from: \"9\", to: \"25:00\", days: [mon, everyday] }
  freeze: [{ from: 2026-13-01, to: 2026-01-01, reason: x }, { from: 2026-02-02, to: 2026-02-01, reason: x }]
  deadline: 8d
steps: []
"
    ), @r#"
SW1016 plan.yaml:1:13 this version of the language is not known
SW1017 plan.yaml:2:7 `a b` cannot name a plan
SW1002 plan.yaml:3:8 expected text, found a whole number
SW1002 plan.yaml:4:13 `yes` is text, not true or false
SW1003 plan.yaml:5:1 unknown key `parms`
SW1021 plan.yaml:6:12 `readiness` is not there yet: gates that must pass before the first write
SW1024 plan.yaml:8:8 a secret comes from exactly one of env, file and exec
SW1021 plan.yaml:9:32 secrets of AWS Secrets Manager are not there yet
SW1017 plan.yaml:10:3 `a-b` cannot name a secret
SW1033 plan.yaml:11:19 nobody is in `nobody`
SW1002 plan.yaml:13:27 expected text, found a whole number
SW1006 plan.yaml:14:28 an account number has 12 digits
SW1008 plan.yaml:15:49 there is no target `prdo`
SW1020 plan.yaml:16:12 there is no kind of target `route54`
SW1021 plan.yaml:17:12 targets of kind `cloudflare` are not there yet
SW1002 plan.yaml:18:9 a target has exactly one kind
SW1032 plan.yaml:20:19 there is no time zone `Europe/Pari`
SW1032 plan.yaml:20:38 `9` is not a time of day
SW1032 plan.yaml:20:47 `25:00` is not a time of day
SW1007 plan.yaml:20:68 `everyday` is not one of mon, tue, wed, thu, fri, sat, sun
SW1032 plan.yaml:21:20 `2026-13-01` is not a day
SW1032 plan.yaml:21:61 this freeze ends before it begins
SW1005 plan.yaml:22:13 `8d` is longer than 7d
SW1019 plan.yaml:23:8 there are no steps in this list
"#);
    insta::assert_snapshot!(problems("- a\n"), @r#"
SW1002 plan.yaml:1:1 expected a mapping, found a list
"#);
    insta::assert_snapshot!(problems("switchover: v1\nname: x\n"), @r#"
SW1004 plan.yaml:1:1 `steps` is missing
"#);
    insta::assert_snapshot!(problems("switchover: v1\nname: x\nsteps: {}\n"), @r#"
SW1002 plan.yaml:3:8 expected a list of steps, found a mapping
"#);
}

#[test]
fn params_that_do_not_fit() {
    let text = "switchover: v1
name: test
params:
  image: { type: string, pattern: '@sha256:[0-9a-f]{4}$' }
  size: { type: int, default: many }
  mode: { type: string, enum: [fast, slow], default: fast }
  list: { type: list, default: [] }
  bad: { type: text, pattern: '(' }
  2x: { type: int }
  open: { type: string, pattern: '(', default: x }
steps:
- { id: a, uses: look, with: { url: \"${{ params.image }}\", every: \"${{ params.size }}\" } }
- { id: b, uses: look, with: { url: \"a ${{ params.list }}\" } }
";
    insta::assert_snapshot!(problems(text), @r#"
SW1023 plan.yaml:4:3 param `image` has no value
SW1022 plan.yaml:5:31 the default does not fit: expected int, found text
SW1007 plan.yaml:8:16 `text` is not one of string, int, number, bool, duration, list, map
SW1017 plan.yaml:9:3 `2x` cannot name a param
SW1022 plan.yaml:10:3 `(` is not a regular expression
SW1012 plan.yaml:13:40 only text, a number or true and false can stand inside text
"#);
    let inputs = Inputs {
        set: vec![
            ("image".into(), "repo:latest".into()),
            ("size".into(), "3x".into()),
            ("list".into(), "[1, 2".into()),
            ("moed".into(), "fast".into()),
        ],
        env: vec![
            ("SWITCHOVER_PARAM_MODE".into(), "medium".into()),
            ("SWITCHOVER_PARAM_X".into(), "1".into()),
        ],
        files: vec![(
            "prod.yaml".into(),
            b"mode: 7\nimgae: x\nimage: \"${{ secrets.x }}@sha256:abcd\"\n".to_vec(),
        )],
        ..Inputs::default()
    };
    let text = text.replace("  2x: { type: int }\n", "").replace("  bad: { type: text, pattern: '(' }\n", "");
    insta::assert_snapshot!(brief(&read_with(&text, &[], &inputs)), @r#"
SW1022 plan.yaml:5:31 the default does not fit: expected int, found text
SW1022 plan.yaml:8:3 `(` is not a regular expression
SW1012 plan.yaml:11:40 only text, a number or true and false can stand inside text
SW1023 prod.yaml:1:7 param `mode`: expected string, found a whole number (put it in quotes)
SW1023 prod.yaml:2:1 the plan has no param `imgae`
SW1023 prod.yaml:3:8 param `image`: a param's value cannot hold `${{`
SW1023 SWITCHOVER_PARAM_MODE:1:6 param `mode`: "medium" is not one of "fast", "slow"
SW1023 SWITCHOVER_PARAM_X:1:1 the plan has no param `x`
SW1023 --set:1:7 param `image`: `repo:latest` does not match `@sha256:[0-9a-f]{4}$`
SW1023 --set:1:6 param `size`: expected int, found text
SW1023 --set:1:6 this is not YAML: this bracket is never closed
SW1023 --set:1:1 the plan has no param `moed`
"#);
    let reading = read_with(
        &text,
        &[],
        &Inputs { set: vec![("image".into(), "repo:latest".into())], ..Inputs::default() },
    );
    insta::assert_snapshot!(render(&reading.problems[..1], &reading.sources, false, false), @r#"
error[SW1022]: the default does not fit: expected int, found text
  ╭▸ plan.yaml:5:31
  │
5 │   size: { type: int, default: many }
  ╰╴                              ━━━━
"#);
}

#[test]
fn steps_and_groups() {
    insta::assert_snapshot!(problems(&of_steps(
        "- look
- uses: look
- { id: 7, uses: look }
- { id: nothing }
- { id: with-only, with: {} }
- { id: both, uses: look, sequence: [{ id: x, uses: look }] }
- { id: group, timeout: 3m, undo: { keep: x }, sequence: [{ id: y, uses: look }] }
- { id: max, max: 2, uses: look }
- { id: as, as: x, uses: look }
- { id: max-0, max: 0, parallel: [{ id: z, uses: look }] }
- { id: signal, uses: probe }
- { id: later, uses: shift }
- { id: keep-nothing, undo: { keep: x } }
- { id: undo-two, uses: write, with: { thing: a }, undo: { keep: x, uses: change } }
- { id: undo-approve, uses: write, with: { thing: b }, undo: { uses: approve } }
- { id: undo-look, uses: look, undo: { keep: x } }
- { id: approve, uses: approve, timeout: 3m, with: { message: x, by: { any: 2, of: [ana@example.com, nobody] } } }
- { id: checkpoint, uses: checkpoint, with: { x: 1 } }
- { id: on, uses: look, on: [completed] }
- { id: retry, uses: look, retry: { attempts: 0, backoff: 0.5 }, on_failure: ignore }
"
    )), @r#"
SW1002 plan.yaml:4:3 expected a step, found text
SW1004 plan.yaml:5:3 this step has no `id`
SW1017 plan.yaml:6:9 a whole number cannot be the id of a step
SW1019 plan.yaml:7:9 this step does nothing
SW1019 plan.yaml:8:9 this step does nothing
SW1019 plan.yaml:8:26 `with` tells a kind of step something, and there is no `uses`
SW1019 plan.yaml:9:27 a step has `uses` or `sequence`, not both
SW1019 plan.yaml:10:25 `timeout` belongs to a step, not to a group of steps
SW1019 plan.yaml:10:35 `undo` belongs to a step, not to a group of steps
SW1019 plan.yaml:11:19 `max` bounds a `parallel` or an `each`, and there is none
SW1027 plan.yaml:12:17 `as` names the item of an `each`, and there is none
SW1006 plan.yaml:13:21 `max` is a whole number from 1 to 1000
SW1020 plan.yaml:14:23 there is no kind of step `probe`
SW1021 plan.yaml:15:22 `shift` is not there yet: a progressive shift
SW1019 plan.yaml:16:9 this step does nothing
SW1031 plan.yaml:17:58 an undo is either a reason to keep, or a step of its own
SW3001 plan.yaml:18:29 `undo-approve` writes, and nothing undoes it
SW1031 plan.yaml:18:70 `approve` undoes nothing
SW3005 plan.yaml:19:38 `undo-look` changes nothing, so its `undo` has nothing to undo
SW1031 plan.yaml:20:42 `timeout` has no meaning for `approve`
SW1033 plan.yaml:20:70 2 people must say yes, and there are only 1
SW1033 plan.yaml:20:84 there is no group `nobody`
SW1003 plan.yaml:21:47 unknown key `x`
SW1019 plan.yaml:22:29 `on` belongs to the steps of `finally`
SW1006 plan.yaml:23:47 0 is not between 1 and 50
SW1006 plan.yaml:23:59 0.5 is not between 1 and 10
SW1007 plan.yaml:23:78 `ignore` is not one of rollback, pause, continue
"#);
}

#[test]
fn each_and_include() {
    insta::assert_snapshot!(problems(&of_steps(
        "- { id: number, each: 7, uses: look }
- { id: nameless, each: [[1], { id: { a: 1 } }, a b], uses: look }
- { id: twice, each: [a, a], uses: look }
- { id: as, each: [a], as: params, uses: look }
- { id: inner, each: [a], parallel: [{ id: again, each: [b], uses: look, with: { url: \"${{ items }}\" } }] }
- { id: missing, include: { plan: missing.yaml } }
- { id: keyless, include: { params: {} } }
"
    )), @r#"
SW1027 plan.yaml:4:23 `each` goes over a list or a mapping, not a whole number
SW1027 plan.yaml:5:25 item 1 has nothing to be called by
SW1027 plan.yaml:5:25 item 2 has nothing to be called by
SW1027 plan.yaml:5:25 item 3 has nothing to be called by
SW1027 plan.yaml:6:22 two items are called `a`
SW1017 plan.yaml:7:28 this cannot be the name of an item
SW1012 plan.yaml:8:88 `items` is not known here; there are secrets, steps, captures, run, item, params
SW1026 plan.yaml:9:35 `missing.yaml` cannot be read: it was not kept with the run
SW1004 plan.yaml:10:27 `plan` is missing
"#);
    let part = "params: { n: { type: int } }\nguards: []\nsteps:\n- { id: deeper, include: { plan: part.yaml } }\n- { id: x, uses: look, with: { url: \"${{ params.m }}\" } }\n";
    let text = of_steps("- { id: part, include: { plan: part.yaml, params: { m: 1 } } }\n");
    insta::assert_snapshot!(brief(&read_with(&text, &[("part.yaml", part)], &Inputs::default())), @r#"
SW1023 plan.yaml:4:24 param `n` has no value
SW1023 plan.yaml:4:53 the plan has no param `m`
SW1003 part.yaml:2:1 unknown key `guards`
SW1026 part.yaml:4:26 an included plan cannot include another
SW1012 part.yaml:5:38 `params` has no `m`; did you mean `n`?
"#);
    // A mistake inside a copy shows once.
    insta::assert_snapshot!(problems(&of_steps("- { id: a, each: [x, y, z], uses: look, with: { expect: nope } }\n")), @r#"
SW1012 plan.yaml:4:57 `nope` is not known here; there are status, steps, item, params
"#);
}

#[test]
fn names_that_only_a_run_knows() {
    insta::assert_snapshot!(problems(&of_steps(
        "- { id: a, uses: look, with: { url: \"${{ steps.b.out.x }} ${{ secrets.x }} ${{ run.nmae }} ${{ steps.a-b.out }}\" } }
- id: p
  parallel:
  - { id: b, uses: look }
  - { id: c, uses: look, when: steps.b.out.ok }
- { id: d, uses: look, with: { expect: steps.e.out.ok, after: f } }
- { id: e, uses: look, with: { url: \"${{ steps.p.out }} ${{ steps.b.answer }}\" } }
- { id: g, uses: look, with: { every: \"${{ run.id }}\", url: \"${{ }} ${{ nope(1) }}\" } }
- { id: h, uses: look, with: { url: \"${{ run.id\" }, when: \"${{ run.id }}\" }
- { id: i, uses: look, when: run.by == 'x' && runn.by == 'y' }
"
    )), @r#"
SW1025 plan.yaml:4:38 `b` has not passed when this is read
SW1024 plan.yaml:4:59 there is no secret `x`
SW1012 plan.yaml:4:76 `run` has no `nmae`; there are id, by, started, ending
SW1009 plan.yaml:4:92 there is no step `a-b`
SW1025 plan.yaml:8:32 `b` has not passed when this is read
SW1025 plan.yaml:9:40 `e` has not passed when this is read
SW1009 plan.yaml:9:63 there is no step `f`
SW1025 plan.yaml:10:38 `p` has no answer to read
SW1012 plan.yaml:10:57 a step's answer is read as `steps.b.out`
SW1002 plan.yaml:11:39 expected a duration such as `90s`, found text
SW1012 plan.yaml:11:62 there is nothing in this `${{ }}`
SW1012 plan.yaml:11:69 there is no function `nope`
SW1012 plan.yaml:12:37 `${{` is never closed by `}}`
SW1012 plan.yaml:12:59 `when` is a condition, written without `${{ }}`
SW1012 plan.yaml:13:30 `runn` is not known here; there are steps, run, params
"#);
}

#[test]
fn rules_between_steps() {
    insta::assert_snapshot!(problems(
        "switchover: v1
name: test
production: true
guards:
- { id: g, uses: alarms }
- { id: g, uses: probe, with: { fail: vaule > 1 }, from: d, until: a }
- { id: h, uses: probe, with: { fail: value > 1 }, from: nope }
prepare:
- { id: early, uses: switch, with: { thing: app, writes: shared } }
- { id: early-approve, uses: approve, with: { message: x } }
steps:
- { id: a, uses: change, with: { thing: a }, reversibility: irreversible }
- id: p
  parallel:
  - { id: b, uses: change, with: { thing: x } }
  - { id: c, sequence: [{ id: c1, uses: change, with: { thing: x } }, { id: c2, uses: change, with: { thing: x } }] }
  - { id: d, uses: change, with: { thing: y }, reversibility: irreversible }
- { id: go, uses: approve, with: { message: Go? }, when: run.by != 'x' }
- { id: e, uses: change, with: { thing: z }, reversibility: irreversible }
- { id: f, uses: switch, with: { thing: app } }
finally:
- { id: late, uses: checkpoint }
"
    ), @r#"
SW1021 plan.yaml:5:18 `alarms` is not there yet: alarms of CloudWatch
SW1018 plan.yaml:6:9 `g` is the id of two guards
SW1012 plan.yaml:6:39 `vaule` is not known here; there are value, params
SW1034 plan.yaml:6:68 guard `g` ends before it begins
SW1009 plan.yaml:7:58 there is no step `nope`
SW1035 plan.yaml:9:22 a switch cannot stand in `prepare`
SW3002 plan.yaml:9:22 nothing lowers the TTL before `early` switches
SW1035 plan.yaml:10:30 an approval cannot stand in `prepare`
SW1028 plan.yaml:12:9 `a` is irreversible, and nobody approves it
SW1029 plan.yaml:16:31 `b` and `c1` may write thing:/x at the same time
SW1028 plan.yaml:17:11 `d` is irreversible and stands in a parallel
SW1028 plan.yaml:17:11 `d` is irreversible, and nobody approves it
SW1028 plan.yaml:19:9 `e` is irreversible, and nobody approves it
SW1030 plan.yaml:20:18 `f` switches users in production and does not say `writes`
SW3002 plan.yaml:20:18 nothing lowers the TTL before `f` switches
SW1035 plan.yaml:22:21 a checkpoint cannot stand in `finally`
"#);
}

#[test]
fn lints() {
    insta::assert_snapshot!(problems(
        "switchover: v1
name: test
params: { unused: { type: int, default: 1 } }
secrets: { unused: { env: A } }
targets:
  prod: { aws: { account: \"123456789012\", region: eu-west-1 } }
  zone: { route53: { zone_id: Z1, name: example.com, aws: prod } }
policy:
  rto: 5m
  window: { zone: Europe/Paris, days: [sun], from: \"02:30\", to: \"16:00\" }
prepare:
- { id: ttl, uses: ttl, with: { thing: other } }
steps:
- { id: a, uses: write, with: { thing: a } }
- { id: f, uses: switch, with: { thing: app } }
- { id: l, uses: look, undo: { keep: why } }
"
    ), @r#"
SW3006 plan.yaml:3:11 nothing reads `params.unused`
SW3006 plan.yaml:4:12 nothing reads `secrets.unused`
SW3003 plan.yaml:7:3 no step uses the target `zone`
SW3008 plan.yaml:10:52 there is no 02:30 on 2026-03-29: clocks go forward then
SW3001 plan.yaml:14:18 `a` writes, and nothing undoes it
SW3002 plan.yaml:15:18 nothing lowers the TTL before `f` switches
SW3004 plan.yaml:15:18 undoing `f` takes 10m, and `rto` promises 5m
SW3005 plan.yaml:16:30 `l` changes nothing, so its `undo` has nothing to undo
"#);
    // The same window on a day without a jump.
    assert_eq!(
        problems(&of_steps(
            "- { id: a, uses: look }\npolicy: { window: { zone: Europe/Paris, days: [mon], from: \"02:30\", to: \"16:00\" } }\n"
        )),
        ""
    );
}

#[test]
fn the_time_for_a_no_counts_as_a_part_of_the_way_back() {
    let of = |policy: &str| {
        let text = of_steps(
            "- { id: t, uses: ttl, with: { thing: app } }\n- { id: f, uses: switch, with: { thing: app } }\n",
        );
        problems(&format!("{text}policy: {policy}\n"))
    };
    assert_eq!(of("{ rto: 11m, veto: 1m }"), "");
    let held = "SW3004 plan.yaml:5:18 undoing `f` takes 10m, and it is held for 61s before that (`veto`), and `rto` promises 11m\n";
    assert_eq!(of("{ rto: 11m, veto: 61s }"), held.replace("61s", "1m1s"));
    assert_eq!(of("{ rto: 10m }"), "");
}

#[test]
fn a_bake_needs_a_guard_that_stays() {
    let of = |policy: &str, more: &str| {
        problems(&format!("{}policy: {policy}\n{more}", of_steps("- { id: a, uses: look }\n")))
    };
    let alone = "SW3009 plan.yaml:5:17 nothing watches while it bakes, so it does not bake\n";
    let guard =
        |more: &str| format!("guards: [{{ id: g, uses: probe, with: {{ fail: value > 0.1 }}{more} }}]\n");
    assert_eq!(of("{ bake: 24h }", ""), alone);
    assert_eq!(of("{ bake: 24h }", &guard(", until: a")), alone);
    assert_eq!(of("{ bake: 24h }", &guard("")), "");
    assert_eq!(of("{ veto: 1m }", ""), "");
}

#[test]
fn a_heartbeat_has_a_url_that_can_be_kept_and_a_rhythm() {
    let of = |heartbeat: &str| {
        let text = of_steps(
            "- { id: a, uses: look, with: { url: \"${{ secrets.s }}\" } }\nsecrets: { s: { env: S } }\n",
        );
        problems(&format!("{text}policy: {{ heartbeat: {{ {heartbeat} }} }}\n"))
    };
    for fine in [
        "url: https://hc.example.com/x",
        "url: https://hc.example.com/x, every: 12s",
        "url: https://hc.example.com/x, every: 5m",
        "url: \"https://hc.example.com/${{ secrets.s }}\"",
        "url: \"https://hc.example.com:${{ secrets.s }}/x\"",
        "url: \"${{ secrets.s }}\"",
        "url: http://localhost:8080/x",
        "url: http://127.0.0.1:8080/x",
        "url: \"http://[::1]:8080/x\"",
    ] {
        assert_eq!(of(fine), "", "{fine}");
    }
    let clear = "this heartbeat goes in the clear: who reads its URL on the way can send it, too";
    for (wrong, told) in [
        ("every: 1m", "SW1004 plan.yaml:6:22 `url` is missing"),
        ("url: hc.example.com/x", "SW1006 plan.yaml:6:29 a heartbeat goes to a URL"),
        ("url: ftp://hc.example.com/x", "SW1006 plan.yaml:6:29 a heartbeat goes to a URL"),
        ("url: https://me:word@hc.example.com/x", "SW1006 plan.yaml:6:29 a heartbeat goes to a URL"),
        ("url: https://me@hc.example.com/x", "SW1006 plan.yaml:6:29 a heartbeat goes to a URL"),
        ("url: \"https://hc.example.com/${{ run.id }}\"", "SW1006 plan.yaml:6:29 only secrets may stand"),
        (
            "url: https://h.test/x, every: 999ms",
            "SW1006 plan.yaml:6:54 from one beat to the next is at least `1s`",
        ),
        ("url: https://h.test/x, every: 11s", "SW3010 plan.yaml:6:54 a beat every 11s is more than most"),
        ("url: https://h.test/x, every: 301s", "SW3010 plan.yaml:6:54 with a beat every 5m1s nobody can"),
        ("url: http://hc.example.com/x", &*format!("SW3011 plan.yaml:6:29 {clear}")),
        ("url: \"http://${{ secrets.s }}/x\"", &*format!("SW3011 plan.yaml:6:29 {clear}")),
        ("url: http://10.0.0.1/x", &*format!("SW3011 plan.yaml:6:29 {clear}")),
        ("url: \"http://[2001:db8::1]/x\"", &*format!("SW3011 plan.yaml:6:29 {clear}")),
    ] {
        let found = of(wrong);
        assert!(found.starts_with(told) && found.lines().count() == 1, "{wrong}: {found}");
    }
    assert!(of("url: \"https://hc.example.com/${{ secrets.none }}\"").contains("SW1024"));
}

#[test]
fn a_token_is_a_secret() {
    let target = |token: &str| {
        of_steps("- { id: a, uses: look }\n")
            + "secrets: { t: { env: T } }\ntargets: { prom: { prometheus: { url: \"https://p\", token: \""
            + token
            + "\" } } }\n"
    };
    let told = |token: &str| problems(&target(token));
    assert!(told("s3cr3t").contains("SW1006 plan.yaml:6:59 a token is a secret"), "{}", told("s3cr3t"));
    assert!(told("${{ run.id }}").contains("SW1006"), "{}", told("${{ run.id }}"));
    assert!(told("${{ secrets.u }}").contains("SW1024"), "{}", told("${{ secrets.u }}"));
    assert!(!told("${{ secrets.t }}").contains("SW10"), "{}", told("${{ secrets.t }}"));
}

#[test]
fn a_resolver_is_asked_over_https_alone() {
    let told = |resolvers: &str| {
        problems(&format!(
            "switchover: v1\nname: test\ntargets:\n  prod: {{ aws: {{ account: \"123456789012\", region: eu-west-1 }} }}\n  \
             zone: {{ route53: {{ zone_id: Z1, name: a.example, aws: prod, resolvers: {resolvers} }} }}\nsteps:\n\
             - {{ id: l, uses: look }}\n"
        ))
    };
    let fine = told("[\"https://dns.example/dns-query\", \"https://192.0.2.53/dns-query\"]");
    assert!(!fine.contains("SW1006"), "{fine}");
    for wrong in [
        "http://dns.example/dns-query",
        "dns.example",
        "192.0.2.53",
        "tls://dns.example",
        "https://me:word@dns.example/dns-query",
        "https://dns.example/dns-query#x",
    ] {
        let said = told(&format!("[\"https://dns.example/dns-query\", \"{wrong}\"]"));
        let line = format!("SW1006 plan.yaml:5:74 `{wrong}` is no such resolver");
        assert_eq!(said.matches("SW1006").count(), 1, "{said}");
        assert!(said.contains(&line), "{said}");
    }
}

#[test]
fn a_zone_on_a_primary_server() {
    insta::assert_snapshot!(problems(
        "switchover: v1
name: test
secrets: { tsig: { env: A } }
targets:
  fine: { rfc2136: { server: \"ns1:53\", name: a.example, key: { name: k, secret: \"${{ secrets.tsig }}\" } } }
  plain: { rfc2136: { server: ns1, name: a.example, key: { name: k, secret: c2VjcmV0 } } }
  half: { rfc2136: { server: ns1, name: a.example, key: { name: k, secret: \"x${{ secrets.tsig }}\" } } }
  odd: { rfc2136: { server: \"ns1:dns\", name: a.example, name_servers: [ns1, \"ns 2\"], key: { algorithm: hmac-md5 } } }
steps:
- { id: l, uses: look }
"
    ), @r#"
SW1024 plan.yaml:6:77 the secret of a key is named here and never written: a plan is kept with each of its runs
SW1024 plan.yaml:7:76 the secret of a key is named here and never written: a plan is kept with each of its runs
SW1006 plan.yaml:8:29 `ns1:dns` is no server
SW1006 plan.yaml:8:71 `ns 2` is no server
SW1004 plan.yaml:8:91 `name` is missing
SW1004 plan.yaml:8:91 `secret` is missing
SW1007 plan.yaml:8:104 `hmac-md5` is not one of hmac-sha256, hmac-sha384, hmac-sha512
"#);
}
