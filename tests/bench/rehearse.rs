//! How many scenarios a rehearsal plays in a second on one core, and how its time grows with the plan.
//!
//! `cargo bench --bench rehearse -- plans/aep-go-live.yaml aep` rehearses one plan in one world.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and ends where anything is wrong")]
#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::sync::Arc;
use std::time::Instant;
use switchover::action::Registry;
use switchover::doc::{Inputs, Stored, read};
use switchover::driver::Actions;
use switchover::plan::Timestamp;
use switchover::rehearse::{Options, Setting, rehearse, repeat};
use switchover::sandbox::shipped;
use switchover::signal::SignalRegistry;
use switchover::sim::{World, WorldFile};

/// 2026-01-06T10:00:00Z.
const START: Timestamp = Timestamp(1_767_693_600_000);

fn setting(plan: &str, world: &str) -> Arc<Setting> {
    let text = shipped(world).unwrap();
    let file = WorldFile::read(text, world, &|base| shipped(base).map(ToOwned::to_owned)).unwrap();
    let inputs = Inputs { given: file.params.clone(), ..Inputs::default() };
    let text = std::fs::read(plan).unwrap();
    let reading = read(plan, &text, &Stored::default(), &inputs, &Registry, &SignalRegistry);
    let plan = Arc::new(reading.plan.unwrap());
    let actions = Arc::new(Actions::of(&plan).unwrap());
    let world = World::new(file, world, START, 77).unwrap();
    Arc::new(Setting::new(plan, actions, world).unwrap())
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let [plan, world, rest @ ..] = &arguments[..] else { return };
    let setting = setting(plan, world);
    if let Some(name) = rest.iter().find(|word| word.contains('/') || word.contains(':') || *word == "undisturbed") {
        match repeat(&setting, name) {
            Ok(story) => {
                for fact in &story.facts {
                    println!("{:>4} {} {:?}", fact.seq.0, fact.at, fact.event);
                }
                println!("struck after {}; {:?}; {:#?}", story.struck_after, story.outcome, story.breaches);
            }
            Err(error) => println!("{error}: {:?}", error.near),
        }
        return;
    }
    let shown = std::env::var("SHOW").is_ok();
    let threads = rest.first().and_then(|word| word.parse().ok()).unwrap_or(1);
    let fault = rest.get(1).map(|word| (word.clone(), None));
    let limit: u64 = rest.get(2).and_then(|word| word.parse().ok()).unwrap_or(3600);
    let begun = Instant::now();
    let options = Options { pairs: 0, seed: 1, threads, fault, stop: &|| begun.elapsed().as_secs() > limit };
    let result = rehearse(&setting, &options);
    let took = begun.elapsed();
    for finding in result.findings.iter().take(60) {
        println!("{:?} x{} {} | {} | {} | {}", finding.law, finding.times, finding.step, finding.fault, finding.text, finding.name);
    }
    for (class, row) in &result.rows {
        println!("{class:?}: {} merged {} {:?} asked {} stuck {}", row.scenarios, row.merged, row.outcomes, row.asked, row.stuck);
    }
    println!(
        "{} scenarios, {} merged, {} findings, {} alike, {:.2} s, {:.0}/s a core",
        result.scenarios(),
        result.merged(),
        result.findings.len(),
        result.alike,
        took.as_secs_f64(),
        result.scenarios() as f64 / took.as_secs_f64() / threads as f64
    );
}
