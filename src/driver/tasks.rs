//! The work under way, as tasks of the runtime: begun when it is due, told to end when it should, dropped when it is a
//! read that nobody needs.

use super::desk::{Desk, Fate};
use super::work::Hands;
use crate::plan::Timestamp;
use crate::port::Stop;
use crate::run::{Due, Event, Input, Run};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

/// Work under way.
struct Flight {
    due: Due,
    stop: Stop,
    handle: AbortHandle,
}

/// All of it.
pub(super) struct Tasks {
    hands: Arc<Hands>,
    desk: Desk,
    set: JoinSet<Input>,
    flights: HashMap<Id, Flight>,
}

/// What one task came to.
pub(super) type Ended = Result<(Id, Input), JoinError>;

impl Tasks {
    pub(super) fn new(hands: Arc<Hands>, desk: Desk) -> Self {
        Self { hands, desk, set: JoinSet::new(), flights: HashMap::new() }
    }

    /// Puts what a fact tells later steps where their texts find it.
    pub(super) fn learn(&mut self, at: Timestamp, event: &Event) {
        self.desk.learn(at, event);
    }

    /// Makes the work under way what it should be. `only_writes`: nothing new is looked at.
    pub(super) fn reconcile(&mut self, run: &Run, only_writes: bool) {
        let agenda = self.desk.agenda(run, only_writes);
        self.flights.retain(|_, flight| {
            let fate = agenda.fate(&flight.due);
            match fate {
                Fate::Stop => flight.stop.ask(),
                Fate::Drop => flight.handle.abort(),
                Fate::Keep => {}
            }
            fate != Fate::Drop
        });
        let now = self.hands.world.clock().now();
        for due in agenda.not_begun(self.flights.values().map(|flight| &flight.due)) {
            let piece = self.desk.piece(run, due, now);
            let stop = piece.stop.clone();
            let handle = self.set.spawn(self.hands.clone().perform(piece));
            self.flights.insert(handle.id(), Flight { due, stop, handle });
        }
    }

    /// Waits until something is answered. Pends while nothing is under way.
    pub(super) async fn next(&mut self) -> Ended {
        match self.set.join_next_with_id().await {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }

    /// What else has been answered already.
    pub(super) fn more(&mut self) -> Option<Ended> {
        self.set.try_join_next_with_id()
    }

    /// What the run is told of a task that ended; nothing of one that was dropped.
    pub(super) fn hear(&mut self, ended: Ended) -> Option<Input> {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let flight = self.flights.remove(&id)?;
        self.desk.heard(&flight.due);
        match ended {
            Ok((_, input)) => Some(input),
            Err(_) => Some(Hands::broken(flight.due.work, flight.due.turn)),
        }
    }

    /// Whether a call is under way.
    pub(super) fn are_writing(&self) -> bool {
        self.flights.values().any(|flight| flight.due.work.writes())
    }

    /// Drops everything. What was sent may still land.
    pub(super) async fn drop_all(&mut self) {
        self.flights.clear();
        self.set.shutdown().await;
    }
}
