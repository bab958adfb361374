//! `CloudWatch`: it speaks CBOR, written here by hand.

use super::*;
use crate::port::{Metric, ReadMetrics};
use std::time::Duration;

fn text(text: &str) -> Vec<u8> {
    [&[0x78, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

fn float(value: f64) -> Vec<u8> {
    [&[0xfb][..], &value.to_be_bytes()].concat()
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [&[0x80 | u8::try_from(items.len()).unwrap()], &items.concat()[..]].concat()
}

fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let parts: Vec<u8> =
        entries.iter().flat_map(|(key, value)| [text(key), value.clone()].concat()).collect();
    [&[0xa0 | u8::try_from(entries.len()).unwrap()], &parts[..]].concat()
}

fn result(id: &str, status: &str, points: &[(f64, f64)]) -> Vec<u8> {
    let times: Vec<Vec<u8>> = points.iter().map(|(at, _)| [vec![0xc1], float(*at)].concat()).collect();
    let values: Vec<Vec<u8>> = points.iter().map(|(_, value)| float(*value)).collect();
    map(&[
        ("Id", text(id)),
        ("StatusCode", text(status)),
        ("Timestamps", list(&times)),
        ("Values", list(&values)),
    ])
}

fn say(body: Vec<u8>) -> Say {
    let headers =
        vec![("content-type", "application/cbor".into()), ("smithy-protocol", "rpc-v2-cbor".into())];
    Say::Answer(200, headers, body)
}

#[tokio::test]
async fn what_is_not_whole_is_said_to_be_incomplete() {
    let first = map(&[
        (
            "MetricDataResults",
            list(&[result("m0", "PartialData", &[(60.0, 5.0)]), result("m1", "InternalError", &[])]),
        ),
        ("NextToken", text("more")),
    ]);
    let second =
        map(&[("MetricDataResults", list(&[result("m0", "Complete", &[(120.0, f64::NAN), (0.0, 7.0)])]))]);
    let server = aws(vec![say(first), say(second)]).await;
    let metric = Metric {
        namespace: "AWS/ApplicationELB".into(),
        name: "RequestCount".into(),
        dimensions: vec![("LoadBalancer".into(), "app/x".into())],
        statistic: "Sum".into(),
        period: Duration::from_mins(1),
        from: Timestamp(0),
        to: Timestamp(180_000),
    };
    let found = account(&wired(&server)).series(&[metric.clone(), metric]).await.unwrap();
    assert!(found[0].complete && !found[1].complete, "{found:?}");
    let points: Vec<(u64, f64)> = found[0].points.iter().map(|point| (point.at.0, point.value)).collect();
    assert_eq!(points, [(0, 7.0), (60_000, 5.0)]);
}
