//! One scenario, from its first fact on, as its operator would have seen it: found by its name.

use super::explore::{Ground, strike, variants};
use super::laws::{Breach, May};
use super::operator::No;
use super::scene::{Death, Scene};
use super::setting::Setting;
use super::trial::{Futures, Outcome, Plays};
use super::way::Way;
use crate::store::Recorded;
use std::sync::Arc;

/// A scenario, told.
pub struct Story {
    /// All of its facts.
    pub facts: Vec<Recorded>,
    /// The newest fact before the fault struck.
    pub struck_after: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// What it broke.
    pub breaches: Vec<Breach>,
}

/// There is no such scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no scenario `{name}`")]
pub struct NoSuchScenario {
    /// What was asked for.
    pub name: String,
    /// Some that there are at this point.
    pub near: Vec<String>,
}

/// Plays one scenario by its name.
///
/// # Errors
/// The plan, in this world, has no scenario of this name.
pub fn repeat(setting: &Arc<Setting>, name: &str) -> Result<Story, NoSuchScenario> {
    let ground = Ground::of(setting);
    let none = |near| NoSuchScenario { name: name.to_owned(), near };
    if let Some(rest) = name.strip_prefix("pair:") {
        let numbers =
            rest.split_once(':').and_then(|(seed, number)| Some((seed.parse().ok()?, number.parse().ok()?)));
        let (seed, number) = numbers.ok_or_else(|| none(vec!["pair:SEED:NUMBER".into()]))?;
        let (scene, variant) = super::pairs::begin(&ground, seed, number).ok_or_else(|| none(Vec::new()))?;
        return Ok(tell(&ground, scene, variant.may, 0, &[]));
    }
    if name == "undisturbed" {
        return Ok(tell(&ground, Scene::start(setting), May::NOTHING, 0, &[]));
    }
    let (point, more) = name.split_once('+').unwrap_or((name, ""));
    let seq: Option<u64> = point.rsplit_once('@').and_then(|(_, at)| at.split('#').next()?.parse().ok());
    let mut near = Vec::new();
    for course in &ground.courses {
        let legs = course.legs.iter().filter(|leg| seq.is_none_or(|seq| leg.seq == seq));
        for leg in legs {
            for variant in variants(course, leg) {
                if variant.name == point || seq.is_none() && variant.name.starts_with(&format!("{point}@")) {
                    let mut scene = leg.begin().ok_or_else(|| none(Vec::new()))?;
                    strike(&mut scene, leg, &variant.blow, variant.may);
                    let more: Vec<&str> = more.split('+').filter(|part| !part.is_empty()).collect();
                    let may = more.iter().fold(variant.may, |may, part| match said(part) {
                        Some(_) => may.and_no(),
                        None => may.and_death(),
                    });
                    return Ok(tell(&ground, scene, may, leg.seq, &more));
                }
                let like = point.split('@').next().unwrap_or(point);
                if near.len() < 5 && variant.name.contains(like.rsplit('/').next().unwrap_or(like)) {
                    near.push(variant.name);
                }
            }
        }
    }
    Err(none(near))
}

/// Plays to the end, dying, or saying no, where the name says so.
fn tell(ground: &Ground, mut scene: Scene, may: May, struck_after: u64, more: &[&str]) -> Story {
    let nothing = Futures::default();
    for part in more {
        match said(part) {
            Some(no) => scene.operator.no = Some(no),
            None => scene = killed(scene, part),
        }
    }
    let mut learned = Futures::default();
    let mut plays = Plays { ends: &ground.ends, known: &nothing, learned: &mut learned, may };
    let (tale, scene) = plays.tell(scene);
    let facts = scene.journal.facts().into_iter().cloned().collect();
    Story { facts, struck_after, outcome: tale.outcome, breaches: tale.breaches }
}

/// What somebody says to a rollback: `no-pause`.
fn said(part: &str) -> Option<No> {
    No::ALL.into_iter().find(|no| no.name() == part)
}

/// Plays until the process dies as this says: `killed-before-41-aborted`.
fn killed(scene: Scene, death: &str) -> Scene {
    let mut parts = death.trim_start_matches("killed-").splitn(3, '-');
    let before = parts.next() == Some("before");
    let seq: u64 = parts.next().and_then(|seq| seq.parse().ok()).unwrap_or(u64::MAX);
    let how = match parts.next() {
        Some("aborted") => Death::Aborted,
        Some("suspended") => Death::Suspended,
        _ => Death::Resumed,
    };
    let mut way = Way::new(scene, u64::MAX);
    let here = way.by_ref().flatten().find(|brink| (brink.recorded, brink.seq) == (!before, seq));
    here.and_then(|brink| brink.killed(how)).map_or(way.scene, |(_, scene)| scene)
}
