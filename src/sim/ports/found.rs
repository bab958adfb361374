//! What looks find, and what is left of it where evidence is missing.

use crate::port::dns::{ChangeStatus, Zone};
use crate::port::{
    Alarm, AlarmState, Answered, Attributes, Lines, LoadBalancer, Parameter, Rule, Scaling, Series, Service,
    TaskDefinition,
};
use crate::sim::HealthCheckFile;

/// Something that a look finds.
pub(super) trait Found: Send {
    /// A part is missed.
    fn cut(&mut self) {}
    /// Nothing is told.
    fn hush(&mut self) {}
}

impl Found for bool {}
impl Found for u32 {}
impl Found for String {}
impl Found for Zone {}
impl Found for ChangeStatus {}
impl Found for TaskDefinition {}
impl Found for LoadBalancer {}
impl Found for Attributes {}
impl Found for Option<HealthCheckFile> {}
impl Found for Option<Service> {}
impl Found for Option<Scaling> {}
impl Found for Option<Parameter> {}
impl Found for Rule {}

/// The last of a list is missed.
impl<T: Send> Found for Vec<T> {
    fn cut(&mut self) {
        self.pop();
    }
}

/// What a query comes to: a part is warned of.
impl Found for Answered {
    fn cut(&mut self) {
        self.warning = Some("only a part of the data answered".into());
    }
    fn hush(&mut self) {
        self.lines.clear();
    }
}

/// Series of one call: each is told without its newest point and as incomplete, or without any.
pub(super) struct Measurements(pub(super) Vec<Series>);

impl Found for Measurements {
    fn cut(&mut self) {
        for series in &mut self.0 {
            series.points.pop();
            series.complete = false;
        }
    }
    fn hush(&mut self) {
        self.0.iter_mut().for_each(|series| series.points.clear());
    }
}

/// Alarms: the last is missed, or none has the data to tell.
pub(super) struct Alarms(pub(super) Vec<Alarm>);

impl Found for Alarms {
    fn cut(&mut self) {
        self.0.pop();
    }
    fn hush(&mut self) {
        let silent = |alarm: &mut Alarm| alarm.state = AlarmState::Unknown("INSUFFICIENT_DATA".into());
        self.0.iter_mut().for_each(silent);
    }
}

/// The newest lines of a log: the last is not there yet, or none is found.
impl Found for Option<Vec<String>> {
    fn cut(&mut self) {
        self.as_mut().map(Vec::pop);
    }
    fn hush(&mut self) {
        if let Some(lines) = self {
            lines.clear();
        }
    }
}

/// Lines of a log: some are not counted, or none is found.
impl Found for Option<Lines> {
    fn cut(&mut self) {
        *self = self.map(|lines| Lines { count: lines.count / 2, whole: false });
    }
    fn hush(&mut self) {
        *self = self.map(|lines| Lines { count: 0, ..lines });
    }
}
