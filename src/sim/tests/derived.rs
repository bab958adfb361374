//! Worlds made from plans: each step finds what it reads, each check is answered as it wishes, and what is saved reads back.

use super::super::derive::{Derived, derive};
use super::super::{Ports, World, WorldFile, asker_name, from_live};
use super::START;
use crate::action::{AnyAction, Record, Registry, Toward};
use crate::doc::{Inputs, Stored, read, render};
use crate::driver::Actions;
use crate::plan::{Kind, Plan, Scope, StepIx, Undo};
use crate::port::{ReadWorld, Reads, Request, Stop, WriteWorld, Writes};
use crate::run::{Fault, Look};
use crate::sandbox::shipped;
use crate::signal::SignalRegistry;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn plan(name: &str, text: &str) -> Plan {
    let reading =
        read(name, text.as_bytes(), &Stored::default(), &Inputs::default(), &Registry, &SignalRegistry);
    let shown = render(&reading.problems, &reading.sources, false, true);
    reading.plan.unwrap_or_else(|| panic!("{name}\n{shown}"))
}

fn shipped_plan(name: &str) -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans").join(name);
    plan(name, &std::fs::read_to_string(path).unwrap())
}

fn derived(plan: &Plan) -> Derived {
    derive(plan, &Actions::of(plan).unwrap().needs(), &BTreeMap::new())
}

fn ports(plan: &Plan, file: &WorldFile) -> Ports {
    Ports::new(World::new(file.clone(), "derived", START, 77).unwrap(), plan.targets.clone())
}

/// Saved and read back it is the same.
fn read_back(file: &WorldFile) {
    let text = file.write().unwrap();
    let again =
        WorldFile::read(&text, "saved.yaml", &|_| None).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(&again, file, "{text}");
}

fn is_command(plan: &Plan, ix: StepIx) -> bool {
    matches!(&plan[ix].kind, Kind::Act(Some(uses)) if &*uses.kind == "exec")
        || matches!(&plan[ix].undo, Undo::By(uses) if &*uses.kind == "exec")
}

/// What each step would do; steps of commands have no model here.
fn planned(plan: &Plan, ports: &Ports) -> Vec<(String, Result<u32, Fault>)> {
    let actions = Actions::of(plan).unwrap();
    let mut scope = Scope::default();
    scope.secrets.extend(plan.secrets.iter().map(|(name, _)| (name.to_string(), json!("secret"))));
    scope.run.insert("ending".into(), json!("completed"));
    let reads = Reads { world: ports.as_reads(), step: "s", scope: &scope, progress: &|_| {} };
    let steps = plan.places().filter(|ix| !is_command(plan, *ix));
    let steps = steps.filter_map(|ix| Some((ix, actions.get(ix)?)));
    let plan_one = |(ix, action): (StepIx, &Arc<dyn AnyAction>)| {
        let proposal = ports.virtual_clock().drive(action.plan(&reads, true)).expect("it ends");
        (plan[ix].id.to_string(), proposal.map(|proposal| proposal.stages))
    };
    steps.map(plan_one).collect()
}

#[test]
fn every_shipped_plan_has_a_world() {
    let names = [
        "aep-go-live.yaml",
        "blue-green.yaml",
        "weighted-records.yaml",
        "one-record.yaml",
        "exec-with-undo.yaml",
        "held-sides.yaml",
        "parallel-deploys.yaml",
    ];
    for name in names {
        let plan = shipped_plan(name);
        let derived = derived(&plan);
        assert_eq!(derived.opaque, [], "{name}");
        read_back(&derived.file);
        for (step, planned) in planned(&plan, &ports(&plan, &derived.file)) {
            planned
                .unwrap_or_else(|fault| panic!("{name}: {step}: {fault}\n{}", derived.file.write().unwrap()));
        }
    }
}

