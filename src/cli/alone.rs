//! Runs that should not be alone, and are: whoever serves takes them up. A run that bakes has guards to be watched, and on one
//! that is on its way back users wait.

use super::hosted::Hosted;
use super::{Context, stored, triggers};
use crate::adapter::SystemClock;
use crate::plan::Timestamp;
use crate::port::Clock;
use crate::store::record::ModeRecord;
use crate::store::{Listed, RunId, SqliteStore, Store};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How often they are looked for, on the wall clock.
const PERIOD: Duration = Duration::from_secs(5);

/// How long a run is left alone that was taken up: what ended at once would end again.
const AGAIN: Duration = Duration::from_secs(60);

/// Looks for them for as long as it is asked.
pub(super) async fn take_up(context: Context, hosted: Arc<Hosted>) {
    let (clock, mut taken) = (SystemClock::wall(), HashMap::new());
    loop {
        let (context, hosted) = (context.clone(), hosted.clone());
        let looking = tokio::task::spawn_blocking(move || {
            look(&context, &hosted, &mut taken);
            taken
        });
        let Ok(known) = looking.await else { return };
        taken = known;
        clock.sleep_until(clock.now().after(PERIOD)).await;
    }
}

/// Takes up what is alone. What cannot be read now is looked for the next time.
fn look(context: &Context, hosted: &Hosted, taken: &mut HashMap<RunId, Timestamp>) {
    let now = stored::now();
    let runs = SqliteStore::open_to_read(&context.state_dir).and_then(|store| store.runs(now));
    for run in runs.into_iter().flatten().flatten() {
        let Some(does) = alone(&run) else { continue };
        let id = run.id;
        if taken.get(&id).is_some_and(|at| now < at.after(AGAIN)) {
            continue;
        }
        context.say(&match hosted.take_up(&id) {
            Ok(()) => format!("run {id} {does}, and nobody drove it: it is taken up"),
            Err(why) => format!("run {id} {does}, and is not taken up: {why}"),
        });
        taken.insert(id, now);
    }
}

/// What a run does that nobody drives, and that no person is asked about.
fn alone(run: &Listed) -> Option<&'static str> {
    let standing = &run.standing;
    let asks = standing.paused.as_ref().is_some_and(|cause| !cause.ends_with_its_process());
    let driven = run.holder.as_ref().is_some_and(|holder| !holder.gone);
    if asks || driven || !triggers::is_under_way(run) {
        return None;
    }
    match standing.mode {
        ModeRecord::Rollback => Some("rolls back"),
        _ => standing.baking.is_some().then_some("bakes"),
    }
}
