//! What users of other tools complain about, each as a scenario: what happened to them happens here, and ends well. In the
//! doc comments are the threads, by repository and number.

use super::setting;
use crate::plan::Timestamp;
use crate::rehearse::scene::{Next, Scene};
use crate::rehearse::{Outcome, Story, repeat};
use crate::run::Phase;
use crate::sim::{ResolverKind, World};
use std::time::Duration;

/// A plan and its world.
#[derive(Clone, Copy)]
struct Staged(&'static str, &'static str);

const GO_LIVE: Staged = Staged("plans/aep-go-live.yaml", "aep.yaml");
const DEPLOYS: Staged = Staged("plans/parallel-deploys.yaml", "one-record.yaml");
const COMMANDS: Staged = Staged("plans/exec-with-undo.yaml", "one-record.yaml");
const ONE_FAMILY: Staged = Staged("tests/data/rehearse/one-family.yaml", "one-family.world.yaml");
const SHIFT: Staged = Staged("tests/data/rehearse/shift.yaml", "blue-green.yaml");
const WATCHED: Staged = Staged("tests/data/rehearse/watched.yaml", "one-record.yaml");
const FLAGGED: Staged = Staged("tests/data/rehearse/flagged.yaml", "one-record.yaml");

/// The load balancer that users of the go-live are led to at first.
const OLD_SIDE: &str = "aep-staging";

/// It breaks no law, and comes to this; what is told after the fault struck, a line each.
#[track_caller]
fn comes_to(outcome: Outcome, Staged(plan, world): Staged, scenario: &str) -> Vec<String> {
    let told = repeat(&setting(plan, Some(world)), scenario);
    let Story { facts, struck_after, outcome: is, breaches } = told.unwrap_or_else(|none| panic!("{none:?}"));
    let later = facts.iter().filter(|fact| fact.seq.0 > struck_after);
    let lines: Vec<String> = later.map(|fact| format!("{:?}", fact.event)).collect();
    assert_eq!((is, &breaches[..]), (outcome, &[][..]), "{lines:#?}");
    lines
}

/// These are said, in this order.
#[track_caller]
fn say(lines: &[String], words: &[&str]) {
    let mut rest = lines.iter();
    for word in words {
        assert!(rest.any(|line| line.contains(word)), "`{word}` is not said, or too early: {lines:#?}");
    }
}

/// aws-actions/amazon-ecs-deploy-task-definition#191, #494: the circuit breaker rolled back, and the deploy "succeeded".
#[test]
fn a_deployment_that_was_rolled_back_by_ecs_has_failed() {
    let given_up = "failed, and ECS rolled it back (ECS deployment circuit breaker";
    for (fault, why) in [("crashes", given_up), ("image-missing", "tasks failed to start")] {
        let lines = comes_to(Outcome::RolledBack, DEPLOYS, &format!("deploy[frontend]/deploy.{fault}"));
        say(&lines, &[why, "Restored", "RolledBack"]);
    }
}

/// argo-rollouts#2088: several services could not be promoted together. Those that are deployed at once come back at once,
/// also the ones that were well.
#[test]
fn services_that_go_together_come_back_together() {
    let lines = comes_to(Outcome::RolledBack, DEPLOYS, "deploy[frontend]/deploy.crashes");
    let count = |word: &str| lines.iter().filter(|line| line.contains(word)).count();
    assert_eq!((count("Undoing"), count("Restored")), (2, 2), "{lines:#?}");
}

/// terraform-provider-aws#20858, #19519, fabfuel/ecs-deploy#185: steady, but of another version than was asked for.
#[test]
fn the_steady_state_of_another_version_is_no_success() {
    let lines = comes_to(Outcome::RolledBack, GO_LIVE, "backend/ecs.register.wrong");
    say(&lines, &["runs backend from sha256:", "Restored", "RolledBack"]);
}

/// airflow#52943: a task that never started was marked as a success. ecspresso#534: exit code 0, though the image could not be
/// pulled.
#[test]
fn a_task_whose_container_never_started_has_failed_and_it_is_told_why() {
    let lines = comes_to(Outcome::RolledBack, GO_LIVE, "migrate/task.exit-code-absent");
    let why = "migrate never ran (TaskFailedToStart: CannotPullContainerError: pull image manifest";
    say(&lines, &[why, "RolledBack"]);
}

