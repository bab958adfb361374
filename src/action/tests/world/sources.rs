//! What a world measures, and what is asked of it.

use super::World;
use crate::plan::Timestamp;
use crate::port::{
    Alarm, Answered, Formula, Lines, LogQuery, LogStream, Metric, Parameter, Point, Query, ReadFiles,
    ReadMetrics, ReadParameters, ReadQueries, Series,
};
use crate::run::Fault;
use async_trait::async_trait;

#[async_trait]
impl ReadMetrics for World {
    async fn series(&self, metrics: &[Metric]) -> Result<Vec<Series>, Fault> {
        let state = self.asked()?;
        let series = |metric: &Metric| {
            let starts = (metric.from.0..metric.to.0).step_by(60_000).map(Timestamp);
            let points = starts.filter_map(|at| Some(Point { at, value: (state.measure)(metric, at)? }));
            Series { points: points.collect(), complete: state.complete }
        };
        Ok(metrics.iter().map(series).collect())
    }
    async fn computed(&self, formula: &Formula) -> Result<Series, Fault> {
        let (_, first) = formula.metrics.first().unwrap();
        let whole = Metric { name: formula.expression.clone(), ..first.clone() };
        Ok(self.series(&[whole]).await?.remove(0))
    }
    async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, Fault> {
        let state = self.asked()?;
        Ok(state.alarms.iter().filter(|alarm| names.contains(&alarm.name)).cloned().collect())
    }
    async fn lines(&self, query: &LogQuery) -> Result<Option<Lines>, Fault> {
        Ok((self.asked()?.lines)(query))
    }
    async fn newest_lines(&self, stream: &LogStream, most: u32) -> Result<Option<Vec<String>>, Fault> {
        let said = self.asked()?.said.get(&(stream.group.clone(), stream.stream.clone())).cloned();
        Ok(said.map(|said| said.into_iter().rev().take(most as usize).rev().collect()))
    }
}

#[async_trait]
impl ReadParameters for World {
    async fn parameter(&self, _: &str) -> Result<Option<Parameter>, Fault> {
        Ok(self.asked()?.parameter.clone())
    }
}

#[async_trait]
impl ReadQueries for World {
    async fn ask(&self, query: &Query) -> Result<Answered, Fault> {
        let state = self.asked()?;
        (state.query)(query, state.now)
    }
}

#[async_trait]
impl ReadFiles for World {
    async fn exists(&self, path: &str) -> Result<bool, Fault> {
        self.asked()?.files.as_ref().map(|files| files.contains(&path)).map_err(Clone::clone)
    }
}
