//! `CloudWatch`: metrics as they were measured, alarms on them, and lines of logs (`logs`). What it has not got whole is said to be incomplete.

use super::account::Account;
use super::call::{self, Class, Watch};
use crate::adapter::budgets::Service;
use crate::plan::Timestamp;
use crate::port::{
    Alarm, AlarmState, Formula, Lines, LogQuery, LogStream, Metric, Point, ReadMetrics, Series,
};
use crate::run::Fault;
use async_trait::async_trait;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    self, AlarmType, CompositeAlarm, Dimension, LogAlarm, MetricAlarm, MetricDataQuery, MetricDataResult,
    MetricStat, ScanBy, StateValue, StatusCode,
};

/// How many metrics one call takes.
const BATCH: usize = 500;
/// How many names of alarms one call takes, and how many alarms it tells at most.
const NAMES: usize = 100;
const RECORDS: i32 = 100;

#[async_trait]
impl ReadMetrics for Account {
    async fn series(&self, metrics: &[Metric]) -> Result<Vec<Series>, Fault> {
        let mut all = vec![Series { points: Vec::new(), complete: false }; metrics.len()];
        let mut spans: Vec<(Timestamp, Timestamp)> = metrics.iter().map(|m| (m.from, m.to)).collect();
        spans.sort();
        spans.dedup();
        // One call has one span of time.
        for span in spans {
            let asked: Vec<usize> =
                (0..metrics.len()).filter(|&at| (metrics[at].from, metrics[at].to) == span).collect();
            for batch in asked.chunks(BATCH) {
                let queries = batch
                    .iter()
                    .map(|&at| query(&format!("m{at}"), &metrics[at], true))
                    .collect::<Result<_, _>>()?;
                for result in self.results(queries, span).await? {
                    let at = result.id.as_deref().and_then(|id| id.strip_prefix('m')?.parse::<usize>().ok());
                    if let Some(series) = at.and_then(|at| all.get_mut(at)) {
                        take(series, result);
                    }
                }
            }
        }
        for series in &mut all {
            series.points.sort_by_key(|point| point.at);
            series.points.dedup_by_key(|point| point.at);
        }
        Ok(all)
    }

    async fn computed(&self, formula: &Formula) -> Result<Series, Fault> {
        let mut queries = Vec::new();
        for (id, metric) in &formula.metrics {
            queries.push(query(id, metric, false)?);
        }
        let expression = MetricDataQuery::builder().id(Formula::ID).expression(&formula.expression);
        queries.push(expression.return_data(true).build());
        let mut series = Series { points: Vec::new(), complete: false };
        let results = self.results(queries, (formula.from, formula.to)).await?;
        let mut own: Vec<MetricDataResult> =
            results.into_iter().filter(|result| result.id.as_deref() == Some(Formula::ID)).collect();
        // There are no pages of a formula: what comes twice is two series.
        if own.len() > 1 {
            let text = format!("it comes to {} series, and one is needed", own.len());
            return Err(Fault::permanent(text));
        }
        if let Some(result) = own.pop() {
            take(&mut series, result);
        }
        series.points.sort_by_key(|point| point.at);
        Ok(series)
    }

    async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, Fault> {
        let mut all = Vec::new();
        for batch in names.chunks(NAMES) {
            all.extend(self.some_alarms(batch).await?);
        }
        Ok(all)
    }

    async fn lines(&self, query: &LogQuery) -> Result<Option<Lines>, Fault> {
        self.lines_of(query).await
    }

    async fn newest_lines(&self, stream: &LogStream, most: u32) -> Result<Option<Vec<String>>, Fault> {
        self.newest_of(stream, most).await
    }
}

impl Account {
    async fn some_alarms(&self, names: &[String]) -> Result<Vec<Alarm>, Fault> {
        let unseen = self.unseen("cloudwatch DescribeAlarms", &names.join(", "));
        let client = self.cloudwatch().await.map_err(&unseen)?;
        let (mut found, mut next) = (Vec::new(), None::<String>);
        // Without their types, composite alarms and those on logs are left out.
        let mut kinds = vec![AlarmType::MetricAlarm, AlarmType::CompositeAlarm, AlarmType::LogAlarm];
        loop {
            let ask = |watch: Watch| {
                let sent = client
                    .describe_alarms()
                    .set_alarm_names(Some(names.to_vec()))
                    .set_alarm_types(Some(kinds.clone()))
                    .max_records(RECORDS)
                    .set_next_token(next.clone())
                    .customize()
                    .interceptor(watch.clone())
                    .send();
                async move { Ok((sent.await?, watch.clocks())) }
            };
            let (answer, clocks) = match call::read(self, Service::CloudWatch, ask).await {
                // There may be none on logs there, nor a word for them.
                Err(failure) if failure.class == Class::Refused && kinds.len() > 2 => {
                    kinds.truncate(2);
                    continue;
                }
                told => told.map_err(&unseen)?,
            };
            clocks.agree("cloudwatch DescribeAlarms")?;
            let metric = answer.metric_alarms.unwrap_or_default().into_iter().map(of_metric);
            let composite = answer.composite_alarms.unwrap_or_default().into_iter().map(of_alarms);
            let all =
                metric.chain(composite).chain(answer.log_alarms.unwrap_or_default().into_iter().map(of_logs));
            found.extend(all.map(|alarm| Alarm { since: alarm.since.map(|at| clocks.ours(at)), ..alarm }));
            match answer.next_token.filter(|token| !token.is_empty()) {
                Some(token) => next = Some(token),
                None => return Ok(found),
            }
        }
    }

