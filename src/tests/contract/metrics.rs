//! Metrics that others publish, and formulas over them.

use super::{Place, held_everywhere};
use crate::plan::Timestamp;
use crate::port::{Formula, Metric, Series};
use serde_json::json;
use std::time::Duration;

held_everywhere!(
    Metrics;
    a_metric_has_a_point_in_each_period in with_metrics,
    a_formula_has_a_point_in_each_period in with_metrics,
    a_metric_may_fall_silent in with_metrics,
);

fn with_metrics(text: &str) -> String {
    let metrics = "
metrics:
  AEP Orders Shop=1 Stage=prod: { value: 12.5, samples: 30 }
  100 * failed / orders: { value: 0.5 }
";
    format!("{text}{metrics}")
}

/// Six whole minutes that are over and can be seen, of periods of two.
async fn span(place: &Place) -> (Timestamp, Timestamp) {
    let clock = place.world.clock();
    let from = Timestamp(clock.now().0.div_ceil(120_000) * 120_000);
    clock.sleep_until(from.after(Duration::from_mins(9))).await;
    (from, from.after(Duration::from_mins(6)))
}

fn metric(statistic: &str, stage: &str, (from, to): (Timestamp, Timestamp)) -> Metric {
    Metric {
        namespace: "AEP".into(),
        name: "Orders".into(),
        dimensions: vec![("Stage".into(), stage.into()), ("Shop".into(), "1".into())],
        statistic: statistic.into(),
        period: Duration::from_mins(2),
        from,
        to,
    }
}

fn points(series: &Series) -> Vec<(u64, f64)> {
    assert!(series.complete, "{series:?}");
    series.points.iter().map(|point| (point.at.0, point.value)).collect()
}

fn expected(from: Timestamp, value: f64) -> Vec<(u64, f64)> {
    [0, 120_000, 240_000].map(|after| (from.0 + after, value)).to_vec()
}

async fn a_metric_has_a_point_in_each_period(place: &Place) {
    let span = span(place).await;
    let asked =
        [metric("p99", "prod", span), metric("SampleCount", "prod", span), metric("Sum", "test", span)];
    let found = place.world.metrics("prod").unwrap().series(&asked).await.unwrap();
    assert_eq!(points(&found[0]), expected(span.0, 12.5));
    assert_eq!(points(&found[1]), expected(span.0, 60.0));
    assert_eq!(points(&found[2]), [], "other dimensions are another metric");
}

async fn a_formula_has_a_point_in_each_period(place: &Place) {
    let span = span(place).await;
    let formula = |expression: &str| Formula {
        expression: expression.into(),
        metrics: vec![
            ("failed".into(), metric("Sum", "prod", span)),
            ("orders".into(), metric("Sum", "prod", span)),
        ],
        period: Duration::from_mins(2),
        from: span.0,
        to: span.1,
    };
    let metrics = place.world.metrics("prod").unwrap();
    let found = metrics.computed(&formula("100 * failed / orders")).await.unwrap();
    assert_eq!(points(&found), expected(span.0, 0.5));
    assert_eq!(points(&metrics.computed(&formula("failed")).await.unwrap()), []);
}

async fn a_metric_may_fall_silent(place: &Place) {
    let span = span(place).await;
    let change = json!({"metrics": {"AEP Orders Shop=1 Stage=prod": {}}});
    place.fault(json!({"service": "monitoring", "kind": "change", "change": change})).await;
    let metrics = place.world.metrics("prod").unwrap();
    let before = metrics.series(&[metric("Average", "prod", span)]).await.unwrap();
    assert_eq!(points(&before[0]).len(), 3, "what was is still there");
    let clock = place.world.clock();
    clock.sleep_until(span.1.after(Duration::from_mins(12))).await;
    let (from, to) = (span.1.after(Duration::from_mins(4)), span.1.after(Duration::from_mins(8)));
    let after = metrics.series(&[metric("Average", "prod", (from, to))]).await.unwrap();
    assert_eq!(points(&after[0]), []);
}
