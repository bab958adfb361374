//! AWS as strangers understand it: the contract over moto and over ministack, through the adapters of the product and with
//! fake credentials. `tests/tools.sh` installs both; where they are not, that is said aloud and nothing is tested.
//!
//! What an emulator does otherwise than AWS stands in one table (`exceptions`). Whatever stands there must still fail, in
//! these words, and all else must hold: so neither a fault of ours nor a row that is over goes unseen. What they are not asked
//! to hold stands there, too.

mod build;
mod exceptions;
mod front;
mod publish;
mod server;
mod stage;

pub(super) use server::Emulator;
pub(super) use stage::{Part, Stage};

use super::{Behind, Place, nowhere, plan, targets};
use crate::adapter::{Budgets, World};
use crate::plan::Plan;
use exceptions::{EXCEPTIONS, Exception, NOT_ASKED};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;

/// Whether a contract holds over an emulator, or fails as its exception says.
pub(super) fn holds(
    emulator: Emulator,
    (text, parts): (&str, &[Part]),
    name: &str,
    contract: impl AsyncFnOnce(&Place),
) {
    let Some(server) = emulator.server(&format!("{name} over {emulator:?}")) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let stage = Stage::build(emulator, server, text, parts).await;
            contract(&place(stage).await).await;
        });
    }));
    let known = EXCEPTIONS
        .iter()
        .find(|known| known.emulators.contains(&emulator) && known.contracts.contains(&name));
    match (outcome, known) {
        (Ok(()), None) => {}
        (Err(panic), None) => resume_unwind(panic),
        (Ok(()), Some(_)) => panic!("{emulator:?} does as AWS does by now: its row is over"),
        (Err(panic), Some(known)) => {
            let said = words(&*panic);
            assert!(said.contains(known.words), "not in the words `{}`, but: {said}", known.words);
        }
    }
}

async fn place(stage: Stage) -> Place {
    let stage = Arc::new(stage);
    let wiring = Some(stage.wiring(front::stand(stage.clone()).await));
    let plan = Plan { targets: targets(stage.account(), stage.zone()), ..plan() };
    let world =
        Arc::new(World::connect(&plan, Path::new(""), wiring.clone(), nowhere(), &Budgets::default()));
    Place { world, behind: Behind::Emulator(stage), wiring }
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().cloned();
    said.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}

#[test]
fn each_exception_is_of_one_contract_and_says_why() {
    use super::{
        alarms, attributes, compute, dns, images, inventory, logs, metrics, parameters, permissions,
        refusals, rules, scaling, traffic, zones,
    };
    let all = [
        alarms::CONTRACTS,
        attributes::CONTRACTS,
        compute::CONTRACTS,
        dns::CONTRACTS,
        images::CONTRACTS,
        inventory::CONTRACTS,
        logs::CONTRACTS,
        metrics::CONTRACTS,
        parameters::CONTRACTS,
        permissions::CONTRACTS,
        refusals::CONTRACTS,
        rules::CONTRACTS,
        scaling::CONTRACTS,
        traffic::CONTRACTS,
        zones::hosted::CONTRACTS,
    ]
    .concat();
    let mut seen = Vec::new();
    for Exception { emulators, contracts, wrong, words } in EXCEPTIONS {
        assert!(!emulators.is_empty() && !contracts.is_empty() && !wrong.is_empty() && !words.is_empty());
        for (emulator, contract) in emulators.iter().flat_map(|one| contracts.iter().map(move |of| (one, of)))
        {
            assert_eq!(all.iter().filter(|known| *known == contract).count(), 1, "{contract}");
            assert!(!seen.contains(&(emulator, contract)), "{contract} stands twice for {emulator:?}");
            seen.push((emulator, contract));
        }
    }
}

/// The modules beside this one whose text has one of these words.
fn modules_with(words: &[&str]) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/contract");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        // `mod` says what these words mean.
        if path.extension().is_none_or(|end| end != "rs") || matches!(&*name, "mod" | "emulators") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        if words.iter().any(|word| text.contains(word)) {
            found.push(name);
        }
    }
    found.sort();
    found
}

#[test]
fn what_emulators_are_not_asked_stands_there_with_its_reason() {
    let asked = modules_with(&["\nheld_everywhere!(", "\nheld_by_adapters!(", "\nheld_by_zones!("]);
    // All have tests of their own but the servers, which tests start.
    let mut others = modules_with(&["\nheld_by_both!(", "\nheld_by_primaries!(", "#[tokio::test]\n"]);
    others.retain(|name| !asked.contains(name));
    let stated: Vec<&str> = NOT_ASKED.iter().map(|(module, _)| *module).collect();
    assert_eq!(others, stated, "those that are not asked, and those of the table");
    assert!(asked.len() > 10 && NOT_ASKED.iter().all(|(_, why)| !why.is_empty()), "{asked:?}");
}
