//! How a world goes on by itself: what is due when, and deeds on a schedule.
//!
//! The next moment at which anything is due is kept until something disturbs it, because everybody who looks at a world
//! advances it first. What then happens is in `schedule`, `users` and `deed`.

use super::common::Common;
use super::file::{Behaviour, Deed};
use super::situation::print_of;
use super::users::Users;
use super::world::World;
use crate::plan::Timestamp;
use std::collections::BTreeMap;

/// What a world keeps for going on.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    due: Option<Due>,
    /// In order of time, and of asking.
    deeds: Common<Vec<Scheduled>>,
    pub(super) users: Option<Users>,
    /// Stands for how all images behave; zero as long as they do as the file says.
    pub(super) images: u64,
}

/// A deed that waits for its moment.
#[derive(Clone, Debug)]
pub(super) struct Scheduled {
    pub(super) at: Timestamp,
    /// Stands for the deed.
    pub(super) print: u64,
    deed: Deed,
}

/// When something is due, as far as this still holds.
#[derive(Clone, Copy, Debug)]
struct Due {
    /// Services, tasks and targets move.
    step: Timestamp,
    /// Anything at all happens.
    soonest: Timestamp,
    of: Premises,
}

/// What others may change without telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Premises {
    predicts: bool,
    faults: usize,
    last_fault: u64,
}

impl Course {
    pub(super) fn deeds(&self) -> &[Scheduled] {
        &self.deeds
    }

    /// Images behave differently from now on.
    pub(super) fn behave_anew(&mut self, images: &BTreeMap<String, Behaviour>) {
        self.images = print_of(images);
    }

    /// When anything but a step is due.
    fn apart(&self) -> Timestamp {
        let deed = self.deeds.first().map_or(Timestamp::NEVER, |scheduled| scheduled.at);
        self.users.as_ref().map_or(deed, |users| users.next().min(deed))
    }
}

impl World {
    /// Plays everything that is due up to this moment.
    pub fn advance(&mut self, now: Timestamp) {
        loop {
            let due = self.due();
            let soonest = due.soonest.min(self.ledger.next().unwrap_or(Timestamp::NEVER));
            if soonest > now {
                break;
            }
            self.now = self.now.max(soonest);
            self.play(due);
        }
        self.now = self.now.max(now);
    }

    /// The next moment at which something is due.
    #[must_use]
    pub fn next(&self) -> Timestamp {
        let landing = self.ledger.next().unwrap_or(Timestamp::NEVER);
        self.next_step().min(self.course.apart()).min(landing)
    }

    /// Something changed that may be due sooner than was thought.
    pub fn disturbed(&mut self) {
        self.course.due = None;
    }

    /// Has this happen at its moment, after what is due then anyway; at once, if that is past.
    pub fn schedule(&mut self, at: Timestamp, deed: Deed) {
        let place = self.course.deeds.partition_point(|scheduled| scheduled.at <= at);
        self.course.deeds.insert(place, Scheduled { at, print: print_of(&deed), deed });
        self.disturbed();
    }

    fn due(&mut self) -> Due {
        let of = self.premises();
        if let Some(due) = self.course.due.filter(|due| due.of == of) {
            return due;
        }
        let step = self.next_step();
        let due = Due { step, soonest: step.min(self.course.apart()), of };
        self.course.due = Some(due);
        due
    }

    fn premises(&self) -> Premises {
        let faults = self.faults.all();
        Premises {
            predicts: self.predicts,
            faults: faults.len(),
            last_fault: faults.last().map_or(0, |fault| fault.id),
        }
    }

    fn play(&mut self, due: Due) {
        let now = self.now;
        if due.step <= now {
            self.step(now);
        }
        self.land(now);
        while self.course.deeds.first().is_some_and(|scheduled| scheduled.at <= now) {
            let scheduled = self.course.deeds.remove(0);
            // A deed that is refused changes nothing; whoever scheduled it will see that.
            let _ = self.perform(scheduled.deed, now);
        }
        if let Some(mut users) = self.course.users.take_if(|users| users.next() <= now) {
            users.tick(self, now);
            self.course.users = Some(users);
        }
        // What users do moves no task: when the next step is due still holds.
        let apart = self.course.apart();
        if let Some(kept) = &mut self.course.due {
            kept.soonest = kept.step.min(apart);
        }
    }
}
