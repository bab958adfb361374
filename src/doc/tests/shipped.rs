//! The plans that are shipped, read with the kinds of steps and signals that there really are.

use crate::action::Registry;
use crate::doc::{Inputs, Reading, Stored, read, render};
use crate::signal::SignalRegistry;
use std::path::Path;

fn shipped(name: &str) -> Reading {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans").join(name);
    let text = std::fs::read(path).unwrap();
    read(name, &text, &Stored::default(), &Inputs::default(), &Registry, &SignalRegistry)
}

#[test]
fn every_shipped_plan_is_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
    let mut plans = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let reading = shipped(name);
        let shown = render(&reading.problems, &reading.sources, false, true);
        assert!(reading.problems.is_empty(), "{name}\n{shown}");
        assert_eq!(&*reading.plan.unwrap().name, name.trim_end_matches(".yaml"));
        plans += 1;
    }
    assert!(plans >= 4);
}

#[test]
fn the_go_live_in_order() {
    let plan = shipped("aep-go-live.yaml").plan.unwrap();
    let ids: Vec<String> = plan.steps.iter().map(|step| step.id.to_string()).collect();
    let expected = [
        "lower-ttl",
        "backend",
        "frontend",
        "deploy",
        "migrate",
        "health",
        "smoke",
        "go",
        "switch",
        "soak",
        "old-side-idle",
        "old-side-released",
        "served",
        "announce",
    ];
    assert_eq!(ids, expected);
}