#[test]
fn the_go_live_as_it_is_derived() {
    let plan = shipped_plan("aep-go-live.yaml");
    let derived = derived(&plan);
    let file = &derived.file;
    let balancers: Vec<(&str, Option<&str>)> =
        file.load_balancers.iter().map(|(name, one)| (name.as_str(), one.dns_name.as_deref())).collect();
    assert_eq!(
        balancers,
        [
            ("aep-prod", Some("aep-prod-alb.eu-west-1.elb.amazonaws.com")),
            ("aep-staging", Some("staging-alb.eu-west-1.elb.amazonaws.com")),
        ]
    );
    let prod = &file.clusters["aep-prod"];
    assert_eq!(prod["aep-backend-prod"].load_balancer.as_deref(), Some("aep-prod"));
    assert_eq!(prod["aep-backend-prod"].paths, ["/api*", "/health*"]);
    assert!(prod["aep-frontend-prod"].paths.is_empty());
    let traffic = file.traffic.as_ref().unwrap();
    assert_eq!(
        (traffic.url.as_str(), &*traffic.paths),
        ("https://app.navralabs.com", &["/".to_owned(), "/api/scans".to_owned()][..])
    );
    let planned: Vec<u32> =
        planned(&plan, &ports(&plan, file)).into_iter().map(|(_, stages)| stages.unwrap()).collect();
    // The TTL, two deployments, the migration, the smoke test and the switch change something.
    assert_eq!(planned, [1, 1, 1, 1, 0, 1, 1, 0, 0, 0]);
    assert_eq!(derived.commands.len(), 1);
    assert_eq!(asker_name(&plan, derived.commands[0].0), "announce");
}

/// Does a step to its end; `None` if it does not come to one in a day.
async fn done(
    ports: &Ports,
    action: &dyn AnyAction,
    scope: &Scope,
    token: &str,
) -> Result<Option<Look>, Fault> {
    let (clock, stop) = (ports.clock(), Stop::default());
    let until = clock.now().after(Duration::from_secs(24 * 3600));
    let writes = Writes { world: ports, step: "s", scope, progress: &|_| {}, token, until, stop: &stop };
    let proposal = action.plan(&writes.reads(), true).await?;
    let mut note = None;
    for stage in 1..=proposal.stages {
        note = action.apply(&writes, stage, &proposal.prior).await?;
    }
    let since = clock.now();
    while clock.now() < until {
        let record = Record { prior: proposal.prior.clone(), note: note.clone(), since, token: token.into() };
        match action.look(&writes.reads(), Toward::Desired(proposal.stages), &record).await? {
            Look::Moving { note: new, again } => {
                note = new.or(note);
                clock.sleep_until(clock.now().after(again)).await;
            }
            arrived => return Ok(Some(arrived)),
        }
    }
    Ok(None)
}

#[test]
fn every_step_of_the_shipped_plans_arrives() {
    for name in ["aep-go-live.yaml", "one-record.yaml", "parallel-deploys.yaml"] {
        let plan = shipped_plan(name);
        let ports = ports(&plan, &derived(&plan).file);
        let actions = Actions::of(&plan).unwrap();
        let mut scope = Scope::default();
        scope.secrets.insert("smoke_token".into(), json!("secret"));
        for ix in plan.places().filter(|ix| !is_command(&plan, *ix)) {
            let Some(action) = actions.get(ix) else { continue };
            let id = &plan[ix].id;
            let looked =
                ports.virtual_clock().drive(done(&ports, &**action, &scope, &id.0)).expect("it ends");
            let looked = looked.unwrap_or_else(|fault| panic!("{name}: {id}: {fault}"));
            assert!(matches!(looked, Some(Look::Desired { .. })), "{name}: {id}: {looked:?}");
        }
    }
}

#[test]
fn one_image_behind_two_load_balancers_answers_for_both() {
    let digest = "a".repeat(64);
    let mut text = String::from(
        "switchover: v1\nname: two\ntargets:\n  prod: { aws: { account: \"000000000012\", region: us-east-1 } }\nsteps:\n",
    );
    for side in ["blue", "green"] {
        writeln!(
            text,
            "  - {{ id: {side}, uses: ecs.deploy, with: {{ target: prod, cluster: {side}, service: web-{side}, images: {{ web: \
             \"web@sha256:{digest}\" }} }} }}\n  - {{ id: {side}-up, uses: http.check, with: {{ url: \"https://web-{side}/{side}\", expect: \
             \"json.side == '{side}'\" }} }}"
        )
        .unwrap();
    }
    let plan = plan("two.yaml", &text);
    let ports = ports(&plan, &derived(&plan).file);
    let actions = Actions::of(&plan).unwrap();
    for ix in plan.places() {
        let (action, id) = (actions.get(ix).unwrap(), &plan[ix].id);
        let scope = Scope::default();
        let looked = ports.virtual_clock().drive(done(&ports, &**action, &scope, &id.0)).expect("it ends");
        assert!(matches!(looked.unwrap(), Some(Look::Desired { .. })), "{id}");
    }
}