/// argo-rollouts#4479, #1411: all measurements were errors, and the run was successful. kayenta#700, #377, flagger#1035
/// against #1011: no data passed.
#[test]
fn a_soak_without_evidence_asks() {
    let lines = comes_to(Outcome::Completed, WATCHED, "soak/metrics.read.no-evidence");
    say(&lines, &["no evidence in time", "Paused", "no evidence in time", "Paused"]);
}

/// flagger#1035 against #1011: a later silence advanced. Here nobody looked, because the machine was asleep.
#[test]
fn a_soak_that_nobody_watched_begins_anew() {
    let begins = repeat(&setting(WATCHED.0, Some(WATCHED.1)), "soak/process.sleeps").unwrap();
    // After the first look.
    let scenario = format!("soak/process.sleeps@{}", begins.struck_after + 2);
    let lines = comes_to(Outcome::Completed, WATCHED, &scenario);
    say(&lines, &["said nothing for 10m: what is watched begins anew", "Completed"]);
}

/// flagger#1810: the value that failed is shown.
#[test]
fn the_value_that_failed_is_told() {
    let lines = comes_to(Outcome::RolledBack, GO_LIVE, "soak/world.new-side-fails");
    say(
        &lines,
        &["requests failed, the last with status 500; certainty 1.0000: certainty > 0.999", "RolledBack"],
    );
}

/// ecs-deploy#8: the revision before was the last bad build. ecspresso#673: the one in use was deregistered.
#[test]
fn what_ran_before_comes_back_and_not_the_revision_before() {
    comes_to(Outcome::RolledBack, ONE_FAMILY, "worker/people.abort");
}

/// aws-cdk#24372, containers-roadmap#1078: what was to be gone back to was no longer there.
#[test]
fn a_deployment_that_could_not_be_taken_back_is_not_begun() {
    let scenario = "run/world.definition-gone[aep-prod/aep-backend-prod]";
    let lines = comes_to(Outcome::RolledBack, GO_LIVE, scenario);
    say(&lines, &["aep-backend:41 is INACTIVE", "RolledBack"]);
    assert!(!lines.iter().any(|line| line.contains("UpdateService")), "{lines:#?}");
}

/// argo-rollouts#3333: completed, while all requests still went to the old target group.
#[test]
fn a_shift_is_believed_when_it_was_read_back() {
    let lines = comes_to(Outcome::TakenOver, SHIFT, "shift/alb.modify.wrong");
    say(&lines, &["which is neither what this step left there nor", "Paused"]);
}

/// chaostoolkit-lib#94, chaostoolkit#195, #258: the rollback failed, or was not carried out, and the run was "successful".
#[test]
fn a_rollback_that_fails_is_told_as_stuck() {
    let lines = comes_to(Outcome::RolledBack, COMMANDS, "back:page-on/command.undo.fails");
    say(&lines, &["`undo` exited with 1", "GotStuck", "RolledBack"]);
}

/// argo-rollouts#1292, #4128, #2048, #2929: an abort took the stable version away, or did nothing. temporalio/sdk-java#305:
/// what was cancelled was not compensated.
#[test]
fn an_abort_in_the_midst_of_a_deployment_brings_all_of_it_back() {
    let lines = comes_to(Outcome::RolledBack, GO_LIVE, "frontend/people.abort");
    say(&lines, &["enough", "RolledBack"]);
}

/// flagger#1588, #1801, #1248: no rollback while it waited for an approval.
#[test]
fn an_abort_is_taken_while_an_approval_is_awaited() {
    let lines = comes_to(Outcome::RolledBack, GO_LIVE, "go/people.abort");
    say(&lines, &["enough", "RolledBack"]);
}

/// spinnaker#5716: it was stuck at the question, whatever somebody answered. No pauses, and whoever asks again is heard.
#[test]
fn an_approval_goes_on_whatever_is_answered() {
    let lines = comes_to(Outcome::Completed, GO_LIVE, "smoke/people.reject");
    say(&lines, &["not today", "Rejected", "Approve", "Completed"]);
}

/// kargo#1422: "stop the line".
#[test]
fn the_line_can_be_stopped() {
    let lines = comes_to(Outcome::RolledBack, FLAGGED, "switch/people.kill-switch[STOP]");
    say(&lines, &["STOP", "RolledBack"]);
}

/// argo-rollouts#1422, flagger#1186: what a migration did is taken back by its own rule, or not at all.
#[test]
fn a_migration_that_old_code_can_live_with_is_left() {
    let lines = comes_to(Outcome::RolledBack, GO_LIVE, "soak/people.abort");
    say(&lines, &["enough", "Left", "RolledBack"]);
}

