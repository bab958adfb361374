//! What is measured and logged while a test's clock runs: it is published minute by minute, before anybody asks for it.

use super::stage::Stage;
use crate::plan::Timestamp;
use crate::port::Clock;
use serde_json::{Map, Value as Json, json};

const MINUTE: u64 = 60_000;
/// Where lines stand for which the world's text names no stream.
const STREAM: &str = "s";

/// What is published, and up to when it was.
pub(super) struct Published {
    metrics: Map<String, Json>,
    logs: Map<String, Json>,
    until: Timestamp,
}

impl Published {
    pub(super) fn since(moment: Timestamp) -> Self {
        Self { metrics: Map::new(), logs: Map::new(), until: Timestamp(moment.0 / MINUTE * MINUTE) }
    }
}

impl Stage {
    /// From this minute on these are what the world's text says. A formula is nothing that anybody publishes.
    pub(super) async fn publish_from_now(&self, what: &str, stated: &Json) {
        self.publish().await;
        let mut published = self.published.lock().await;
        for (key, stated) in stated.as_object().into_iter().flatten() {
            if what == "logs" {
                if !key.contains(' ') && !published.logs.contains_key(key) {
                    self.make_log(key).await;
                    let others = stated["streams"].as_object().into_iter().flatten();
                    let others = others.map(|(stream, said)| (&**stream, said));
                    for (stream, said) in [(STREAM, &stated["says"])].into_iter().chain(others) {
                        self.make_stream(key, stream).await;
                        let said = said.as_array().into_iter().flatten().zip(self.clock().now().0..);
                        let line = |(line, at): (&Json, u64)| json!({"timestamp": at, "message": line});
                        let lines: Vec<Json> = said.map(line).collect();
                        if !lines.is_empty() {
                            self.put_lines(key, stream, &lines).await;
                        }
                    }
                }
                published.logs.insert(key.clone(), stated.clone());
            } else if key.split(' ').skip(2).all(|word| word.contains('=')) {
                published.metrics.insert(key.clone(), stated.clone());
            }
        }
    }

    /// All up to the minute that is not over yet.
    pub(super) async fn publish(&self) {
        let mut published = self.published.lock().await;
        let now = Timestamp(self.clock().now().0 / MINUTE * MINUTE);
        let step = MINUTE.try_into().unwrap();
        let minutes: Vec<Timestamp> = (published.until.0..now.0).step_by(step).map(Timestamp).collect();
        if minutes.is_empty() {
            return;
        }
        published.until = now;
        for (key, stated) in &published.metrics {
            if !stated["value"].is_null() {
                self.put_metric(key, stated, &minutes).await;
            }
        }
        for (group, stated) in published.logs.iter().filter(|(key, _)| !key.contains(' ')) {
            let lines: Vec<Json> =
                minutes.iter().flat_map(|minute| lines(&published.logs, group, stated, *minute)).collect();
            if !lines.is_empty() {
                self.put_lines(group, STREAM, &lines).await;
            }
        }
    }
}

/// The lines of one minute; those that match a pattern, which stands beside the group, are the first of them.
fn lines(logs: &Map<String, Json>, group: &str, stated: &Json, minute: Timestamp) -> Vec<Json> {
    let all = stated["a_minute"].as_u64().unwrap_or(0);
    let patterns: Vec<(&str, u64)> = logs
        .iter()
        .filter_map(|(key, stated)| Some((key.split_once(' ')?, stated["a_minute"].as_u64()?)))
        .filter(|((of, _), _)| *of == group)
        .map(|((_, pattern), number)| (pattern, number))
        .collect();
    let line = |at: u64| {
        let found = patterns.iter().filter(|(_, number)| at < *number).map(|(pattern, _)| *pattern);
        let message = [vec!["line"], found.collect()].concat().join(" ");
        json!({"timestamp": minute.0 + at * MINUTE / all, "message": message})
    };
    (0..all).map(line).collect()
}
