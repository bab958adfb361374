//! `CloudWatch`: it speaks CBOR, written here by hand.

use super::*;
use crate::port::{Alarm, AlarmState, Formula, Metric, ReadMetrics};
use std::time::Duration;

pub(super) fn text(text: &str) -> Vec<u8> {
    [&[0x78, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

fn float(value: f64) -> Vec<u8> {
    [&[0xfb][..], &value.to_be_bytes()].concat()
}

pub(super) fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [&[0x80 | u8::try_from(items.len()).unwrap()], &items.concat()[..]].concat()
}

pub(super) fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let parts: Vec<u8> =
        entries.iter().flat_map(|(key, value)| [text(key), value.clone()].concat()).collect();
    [&[0xa0 | u8::try_from(entries.len()).unwrap()], &parts[..]].concat()
}

pub(super) fn result(id: &str, status: &str, points: &[(f64, f64)]) -> Vec<u8> {
    let times: Vec<Vec<u8>> = points.iter().map(|(at, _)| [vec![0xc1], float(*at)].concat()).collect();
    let values: Vec<Vec<u8>> = points.iter().map(|(_, value)| float(*value)).collect();
    map(&[
        ("Id", text(id)),
        ("StatusCode", text(status)),
        ("Timestamps", list(&times)),
        ("Values", list(&values)),
    ])
}

pub(super) fn say(body: Vec<u8>) -> Say {
    let headers =
        vec![("content-type", "application/cbor".into()), ("smithy-protocol", "rpc-v2-cbor".into())];
    Say::Answer(200, headers, body)
}

pub(super) fn metric(name: &str) -> Metric {
    Metric {
        namespace: "AWS/ApplicationELB".into(),
        name: name.into(),
        dimensions: vec![("LoadBalancer".into(), "app/x".into())],
        statistic: "Sum".into(),
        period: Duration::from_mins(1),
        from: Timestamp(0),
        to: Timestamp(180_000),
    }
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
    let metric = metric("RequestCount");
    let found = account(&wired(&server)).series(&[metric.clone(), metric]).await.unwrap();
    assert!(found[0].complete && !found[1].complete, "{found:?}");
    let points: Vec<(u64, f64)> = found[0].points.iter().map(|point| (point.at.0, point.value)).collect();
    assert_eq!(points, [(0, 7.0), (60_000, 5.0)]);
}

/// An alarm that says this since a minute after the epoch.
pub(super) fn alarm(name: &str, state: &str, more: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let since = [vec![0xc1], float(60.0)].concat();
    let mut fields = vec![
        ("AlarmName", text(name)),
        ("StateValue", text(state)),
        ("StateReason", text("why")),
        ("StateTransitionedTimestamp", since),
        ("ActionsEnabled", vec![0xf5]),
    ];
    fields.extend_from_slice(more);
    map(&fields)
}

#[tokio::test]
async fn alarms_of_all_kinds_are_told_page_by_page() {
    let first = map(&[
        ("MetricAlarms", list(&[alarm("a", "OK", &[("EvaluationState", text("PARTIAL_DATA"))])])),
        ("NextToken", text("more")),
    ]);
    let second = map(&[
        ("MetricAlarms", list(&[alarm("b", "ALARM", &[])])),
        ("CompositeAlarms", list(&[alarm("c", "INSUFFICIENT_DATA", &[])])),
        ("LogAlarms", list(&[alarm("d", "ALARM", &[("EvaluationState", text("EVALUATION_ERROR"))])])),
    ]);
    let server = aws(vec![say(first), say(second)]).await;
    let names: Vec<String> = ["a", "b", "c", "d", "gone"].map(str::to_owned).to_vec();
    let found = account(&wired(&server)).alarms(&names).await.unwrap();
    let told = |alarm: &Alarm| (alarm.name.clone(), alarm.state.clone(), alarm.trouble.clone());
    let unknown = AlarmState::Unknown("INSUFFICIENT_DATA".into());
    let part = Some("PARTIAL_DATA".to_owned());
    assert_eq!(
        found.iter().map(told).collect::<Vec<_>>(),
        [
            ("a".into(), AlarmState::Ok, part),
            ("b".into(), AlarmState::Firing, None),
            ("c".into(), unknown, None),
            ("d".into(), AlarmState::Firing, Some("EVALUATION_ERROR".to_owned())),
        ]
    );
    assert!(found.iter().all(|alarm| alarm.enabled && alarm.since == Some(Timestamp(60_000))), "{found:?}");
    let asked = calls(&server);
    for word in ["MetricAlarm", "CompositeAlarm", "LogAlarm", "gone"] {
        assert!(asked[0].body.contains(word), "{asked:?}");
    }
    assert!(asked[1].body.contains("more"), "{asked:?}");
}

#[tokio::test]
async fn where_nobody_knows_alarms_on_logs_the_others_are_told() {
    let Say::Answer(_, headers, _) = say(Vec::new()) else { unreachable!() };
    let refused =
        map(&[("__type", text("ValidationError")), ("message", text("1 validation error detected"))]);
    let told = say(map(&[("MetricAlarms", list(&[alarm("a", "OK", &[])]))]));
    let server = aws(vec![Say::Answer(400, headers, refused), told]).await;
    let found = account(&wired(&server)).alarms(&["a".to_owned()]).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    let asked: Vec<bool> = calls(&server).iter().map(|seen| seen.body.contains("LogAlarm")).collect();
    assert_eq!(asked, [true, false]);
}

#[tokio::test]
async fn more_alarms_than_one_call_takes_are_asked_for_in_several() {
    let server = aws(vec![say(map(&[("MetricAlarms", list(&[]))]))]).await;
    let names: Vec<String> = (0..201).map(|number| format!("alarm-{number}.")).collect();
    assert_eq!(account(&wired(&server)).alarms(&names).await.unwrap(), []);
    let asked: Vec<usize> = calls(&server).iter().map(|seen| seen.body.matches("alarm-").count()).collect();
    assert_eq!(asked, [100, 100, 1]);
}

#[tokio::test]
async fn a_formula_comes_to_one_series() {
    let formula = Formula {
        expression: "100 * errors / requests".into(),
        metrics: vec![
            ("errors".into(), metric("HTTPCode_ELB_5XX_Count")),
            ("requests".into(), metric("RequestCount")),
        ],
        period: Duration::from_mins(1),
        from: Timestamp(0),
        to: Timestamp(180_000),
    };
    let whole = result("switchover", "Complete", &[(60.0, 5.0), (0.0, 7.0)]);
    let one = map(&[("MetricDataResults", list(std::slice::from_ref(&whole)))]);
    let part = result("switchover", "PartialData", &[]);
    let none = map(&[("MetricDataResults", list(&[part]))]);
    let two = map(&[("MetricDataResults", list(&[whole.clone(), whole]))]);
    let server = aws(vec![say(one), say(none), say(two)]).await;
    let account = account(&wired(&server));
    let found = account.computed(&formula).await.unwrap();
    let points: Vec<(u64, f64)> = found.points.iter().map(|point| (point.at.0, point.value)).collect();
    assert!(found.complete && points == [(0, 7.0), (60_000, 5.0)], "{found:?}");
    assert!(!account.computed(&formula).await.unwrap().complete);
    let fault = account.computed(&formula).await.unwrap_err();
    is(&fault, FaultKind::Permanent, Landed::No, &["2 series"]);
    let asked = &calls(&server)[0].body;
    assert!(asked.contains("100 * errors / requests") && asked.contains("HTTPCode_ELB_5XX_Count"), "{asked}");
}
