//! Rules of a whole run: what stops it, when it may start.

use super::{OnFailure, Retry, Template, Timestamp};
use jiff::{civil, tz::TimeZone};
use std::{sync::Arc, time::Duration};

/// Rules of a whole run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What a failed step does, unless it says otherwise.
    pub on_failure: OnFailure,
    /// From the start of the run. Reaching it pauses: time alone never reverts a healthy go-live.
    pub deadline: Option<Duration>,
    /// Until new lookups reach a healthy prior side: lint and rehearsal hold it.
    pub rto: Option<Duration>,
    /// For how long a rollback that the run calls for by itself is announced before it begins, so that a person can say
    /// no. Silence lets it begin.
    pub veto: Option<Duration>,
    /// For how long guards are kept once all steps are done; `finally` and the end come after that.
    pub bake: Option<Duration>,
    /// Where somebody elsewhere hears that a run is driven, and so notices when it is not.
    pub heartbeat: Option<Heartbeat>,
    /// When a run may start and be approved; never holds back an undo.
    pub window: Option<Window>,
    /// When none may.
    pub freeze: Vec<Freeze>,
    /// In production a run locks the records that it writes where all can see it: in their zones.
    pub world_lock: bool,
    /// The longest that one call of `apply` or `undo` may take before its answer counts as lost, unless the action
    /// proposes another bound.
    pub call: Duration,
    /// How much longer a call whose answer was lost may still land.
    pub grace: Duration,
    /// Tries of an undo.
    pub undo: Retry,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            on_failure: OnFailure::Rollback,
            deadline: None,
            rto: None,
            veto: None,
            bake: None,
            heartbeat: None,
            window: None,
            freeze: Vec::new(),
            world_lock: true,
            call: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            undo: Retry { attempts: 5, wait: Duration::from_secs(2), backoff_percent: 200 },
        }
    }
}

/// A sign of life of a run that is driven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Where each beat is posted to; secrets may stand in it.
    pub url: Template,
    /// From one beat to the next, on the wall clock.
    pub every: Duration,
}

/// What a guard's breach does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnBreach {
    /// Roll back.
    Rollback,
    /// Pause and ask.
    Pause,
    /// Say so.
    Notify,
}

/// Hours of some days in one time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The time zone.
    pub zone: TimeZone,
    /// On which days it opens.
    pub days: Vec<civil::Weekday>,
    /// When it opens.
    pub from: civil::Time,
    /// When it closes. Earlier than `from`: on the next day.
    pub to: civil::Time,
}

/// Days on which nothing starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// The first day.
    pub from: civil::Date,
    /// The last day.
    pub to: civil::Date,
    /// Why.
    pub reason: Arc<str>,
    /// The window's zone, or UTC.
    pub zone: TimeZone,
}

impl Policy {
    /// Whether a run may start, or be approved, now.
    ///
    /// # Errors
    /// Why not, as a fragment.
    pub fn admits(&self, now: Timestamp) -> Result<(), String> {
        let Ok(moment) = jiff::Timestamp::from_millisecond(i64::try_from(now.0).unwrap_or(i64::MAX)) else {
            return Ok(());
        };
        for freeze in &self.freeze {
            let today = moment.to_zoned(freeze.zone.clone()).date();
            if freeze.from <= today && today <= freeze.to {
                return Err(format!("frozen until {} ({})", freeze.to, freeze.reason));
            }
        }
        match &self.window {
            Some(window) if !window.open(moment) => {
                Err(format!("outside the window ({})", window.describe()))
            }
            _ => Ok(()),
        }
    }
}

impl Window {
    fn open(&self, moment: jiff::Timestamp) -> bool {
        let local = moment.to_zoned(self.zone.clone());
        let (day, time) = (local.weekday(), local.time());
        if self.from < self.to {
            return self.days.contains(&day) && self.from <= time && time < self.to;
        }
        // Over midnight: the days are those on which it opens.
        (self.days.contains(&day) && self.from <= time)
            || (self.days.contains(&day.previous()) && time < self.to)
    }

    /// `tue, wed 09:00-16:00 Europe/Paris`.
    #[must_use]
    pub fn describe(&self) -> String {
        let day = |day: &civil::Weekday| format!("{day:?}")[..3].to_lowercase();
        let days: Vec<String> = self.days.iter().map(day).collect();
        let clock = |time: civil::Time| format!("{:02}:{:02}", time.hour(), time.minute());
        let zone = self.zone.iana_name().unwrap_or("UTC");
        format!("{} {}-{} {zone}", days.join(", "), clock(self.from), clock(self.to))
    }
}
