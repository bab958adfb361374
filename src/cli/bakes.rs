//! Runs that bake: whoever serves takes up those that nobody drives, for their guards are to be watched.

use super::{Context, stored, triggers};
use crate::adapter::SystemClock;
use crate::plan::Timestamp;
use crate::port::Clock;
use crate::store::record::PauseRecord;
use crate::store::{Listed, RunId, SqliteStore, Store};
use std::collections::HashMap;
use std::time::Duration;

/// How often they are looked for, on the wall clock.
const PERIOD: Duration = Duration::from_secs(5);

/// How long a run is left alone that was taken up: what ended at once would end again.
const AGAIN: Duration = Duration::from_secs(60);

/// Looks for them for as long as it is asked.
pub(super) async fn take_up(context: Context) {
    let (clock, mut taken) = (SystemClock::wall(), HashMap::new());
    loop {
        let context = context.clone();
        let looking = tokio::task::spawn_blocking(move || {
            look(&context, &mut taken);
            taken
        });
        let Ok(known) = looking.await else { return };
        taken = known;
        clock.sleep_until(clock.now().after(PERIOD)).await;
    }
}

/// Takes up what is alone. What cannot be read now is looked for the next time.
fn look(context: &Context, taken: &mut HashMap<RunId, Timestamp>) {
    let now = stored::now();
    let runs = SqliteStore::open_to_read(&context.state_dir).and_then(|store| store.runs(now));
    let alone = runs.into_iter().flatten().flatten().filter(is_alone);
    for Listed { id, .. } in alone {
        if taken.get(&id).is_some_and(|at| now < at.after(AGAIN)) {
            continue;
        }
        context.say(&match triggers::resume(context, &id) {
            Ok(()) => format!("run {id} bakes, and nobody drove it: it is taken up"),
            Err(error) => format!("run {id} bakes, and cannot be taken up: {error}"),
        });
        taken.insert(id, now);
    }
}

/// It bakes, nobody drives it, and no person is asked.
fn is_alone(run: &Listed) -> bool {
    let asks = run.standing.paused.as_ref().is_some_and(|cause| *cause != PauseRecord::Interrupted);
    let driven = run.holder.as_ref().is_some_and(|holder| !holder.gone);
    run.standing.baking.is_some() && !asks && !driven && triggers::is_under_way(run)
}
