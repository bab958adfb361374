//! What the world measured.

use super::call::{Account, Call};
use crate::plan::Timestamp;
use crate::port::{Metric, Point, ReadMetrics, Series};
use crate::run::Fault;
use crate::sim::{Asked, Refusal};
use async_trait::async_trait;

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
            let names: Vec<&str> = own.iter().map(|&at| &*metrics[at].name).collect();
            let names = names.join(" ");
            let call = Call { service: "monitoring", operation: "GetMetricData", resource: &names };
            let looking = self.look(call, |world, _| {
                if from >= to {
                    let text = "The parameter StartTime must be less than the parameter EndTime.";
                    return Err(Refusal::new("ValidationError", text));
                }
                Ok(own.iter().map(|&at| world.measure(&asked(&metrics[at]))).collect::<Vec<_>>())
            });
            for (&at, measured) in own.iter().zip(looking.await?) {
                let points = measured.into_iter().map(|(at, value)| Point { at, value }).collect();
                all[at] = Series { points, complete: true };
            }
        }
        Ok(all)
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
