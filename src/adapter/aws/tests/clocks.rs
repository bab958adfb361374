//! A clock of ours that is wrong: what AWS says of a time is then of another time, and nobody can tell which.

use super::cloudwatch::{alarm, list, map, metric, result, say};
use super::*;
use crate::port::{LogQuery, ReadMetrics};
use std::time::Duration;

/// The answer of an AWS whose clock is so many seconds ahead of ours.
fn ahead(seconds: i64, answer: Say) -> Say {
    let Say::Answer(status, mut headers, body) = answer else { return answer };
    let now = i64::try_from(SystemClock::wall().now().0).unwrap() / 1000 + seconds;
    let date = jiff::Timestamp::from_second(now).unwrap();
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date).unwrap();
    headers.push(("date", date));
    Say::Answer(status, headers, body)
}

fn minutes() -> Say {
    say(map(&[("MetricDataResults", list(&[result("m0", "Complete", &[(60.0, 5.0)])]))]))
}

fn alarms() -> Say {
    say(map(&[("MetricAlarms", list(&[alarm("a", "ALARM", &[])]))]))
}

fn lines() -> Say {
    let kind = vec![("content-type", "application/x-amz-json-1.1".into())];
    Say::Answer(200, kind, b"{\"events\": []}".to_vec())
}

fn query() -> LogQuery {
    let (group, pattern) = ("/ecs/aep".into(), "ERROR".into());
    LogQuery { group, pattern, from: Timestamp(60_000), to: Timestamp(120_000), most: 10 }
}

#[tokio::test]
async fn what_a_clock_that_is_wrong_is_told_is_no_evidence() {
    for (seconds, words) in [(-120, "behind ours"), (120, "ahead of ours")] {
        let server =
            aws(vec![ahead(seconds, minutes()), ahead(seconds, alarms()), ahead(seconds, lines())]).await;
        let account = account(&wired(&server));
        let faults = [
            ("cloudwatch GetMetricData", account.series(&[metric("RequestCount")]).await.map(drop)),
            ("cloudwatch DescribeAlarms", account.alarms(&["a".into()]).await.map(drop)),
            ("logs FilterLogEvents", account.lines(&query()).await.map(drop)),
        ];
        for (what, fault) in faults {
            is(&fault.unwrap_err(), FaultKind::Blind, Landed::No, &[what, "its clock is ", words]);
        }
        assert_eq!(calls(&server).len(), 3, "a clock does not become right by asking again");
    }
}

#[tokio::test]
async fn clocks_that_agree_or_are_not_told_are_believed() {
    for seconds in [-20, 0, 20] {
        let server = aws(vec![ahead(seconds, minutes()), minutes(), ahead(seconds, lines())]).await;
        let account = account(&wired(&server));
        for _ in 0..2 {
            assert_eq!(account.series(&[metric("RequestCount")]).await.unwrap()[0].points.len(), 1);
        }
        assert_eq!(account.lines(&query()).await.unwrap().unwrap().count, 0);
    }
}

/// The alarm's time is a minute after the epoch, by AWS's clock.
#[tokio::test]
async fn an_alarm_is_dated_by_our_clock() {
    let since = async |seconds| {
        let server = aws(vec![ahead(seconds, alarms())]).await;
        account(&wired(&server)).alarms(&["a".into()]).await.unwrap()[0].since.unwrap()
    };
    assert_eq!(since(0).await, Timestamp(60_000));
    let (ours_is_ahead, ours_is_behind) = (since(-20).await, since(20).await);
    let near = |at: Timestamp, seconds: u64| {
        let (from, to) = (Timestamp(seconds * 1000 - 2000), Timestamp(seconds * 1000 + 2000));
        (from..to.after(Duration::from_secs(5))).contains(&at)
    };
    assert!(near(ours_is_ahead, 80), "{ours_is_ahead}");
    assert!(near(ours_is_behind, 40), "{ours_is_behind}");
}
