//! A run whose plan this version cannot read: it is told of, its driver hears orders, and nothing is done of it here.

use crate::stage::{Said, tool};
use serde_json::Value as Json;
use std::process::Stdio;
use std::time::Duration;
use switchover::adapter::SystemClock;
use switchover::port::Clock;
use switchover::store::record::{
    ActorRecord, ChangeRecord, EventRecord, FaultKindRecord, FaultRecord, LandedRecord, ProposalRecord,
    StepRecord,
};
use switchover::store::{Entry, Lease, NewRun, Owner, RunId, Seq, Source, SqliteStore, Store};
use tempfile::TempDir;

const PLAN: &str = "switchover: v1\nname: later\nsteps:\n  - { id: flip, uses: dns.flip, with: { record: app } }\n  - { id: rest, uses: wait, with: { for: 1s } }\n";

struct Begun {
    state: TempDir,
    store: SqliteStore,
    run: RunId,
    lease: Lease,
}

impl Begun {
    /// A version to come switched something, and lost the answer.
    fn by_another_version() -> Self {
        let state = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(state.path()).unwrap();
        let now = SystemClock::wall().now();
        let new = NewRun {
            plan: "later".into(),
            sources: vec![Source { name: "/srv/later.yaml".into(), text: PLAN.into() }],
            params: serde_json::Map::new(),
            wiring: None,
            only_prepare: false,
            world_lock: false,
            created: now,
            by: "ana".into(),
            tool: "9.0.0+0badc0de".into(),
        };
        let run = store.create(new).unwrap().id;
        let lease = store.acquire(&run, &Owner::this_process(), Duration::from_secs(3600), now).unwrap();
        let begun = Self { state, store, run, lease };
        let change = ChangeRecord {
            what: "record app.example.com".into(),
            from: "CNAME old".into(),
            to: "CNAME new".into(),
        };
        let proposal = ProposalRecord {
            prior: "{}".into(),
            stages: 1,
            within_ms: 60_000,
            call_ms: None,
            must_finish: false,
            changes: vec![change],
        };
        let fault = FaultRecord {
            message: "5 of 5 requests failed".into(),
            kind: FaultKindRecord::Permanent,
            landed: LandedRecord::No,
        };
        let step = |fact| EventRecord::Step { step: "flip".into(), fact };
        begun.append(vec![
            EventRecord::RunStarted { by: ActorRecord { name: "ana".into(), automatic: false } },
            step(StepRecord::Started),
            step(StepRecord::Planned { proposal, until: now.0 + 60_000 }),
            step(StepRecord::Applying { stage: 1, by: now.0 + 60_000 }),
            EventRecord::GuardTripped { guard: "errors".into(), fault },
        ]);
        begun
    }

    fn append(&self, events: Vec<EventRecord>) {
        let there = self.store.read(&self.run, Seq(1)).unwrap().len() as u64;
        let at = SystemClock::wall().now();
        let entries: Vec<Entry> = events.into_iter().map(|body| Entry { at, body }).collect();
        self.store.append(&self.lease, Seq(there), &entries).unwrap();
    }

    fn say(&self, arguments: &[&str]) -> Said {
        tool().args(arguments).env("SWITCHOVER_STATE_DIR", self.state.path()).output().unwrap().into()
    }
}

#[test]
fn a_run_of_another_version_is_told_of_and_nothing_is_done_of_it() {
    let begun = Begun::by_another_version();
    begun.store.release(&begun.lease).unwrap();
    let unread = "this version cannot read the plan of run";
    for (verb, words) in [
        (
            "status",
            &[
                "later under way",
                "flip",
                "applying",
                "9.0.0+0badc0de began it",
                "was CNAME old before this run",
                "R-other-version",
            ][..],
        ),
        ("log", &["later started by ana", "CNAME old → CNAME new", "applying", "5 of 5 requests failed"]),
        ("report", &["# Run", "| flip |", "9.0.0+0badc0de", "applying"]),
        ("watch", &["applying"]),
    ] {
        let said = begun.say(&[verb]);
        assert_eq!(said.code, Some(if verb == "watch" { 13 } else { 0 }), "{verb}: {said:#?}");
        assert!(said.stderr.contains(unread) && said.stderr.contains("dns.flip"), "{verb}: {said:#?}");
        for word in words {
            assert!(said.stdout.contains(word), "{verb} says nothing of `{word}`: {}", said.stdout);
        }
        // What must not be typed here.
        assert!(!said.stdout.contains("retry"), "{verb}: {}", said.stdout);
    }
    let said = begun.say(&["status", "--output", "json"]);
    let told: Json = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(told["plan_unreadable"]["begun_by"], "9.0.0+0badc0de");
    assert_eq!(
        (told["steps"][0]["id"].as_str(), told["steps"][0]["state"].as_str()),
        (Some("flip"), Some("applying"))
    );
    // What this version is called is what its `--version` prints.
    let version = begun.say(&["--version"]).stdout;
    let this = format!(
        "switchover 9.0.0+0badc0de began it; this is {}",
        version.trim_end().strip_prefix("switchover ").unwrap()
    );
    let before = begun.store.read(&begun.run, Seq(1)).unwrap();
    for verb in [
        &["resume"][..],
        &["abort"],
        &["rollback"],
        &["pause"],
        &["retry", "flip"],
        &["trigger", "--reason", "alarm"],
    ] {
        let said = begun.say(verb);
        assert_eq!((said.code, said.stdout.as_str()), (Some(13), ""), "{verb:?}: {said:#?}");
        for words in [
            unread,
            "nothing was done",
            &this,
            "go on with switchover 9.0.0+0badc0de: `switchover resume",
            "R-other-version.md",
        ] {
            assert!(said.stderr.contains(words), "{verb:?} says nothing of `{words}`: {}", said.stderr);
        }
    }
    assert_eq!(begun.store.read(&begun.run, Seq(1)).unwrap(), before);
    assert_eq!(begun.store.orders_after(&begun.run, 0).unwrap(), []);
    let page = begun.say(&["explain", "R-other-version"]);
    assert!(
        page.code == Some(0) && page.stdout.contains("go on with the version that began it"),
        "{page:#?}"
    );
}

#[test]
fn whoever_drives_a_run_of_another_version_hears_an_abort() {
    let begun = Begun::by_another_version();
    let mut command = tool();
    command
        .args(["abort", "--reason", "errors", "--as", "bo"])
        .env("SWITCHOVER_STATE_DIR", begun.state.path());
    let abort = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let order = loop {
        if let Some(order) = begun.store.orders_after(&begun.run, 0).unwrap().pop() {
            break order;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let by = ActorRecord { name: order.by.name.to_string(), automatic: false };
    begun.append(vec![EventRecord::OrderTaken { id: order.id, by, order: order.order }]);
    let said: Said = abort.wait_with_output().unwrap().into();
    assert!(said.code == Some(0) && said.stdout.starts_with("taken by run "), "{said:#?}");
}