/// argo-rollouts#2168, flagger#1800: users first. Their way back begins at once, and all else waits for it.
#[test]
fn what_users_reach_comes_back_first() {
    let lines = comes_to(Outcome::RolledBack, GO_LIVE, "soak/people.abort");
    let first = lines.iter().find(|line| line.contains("Undoing")).unwrap();
    let lines_of_it: Vec<&String> = lines.iter().take_while(|line| !line.contains("Restored")).collect();
    assert_eq!(lines_of_it.iter().filter(|line| line.contains("Undoing")).collect::<Vec<_>>(), [&first]);
}

/// airflow#16150, #72421: trying again made it twice.
#[test]
fn a_task_whose_answer_was_lost_is_found_and_not_run_again() {
    for fault in ["lost-answer", "killed-after"] {
        comes_to(Outcome::Completed, GO_LIVE, &format!("migrate/ecs.run.{fault}"));
    }
}

/// external-dns#1293: throttled. terraform#1194: and a prior request was still being processed, which is told apart where answers
/// are read (`adapter/aws/tests/zone.rs`).
#[test]
fn a_throttled_change_of_dns_is_made_a_little_later() {
    let lines = comes_to(Outcome::Completed, GO_LIVE, "switch/dns.change.throttled");
    assert!(!lines.iter().any(|line| line.contains("Paused")), "nobody is asked: {lines:#?}");
}

/// terraform#12666: applied, and given up since it was not INSYNC in time.
#[test]
fn a_change_that_stays_pending_is_waited_for() {
    let lines = comes_to(Outcome::Completed, GO_LIVE, "switch/dns.pending");
    assert!(!lines.iter().any(|line| line.contains("Paused")), "nobody is asked: {lines:#?}");
}

/// HikariCP#314: a JVM keeps an answer far beyond its TTL. Where the old side would go, it is measured who still comes.
#[test]
fn the_old_side_waits_for_whoever_ignores_ttls() {
    let mut scene = Scene::start(&setting(GO_LIVE.0, Some(GO_LIVE.1)));
    play_until_done(&mut scene, "go");
    scene.world(|world, _| world.users_mut().unwrap().ignore_ttl(Duration::from_secs(1800)));
    play_until_done(&mut scene, "soak");
    // Only those who respected TTLs until then are still led there.
    let late = scene.world(|world, _| {
        let is_old = |(balancer, _): (&str, Timestamp)| balancer == OLD_SIDE;
        let late = world.users().unwrap().caches().filter(|cache| cache.leads.is_some_and(is_old));
        late.map(|cache| cache.resolver).collect::<Vec<_>>()
    });
    assert_eq!(late, [ResolverKind::Respects]);
    assert_ne!(still_to_come(&scene), 0, "nobody had to be waited for");
    play_until_done(&mut scene, "old-side-idle");
    assert_eq!(still_to_come(&scene), 0, "it was over before the last of them had come");
    play_until_done(&mut scene, "served");
    assert_eq!(scene.world(|world, _| world.users().unwrap().failures().to_vec()), []);
}

/// Plays on until this step is done.
#[track_caller]
fn play_until_done(scene: &mut Scene, step: &str) {
    let step = scene.run.plan.find(step).unwrap();
    while scene.run[step].phase != Phase::Done {
        let Next::Facts(events, run) = scene.next() else {
            panic!("{:?} is never done", scene.run[step].phase)
        };
        scene.record(events, *run);
    }
}

/// How many requests come to the old side within two hours if nobody does anything any more.
fn still_to_come(scene: &Scene) -> u64 {
    let (mut world, now) = scene.world(|world, now| (world.clone(), now));
    let asked = |world: &World| world.users().unwrap().by_balancer()[OLD_SIDE].asked;
    let before = asked(&world);
    world.advance(now.after(Duration::from_secs(7200)));
    asked(&world) - before
}

/// aws-cli#6581: another controller wrote over the record after it was INSYNC.
#[test]
fn a_record_that_somebody_else_changed_is_noticed_and_kept() {
    let reverted = comes_to(Outcome::Completed, GO_LIVE, "switch/dns.change.reverted");
    say(&reverted, &["somebody put it back", "Paused"]);
    let lines = comes_to(Outcome::TakenOver, GO_LIVE, "soak/world.foreign-record[app.navralabs.com]");
    say(&lines, &["app.navralabs.com is A 203.0.113.9", "Stuck"]);
}
