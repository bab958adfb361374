//! What the world measured, and what its logs say.

use super::call::{Account, Call};
use super::found::{Alarms, Measurements};
use crate::plan::Timestamp;
use crate::port::{
    Alarm, AlarmState, Formula, Lines, LogQuery, LogStream, Metric, Point, ReadMetrics, Series,
};
use crate::run::Fault;
use crate::sim::{AlarmSeen, AlarmWord, Asked, Refusal};
use async_trait::async_trait;
use std::fmt;

#[async_trait]
impl ReadMetrics for Account {
    async fn series(&self, metrics: &[Metric]) -> Result<Vec<Series>, Fault> {
        let mut all = vec![Series { points: Vec::new(), complete: false }; metrics.len()];
        let mut spans: Vec<(Timestamp, Timestamp)> = metrics.iter().map(|m| (m.from, m.to)).collect();
        spans.sort();
        spans.dedup();
        // One call has one span of time.
        for (from, to) in spans {
            let own: Vec<usize> =
                (0..metrics.len()).filter(|&at| (metrics[at].from, metrics[at].to) == (from, to)).collect();
            let names = fmt::from_fn(|f| {
                for (place, &at) in own.iter().enumerate() {
                    write!(f, "{}{}", if place > 0 { " " } else { "" }, metrics[at].name)?;
                }
                Ok(())
            });
            let resource = &names;
            let call = Call { service: "monitoring", operation: "GetMetricData", resource, writes: false };
            let looking = self.look(call, |world, _| {
                if from >= to {
                    let text = "The parameter StartTime must be less than the parameter EndTime.";
                    return Err(Refusal::new("ValidationError", text));
                }
                let measure = |&at: &usize| {
                    let measured = world.measure(&asked(&metrics[at])).into_iter();
                    Series {
                        points: measured.map(|(at, value)| Point { at, value }).collect(),
                        complete: true,
                    }
                };
                Ok(Measurements(own.iter().map(measure).collect()))
            });
            for (&at, series) in own.iter().zip(looking.await?.0) {
                all[at] = series;
            }
        }
        Ok(all)
    }

    async fn computed(&self, formula: &Formula) -> Result<Series, Fault> {
        let Formula { expression, period, from, to, .. } = formula;
        let call =
            Call { service: "monitoring", operation: "GetMetricData", resource: expression, writes: false };
        let looking = self.look(call, |world, _| {
            let points = world.computed(expression, period.as_secs(), *from, *to).into_iter();
            let points = points.map(|(at, value)| Point { at, value }).collect();
            Ok(Measurements(vec![Series { points, complete: true }]))
        });
        Ok(looking.await?.0.remove(0))
    }

    async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, Fault> {
        let all = fmt::from_fn(|f| f.write_str(&names.join(", ")));
        let call = Call { service: "monitoring", operation: "DescribeAlarms", resource: &all, writes: false };
        let looking =
            self.look(call, |world, _| Ok(Alarms(world.alarms(names).into_iter().map(told).collect())));
        Ok(looking.await?.0)
    }

    async fn lines(&self, query: &LogQuery) -> Result<Option<Lines>, Fault> {
        let LogQuery { group, pattern, from, to, most } = query;
        let call = Call { service: "logs", operation: "FilterLogEvents", resource: group, writes: false };
        self.look(call, |world, _| {
            let all = world.lines(group, pattern, (*from, *to)).map(|lines| lines.len() as u64);
            Ok(all.map(|all| Lines { count: all.min(*most), whole: all <= *most }))
        })
        .await
    }

    async fn newest_lines(&self, stream: &LogStream, most: u32) -> Result<Option<Vec<String>>, Fault> {
        let call =
            Call { service: "logs", operation: "GetLogEvents", resource: &stream.group, writes: false };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let of = (&*stream.group, &*stream.stream);
        self.look(call, |world, _| Ok(world.newest_lines(of, most))).await
    }
}

fn told(alarm: AlarmSeen) -> Alarm {
    Alarm {
        name: alarm.name,
        state: match alarm.word {
            AlarmWord::Ok => AlarmState::Ok,
            AlarmWord::Alarm => AlarmState::Firing,
            AlarmWord::InsufficientData => AlarmState::Unknown(alarm.word.word().to_owned()),
        },
        reason: alarm.reason.to_owned(),
        since: Some(alarm.since),
        enabled: alarm.enabled,
        trouble: None,
    }
}

fn asked(metric: &Metric) -> Asked {
    Asked {
        namespace: metric.namespace.clone(),
        name: metric.name.clone(),
        dimensions: metric.dimensions.iter().cloned().collect(),
        statistic: metric.statistic.clone(),
        period: metric.period.as_secs(),
        from: metric.from,
        to: metric.to,
    }
}