    async fn results(
        &self,
        queries: Vec<MetricDataQuery>,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<MetricDataResult>, Fault> {
        let unseen = self.unseen("cloudwatch GetMetricData", &format!("{} metrics", queries.len()));
        let client = self.cloudwatch().await.map_err(&unseen)?;
        let (mut results, mut next) = (Vec::new(), None::<String>);
        loop {
            let ask = |watch: Watch| {
                let sent = client
                    .get_metric_data()
                    .set_metric_data_queries(Some(queries.clone()))
                    .start_time(moment(from))
                    .end_time(moment(to))
                    .scan_by(ScanBy::TimestampAscending)
                    .set_next_token(next.clone())
                    .customize()
                    .interceptor(watch.clone())
                    .send();
                async move { Ok((sent.await?, watch.clocks())) }
            };
            let (answer, clocks) = call::read(self, Service::CloudWatch, ask).await.map_err(&unseen)?;
            clocks.agree("cloudwatch GetMetricData")?;
            results.extend(answer.metric_data_results.unwrap_or_default());
            match answer.next_token.filter(|token| !token.is_empty()) {
                Some(token) => next = Some(token),
                None => return Ok(results),
            }
        }
    }
}

fn query(id: &str, metric: &Metric, tells: bool) -> Result<MetricDataQuery, Fault> {
    let period = i32::try_from(metric.period.as_secs());
    let period =
        period.map_err(|_| Fault::permanent(format!("the period of {} is too long", metric.name)))?;
    let dimension = |(name, value): &(String, String)| Dimension::builder().name(name).value(value).build();
    let wanted = types::Metric::builder()
        .namespace(&metric.namespace)
        .metric_name(&metric.name)
        .set_dimensions(Some(metric.dimensions.iter().map(dimension).collect()))
        .build();
    let stat = MetricStat::builder().metric(wanted).period(period).stat(&metric.statistic).build();
    Ok(MetricDataQuery::builder().id(id).metric_stat(stat).return_data(tells).build())
}

/// Adds one page of a result; its last page says whether it is whole.
fn take(series: &mut Series, result: MetricDataResult) {
    let times = result.timestamps.unwrap_or_default().into_iter();
    let points = times.zip(result.values.unwrap_or_default()).filter(|(_, value)| value.is_finite());
    series.points.extend(points.filter_map(|(time, value)| Some(Point { at: timestamp(time)?, value })));
    series.complete = result.status_code == Some(StatusCode::Complete);
}

/// The kinds of alarms have these fields in common, and no type.
macro_rules! alarm {
    ($alarm:expr, $trouble:expr) => {
        Alarm {
            name: $alarm.alarm_name.unwrap_or_default(),
            state: state($alarm.state_value),
            reason: $alarm.state_reason.unwrap_or_default(),
            since: $alarm.state_transitioned_timestamp.or($alarm.state_updated_timestamp).and_then(timestamp),
            enabled: $alarm.actions_enabled != Some(false),
            trouble: $trouble,
        }
    };
}

fn of_metric(alarm: MetricAlarm) -> Alarm {
    alarm!(alarm, alarm.evaluation_state.map(|trouble| trouble.as_str().to_owned()))
}

fn of_alarms(alarm: CompositeAlarm) -> Alarm {
    alarm!(alarm, None)
}

fn of_logs(alarm: LogAlarm) -> Alarm {
    alarm!(alarm, alarm.evaluation_state.map(|trouble| trouble.as_str().to_owned()))
}

fn state(value: Option<StateValue>) -> AlarmState {
    match value {
        Some(StateValue::Ok) => AlarmState::Ok,
        Some(StateValue::Alarm) => AlarmState::Firing,
        other => {
            AlarmState::Unknown(other.map_or_else(|| "nothing".to_owned(), |value| value.as_str().to_owned()))
        }
    }
}

fn timestamp(time: DateTime) -> Option<Timestamp> {
    Some(Timestamp(time.to_millis().ok()?.try_into().ok()?))
}

fn moment(at: Timestamp) -> DateTime {
    DateTime::from_millis(i64::try_from(at.0).unwrap_or(i64::MAX))
}
