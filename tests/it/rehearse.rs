//! The shipped plans, rehearsed: they end as their worlds say, end well whatever goes wrong, and tell the same each time.

use crate::stage::{Said, tool};
use serde_json::Value as Json;
use switchover::sandbox::shipped;
use switchover::sim::WorldFile;

/// What the tool says of a plan, in the world that belongs to it unless the arguments name another.
fn rehearse(plan: &str, arguments: &[&str]) -> Said {
    let state = tempfile::tempdir().unwrap();
    let mut command = tool();
    command.arg("rehearse").arg(format!("plans/{plan}.yaml")).args(arguments);
    command.env("SWITCHOVER_STATE_DIR", state.path()).output().unwrap().into()
}

/// How a run in this world must end.
fn verdict(world: &str) -> String {
    let find = |base: &str| shipped(base).map(str::to_owned);
    let file = WorldFile::read(shipped(world).unwrap(), world, &find).unwrap();
    file.verdict.unwrap()
}

/// `go_live` runs the same plan in the same worlds in real time, and asserts the same verdicts.
#[test]
fn undisturbed_each_world_ends_as_it_says() {
    for world in ["aep", "bad-image", "errors-after-switch", "slow-health", "dns-slow"] {
        let said = rehearse(
            "aep-go-live",
            &["--world", &format!("plans/worlds/{world}.yaml"), "--only", "undisturbed", "--output", "json"],
        );
        let last: Json = serde_json::from_str(said.stdout.lines().last().unwrap()).unwrap();
        assert_eq!(last["outcome"], verdict(world), "{world}: {said:#?}");
    }
}

/// Every single fault at every point, and every death of the process: the pairs are for whoever has the time.
#[test]
fn shipped_plans_have_no_findings() {
    for plan in [
        "exec-with-undo",
        "parallel-deploys",
        "one-record",
        "held-sides",
        "own-name-servers",
        "blue-green",
        "aep-go-live",
    ] {
        let said = rehearse(plan, &["--budget", "0"]);
        assert_eq!(said.code, Some(0), "{plan}: {said:#?}");
        assert!(said.stdout.starts_with("no findings in "), "{plan}: {said:#?}");
    }
}

/// Byte for byte, apart from when it was played and how long that took.
#[test]
fn the_same_seed_tells_the_same_on_any_number_of_threads() {
    let told = |seed: &str, threads: &str| {
        let said = rehearse(
            "exec-with-undo",
            &["--seed", seed, "--threads", threads, "--budget", "200", "--output", "json"],
        );
        assert_eq!(said.code, Some(0), "{said:#?}");
        let of_this_time =
            |line: &&str| line.starts_with("  \"at\": ") || line.starts_with("  \"took_seconds\": ");
        let (left_out, told): (Vec<&str>, Vec<&str>) = said.stdout.lines().partition(of_this_time);
        assert_eq!(left_out.len(), 2, "{said:#?}");
        told.join("\n")
    };
    let first = told("7", "1");
    assert_eq!(first, told("7", "1"));
    assert_eq!(first, told("7", "2"));
    assert_ne!(first, told("8", "2"), "another seed is told, at least");
}
