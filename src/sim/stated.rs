//! What others measure of a world: answers to queries, metrics, alarms. They are as its file states them, and may differ while users are
//! failed.

use super::balancer::minute;
use super::metric::{DELAY_MINUTES, Measured};
use super::situation::print_of;
use super::world::World;
use crate::plan::Timestamp;
use crate::port::{Answered, Grid, Line};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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

/// A metric of CloudWatch, or a formula.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricFile {
    /// Its value in each period; none: it has no data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What it is while users are failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub while_failing: Option<f64>,
    /// How many samples a minute it rests on: 1 unless stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<u32>,
}

/// An alarm on metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlarmFile {
    /// What it says.
    pub state: AlarmWord,
    /// What it says while users are failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub while_failing: Option<AlarmWord>,
    /// It is on other alarms.
    pub composite: bool,
    /// Its actions are disabled.
    pub disabled: bool,
}

/// What an alarm says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmWord {
    /// OK.
    #[default]
    Ok,
    /// ALARM.
    Alarm,
    /// `INSUFFICIENT_DATA`.
    InsufficientData,
}

impl AlarmWord {
    /// As the service writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

/// An alarm as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmSeen {
    /// Its name.
    pub name: String,
    /// What it says.
    pub word: AlarmWord,
    /// Why.
    pub reason: &'static str,
    /// Since when.
    pub since: Timestamp,
    /// It is on other alarms.
    pub composite: bool,
    /// It does something when it fires.
    pub enabled: bool,
}

/// What was stated of one thing, and since when: the newest last.
#[derive(Clone, Debug)]
pub(super) struct History<T> {
    all: Vec<(Timestamp, T)>,
    /// Stands for the newest.
    print: u64,
}

impl<T: Debug> History<T> {
    /// Of all that a file states.
    pub(super) fn of(all: BTreeMap<String, T>) -> BTreeMap<String, Self> {
        let mut found = BTreeMap::new();
        Self::change(&mut found, all, Timestamp::PAST);
        found
    }

    /// From now on these are so.
    pub(super) fn change(all: &mut BTreeMap<String, Self>, to: BTreeMap<String, T>, now: Timestamp) {
        for (name, stated) in to {
            let history = all.entry(name).or_insert(Self { all: Vec::new(), print: 0 });
            history.print = print_of(&stated);
            history.all.push((now, stated));
        }
    }

    pub(super) fn at(&self, moment: Timestamp) -> Option<&T> {
        self.since_at(moment).map(|(_, stated)| stated)
    }

    fn since_at(&self, moment: Timestamp) -> Option<&(Timestamp, T)> {
        self.all.iter().rev().find(|(since, _)| *since <= moment)
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

    /// Alarms by their names; those that are not there are absent.
    #[must_use]
    pub fn alarms(&self, names: &[String]) -> Vec<AlarmSeen> {
        names.iter().filter_map(|name| self.alarm(name)).collect()
    }

    fn alarm(&self, name: &str) -> Option<AlarmSeen> {
        let (since, stated) = self.alarms.get(name)?.since_at(self.now)?;
        let failing = stated.while_failing.filter(|_| self.fails_users(self.now));
        let word = failing.unwrap_or(stated.state);
        let reason = match word {
            AlarmWord::Ok => "Threshold Crossed: no datapoints were greater than the threshold.",
            AlarmWord::Alarm => "Threshold Crossed: 1 datapoint was greater than the threshold.",
            AlarmWord::InsufficientData => "Insufficient Data: no datapoints were received.",
        };
        let (composite, enabled) = (stated.composite, !stated.disabled);
        let since = if failing.is_some() { self.failing_since().max(*since) } else { *since };
        Some(AlarmSeen { name: name.to_owned(), word, reason, since, composite, enabled })
    }

    /// Since which minute users are failed who are failed now, as far as an hour ago.
    fn failing_since(&self) -> Timestamp {
        let now = minute(self.now);
        let still = (0..60).map(|ago| Timestamp(now.saturating_sub(ago) * 60_000));
        still.take_while(|at| self.fails_users(*at)).last().unwrap_or(self.now)
    }

    /// The points of a metric by what it is called, or of a formula, of these periods in minutes, as far as they are over
    /// and can be seen; `None`: nothing is stated of it. `counts`: how many samples there are.
    pub(super) fn stated(
        &self,
        name: &str,
        counts: bool,
        period: u64,
        (from, to): (Timestamp, Timestamp),
    ) -> Option<Vec<Measured>> {
        let history = self.metrics.get(name)?;
        let visible = minute(self.now).saturating_sub(DELAY_MINUTES);
        let first = from.0.div_ceil(60_000).next_multiple_of(period);
        let starts = (first..to.0.div_ceil(60_000)).step_by(usize::try_from(period).unwrap_or(usize::MAX));
        let point = |start: u64| {
            // As it was at its end.
            let end = Timestamp(((start + period) * 60_000).saturating_sub(1));
            let stated = history.at(end)?;
            let value = stated.while_failing.filter(|_| self.fails_users(end)).or(stated.value)?;
            let samples = f64::from(stated.samples.unwrap_or(1)) * f64::from(u32::try_from(period).ok()?);
            Some((Timestamp(start * 60_000), if counts { samples } else { value }))
        };
        Some(starts.filter(|start| start + period <= visible).filter_map(point).collect())
    }

    fn number(&self, stated: &QueryFile, at: Timestamp) -> Option<f64> {
        stated.while_failing.filter(|_| self.fails_users(at)).or(stated.value)
    }

    /// Whether users are failed: of all answers in the minute of this moment and the one before, one in twenty or more
    /// says that a server failed.
    pub(super) fn fails_users(&self, at: Timestamp) -> bool {
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
