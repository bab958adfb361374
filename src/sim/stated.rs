//! What others measure of a world: answers to queries. They are as its file states them, and may differ while users are
//! failed.

use super::balancer::minute;
use super::situation::print_of;
use super::world::World;
use crate::plan::Timestamp;
use crate::port::{Answered, Grid, Line};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

/// What a query comes to.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueryFile {
    /// The number, `.nan` and `.inf` too; none: there is no series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What it is while users are failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub while_failing: Option<f64>,
    /// So many series have it: 1 unless stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<usize>,
    /// What the server warns of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// What was stated of one thing, and since when: the newest last.
#[derive(Clone, Debug)]
pub(super) struct History<T> {
    all: Vec<(Timestamp, T)>,
    /// Stands for the newest.
    print: u64,
}

impl<T: Debug> History<T> {
    pub(super) fn of(first: T) -> Self {
        Self::since(Timestamp::PAST, first)
    }

    pub(super) fn since(moment: Timestamp, first: T) -> Self {
        Self { print: print_of(&first), all: vec![(moment, first)] }
    }

    pub(super) fn change(&mut self, now: Timestamp, to: T) {
        self.print = print_of(&to);
        self.all.push((now, to));
    }

    fn at(&self, moment: Timestamp) -> Option<&T> {
        self.all.iter().rev().find(|(since, _)| *since <= moment).map(|(_, stated)| stated)
    }

    pub(super) fn print(&self) -> u64 {
        self.print
    }
}

impl World {
    /// What a query comes to, now or at these moments.
    #[must_use]
    pub fn query(&self, text: &str, over: Option<Grid>) -> Answered {
        let moments: Vec<Timestamp> = over.map_or_else(|| vec![self.now], |grid| grid.moments().collect());
        let history = self.queries.get(text);
        let newest = history.and_then(|history| history.at(self.now));
        let point = |at: &Timestamp| Some((*at, self.number(history?.at(*at)?, *at)?));
        let past = moments.iter().filter(|at| **at <= self.now);
        let points: Vec<(Timestamp, f64)> = past.filter_map(point).collect();
        let count = newest.filter(|_| !points.is_empty()).map_or(0, |stated| stated.series.unwrap_or(1));
        let labels = |place: usize| if count > 1 { format!("{{series=\"{place}\"}}") } else { String::new() };
        let lines = (0..count).map(|place| Line { labels: labels(place), points: points.clone() }).collect();
        Answered { lines, warning: newest.and_then(|stated| stated.warning.clone()), clock: Some(self.now) }
    }

    fn number(&self, stated: &QueryFile, at: Timestamp) -> Option<f64> {
        stated.while_failing.filter(|_| self.fails_users(at)).or(stated.value)
    }

    /// Whether users are failed: of all answers in the minute of this moment and the one before, one in twenty or more
    /// says that a server failed.
    fn fails_users(&self, at: Timestamp) -> bool {
        let last = minute(at);
        let minutes = last.saturating_sub(1)..=last;
        let counts = self.balancers.values().flat_map(|balancer| balancer.counts.range(minutes.clone()));
        let (errors, all) = counts.fold((0, 0), |(errors, all), (_, counts)| {
            let own = counts.own_5xx;
            (errors + own + counts.targets[3], all + own + counts.targets.iter().sum::<u64>())
        });
        errors > 0 && errors * 20 >= all
    }
}