/// Steps of five kinds, so many in all.
fn long_plan(steps: usize) -> String {
    let mut text = String::from(
        "switchover: v1\nname: long\ntargets:\n  prod: { aws: { account: \"000000000012\", region: us-east-1 } }\n  \
         zone: { route53: { zone_id: Z1, name: example.com, aws: prod } }\nsteps:\n",
    );
    let digest = "0".repeat(62);
    for place in 0..steps {
        let n = place / 5;
        let step = match place % 5 {
            0 => "uses: wait, with: { for: 1m }".to_owned(),
            1 => format!(
                "uses: ecs.deploy, with: {{ target: prod, cluster: main, service: web-{n}, images: {{ web: \
                 \"example/web@sha256:{digest}{:02}\" }}, healthy: {{ targets: 3 }} }}",
                n % 100
            ),
            2 => format!(
                "uses: http.check, with: {{ url: \"https://web-{n}.example.com/status\", connect_to: \
                 new-{n}-1234567890.us-east-1.elb.amazonaws.com, expect: 'status == 200 && json.ready && size(json.parts) >= {n}' }}"
            ),
            3 => format!(
                "uses: dns.switch, with: {{ target: zone, record: web-{n}, to: {{ load_balancer: new-{n}, in: prod }}, writes: shared }}"
            ),
            _ => format!(
                "uses: exec, with: {{ run: [\"true\", \"{n}\"], check: [\"false\"], undo: [\"true\"] }}"
            ),
        };
        writeln!(text, "  - {{ id: s{place}, {step} }}").unwrap();
    }
    text
}

#[test]
fn long_plans_have_a_world() {
    for steps in [10, 50, 200] {
        let plan = plan("long.yaml", &long_plan(steps));
        let derived = derived(&plan);
        assert_eq!(derived.opaque, []);
        assert_eq!(derived.commands.len(), steps / 5);
        read_back(&derived.file);
        for (step, planned) in planned(&plan, &ports(&plan, &derived.file)) {
            planned.unwrap_or_else(|fault| panic!("{step}: {fault}"));
        }
    }
}

#[test]
fn other_shapes_of_records() {
    let cases = [
        ("app", "from: { a: [192.0.2.1] }, to: { a: [192.0.2.2], ttl: 60s }"),
        ("app", "from: { alias: old-1.eu-west-1.elb.amazonaws.com }, to: { cname: new.elsewhere.net }"),
        ("app", "from: { cname: old.example.com }, to: { cname: new.example.com }"),
        ("app", "from: absent, to: { cname: new.example.com }"),
        ("app", "from: { load_balancer: old, in: prod }, to: { load_balancer: new, in: prod }"),
        ("'@'", "from: { load_balancer: old, in: prod }, to: { load_balancer: new, in: prod }"),
        ("'@'", "to: { load_balancer: new, in: prod, types: [A, AAAA] }"),
        ("app", "to: { alias: new.example.com, zone_id: Z1, types: [A, AAAA] }"),
    ];
    for (record, with) in cases {
        let text = format!(
            "switchover: v1\nname: one\ntargets:\n  prod: {{ aws: {{ account: \"000000000012\", region: us-east-1 }} }}\n  \
             zone: {{ route53: {{ zone_id: Z1, name: example.com, aws: prod }} }}\nsteps:\n  - id: switch\n    uses: dns.switch\n    \
             with: {{ target: zone, record: {record}, {with}, writes: shared }}\n  - id: look\n    uses: http.check\n    with: {{ url: \
             'https://{}/x', expect: 'status == 200 && json.a == 1' }}\n",
            if record == "app" { "app.example.com" } else { "example.com" }
        );
        let plan = plan("one.yaml", &text);
        let derived = derived(&plan);
        let saved = derived.file.write().unwrap();
        assert_eq!(derived.opaque, [], "{with}\n{saved}");
        read_back(&derived.file);
        let ports = ports(&plan, &derived.file);
        for (step, planned) in planned(&plan, &ports) {
            planned.unwrap_or_else(|fault| panic!("{with}: {step}: {fault}\n{saved}"));
        }
        // Switched, it still leads to somebody who answers.
        let actions = Actions::of(&plan).unwrap();
        let scope = Scope::default();
        let stop = Stop::default();
        let until = START.after(Duration::from_secs(600));
        let writes = Writes {
            world: &ports,
            step: "s",
            scope: &scope,
            progress: &|_| {},
            token: "t",
            until,
            stop: &stop,
        };
        let get = || Request {
            method: "GET".into(),
            url: format!("https://{}/x", if record == "app" { "app.example.com" } else { "example.com" }),
            headers: Vec::new(),
            body: None,
            connect_to: None,
            timeout: Duration::from_secs(10),
        };
        let answered = ports.virtual_clock().drive(async {
            let before = ports.http().get(get()).await.map(|answer| answer.status);
            let switch = actions.get(plan.find("switch").unwrap()).unwrap();
            let proposal = switch.plan(&writes.reads(), true).await?;
            assert_eq!(proposal.stages, 1);
            switch.apply(&writes, 1, &proposal.prior).await?;
            ports.clock().sleep_until(START.after(Duration::from_secs(60))).await;
            Ok::<_, Fault>((before, ports.http().get(get()).await?.status))
        });
        let (before, after) =
            answered.expect("it ends").unwrap_or_else(|fault| panic!("{with}: {fault}\n{saved}"));
        assert_eq!((before.ok(), after), ((!with.contains("absent")).then_some(200), 200), "{with}\n{saved}");
    }
}

#[test]
fn what_cannot_be_told_is_said() {
    let text = "switchover: v1\nname: odd\ntargets:\n  prod: { aws: { account: \"000000000012\", region: us-east-1 } }\n  \
                other: { aws: { account: \"000000000013\", region: us-east-1 } }\nsteps:\n  - id: image\n    uses: exec\n    with: { run: \
                [build], reads: true }\n  - id: deploy\n    uses: ecs.deploy\n    with: { target: prod, cluster: main, service: web, \
                images: { web: '${{ steps.image.out.stdout }}' } }\n  - id: far\n    uses: drain\n    with: { load_balancer: x, in: other \
                }\n  - id: port\n    uses: http.check\n    with: { url: 'http://web.example.com:8080/', expect: status == 200 }\n  - id: \
                never\n    uses: http.check\n    with: { url: 'http://web.example.com/', expect: json.a == 1 && json.a == 2 }\n";
    let plan = plan("odd.yaml", text);
    let derived = derived(&plan);
    let told: Vec<String> =
        derived.opaque.iter().map(|(asker, why)| format!("{}: {why}", asker_name(&plan, *asker))).collect();
    assert_eq!(
        told,
        [
            "far: account 000000000013 is not modelled: a derived world is one account, 000000000012",
            "port: the answer to GET http://web.example.com:8080/ is not modelled: nobody listens at port 8080",
            "never: the answer to GET / is not modelled: nothing was found that it is content with",
            "deploy: which image web of web gets is known only in the run",
        ]
    );
    World::new(derived.file, "odd", START, 77).unwrap();
}

#[test]
fn what_is_really_there_takes_the_place_of_what_would_be_made_up() {
    let plan = shipped_plan("aep-go-live.yaml");
    let text = shipped("aep").unwrap();
    let real = WorldFile::read(text, "aep.yaml", &|_| None).unwrap();
    let real = ports(&plan, &real);
    let needs = Actions::of(&plan).unwrap().needs();
    let params = BTreeMap::new();
    let reading = from_live(&plan, &needs, &params, real.as_reads());
    let found = real.virtual_clock().drive(reading).expect("it ends").unwrap();
    assert_eq!((&found.notes[..], &found.opaque[..]), (&[][..], &[][..]));
    let saved = found.file.write().unwrap();
    read_back(&found.file);
    let ports = ports(&plan, &found.file);
    let state = |ports: &Ports| ports.look(|world, _| world.state());
    let (was, is) = (state(&real), state(&ports));
    for service in ["aep-prod/aep-backend-prod", "aep-prod/aep-frontend-prod"] {
        assert_eq!(is["services"][service], was["services"][service], "{service}\n{saved}");
    }
    assert_eq!(is["load_balancers"], was["load_balancers"]);
    assert_eq!(is["zones"]["navralabs.com"][0], was["zones"]["navralabs.com"][1]);
    assert!(is["task_definitions"].to_string().contains("aep-migrate:12"), "{}", is["task_definitions"]);
    for (step, planned) in planned(&plan, &ports) {
        planned.unwrap_or_else(|fault| panic!("{step}: {fault}\n{saved}"));
    }
}

#[test]
fn stated_answers_fit_their_paths() {
    let answer = |path: &str| super::super::StatedAnswer {
        method: "GET".into(),
        path: path.into(),
        status: 200,
        body: String::new(),
    };
    let fits = |pattern: &str, path: &str| answer(pattern).fits("GET", path);
    assert!(fits("/a", "/a") && !fits("/a", "/a/b") && !answer("/a").fits("POST", "/a"));
    assert!(fits("/a/*", "/a/b") && fits("/a/*/c", "/a/b/c") && !fits("/a/*/c", "/a/b/d") && fits("*", "/x"));
    assert!(fits("/*/b/*", "/a/b/c") && !fits("/*/b/*", "/a/c"));
}
