//! `CloudWatch Logs`: lines that match a pattern are counted page by page, and none of them is kept. The newest of one stream are
//! read where the plan asks for them. And whether a log group is there.

use super::account::Account;
use super::call::{self, Watch};
use crate::adapter::budgets::Service;
use crate::plan::Timestamp;
use crate::port::{Lines, LogQuery, LogStream};
use crate::run::Fault;

/// How many lines one page has at most.
const PAGE: u64 = 10_000;
/// How many pages are read for one question. An account is answered only a few times a second, for all who ask.
const PAGES: usize = 10;

impl Account {
    /// What [`crate::port::ReadMetrics::lines`] says.
    pub(super) async fn lines_of(&self, query: &LogQuery) -> Result<Option<Lines>, Fault> {
        let unseen = self.unseen("logs FilterLogEvents", &query.group);
        let client = self.logs().await.map_err(&unseen)?;
        let pattern = Some(&query.pattern).filter(|pattern| !pattern.is_empty());
        let (mut count, mut next) = (0, None::<String>);
        for _ in 0..PAGES {
            let limit = i32::try_from(query.most.saturating_sub(count).clamp(1, PAGE)).ok();
            let ask = |watch: Watch| {
                let sent = client
                    .filter_log_events()
                    .log_group_name(&query.group)
                    .set_filter_pattern(pattern.cloned())
                    .start_time(moment(query.from))
                    // What was written at that moment is told, too.
                    .end_time(moment(query.to) - 1)
                    .set_limit(limit)
                    .set_next_token(next.clone())
                    .customize()
                    .interceptor(watch.clone())
                    .send();
                async move { Ok((sent.await?, watch.clocks())) }
            };
            let (page, clocks) = match call::read(self, Service::Logs, ask).await {
                Err(failure) if failure.code.as_deref() == Some("ResourceNotFoundException") => {
                    return Ok(None);
                }
                page => page.map_err(&unseen)?,
            };
            clocks.agree("logs FilterLogEvents")?;
            count += page.events.unwrap_or_default().len() as u64;
            // An empty page is not the last: only one without a token is.
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() || count >= query.most {
                break;
            }
        }
        Ok(Some(Lines { count, whole: next.is_none() }))
    }
}

impl Account {
    /// What [`crate::port::ReadMetrics::newest_lines`] says.
    pub(super) async fn newest_of(
        &self,
        LogStream { group, stream }: &LogStream,
        most: u32,
    ) -> Result<Option<Vec<String>>, Fault> {
        let unseen = self.unseen("logs GetLogEvents", group);
        let client = self.logs().await.map_err(&unseen)?;
        let mut next = None::<String>;
        for _ in 0..PAGES {
            let ask = |watch: Watch| {
                client
                    .get_log_events()
                    .log_group_name(group)
                    .log_stream_name(stream)
                    .start_from_head(false)
                    .set_limit(i32::try_from(most).ok())
                    .set_next_token(next.clone())
                    .customize()
                    .interceptor(watch)
                    .send()
            };
            let page = match call::read(self, Service::Logs, ask).await {
                Err(failure) if failure.code.as_deref() == Some("ResourceNotFoundException") => {
                    return Ok(None);
                }
                page => page.map_err(&unseen)?,
            };
            let events = page.events.unwrap_or_default();
            // An empty page is not the last: that one says the token again that it was asked with.
            if !events.is_empty() || page.next_backward_token.is_none() || page.next_backward_token == next {
                return Ok(Some(events.into_iter().filter_map(|event| event.message).collect()));
            }
            next = page.next_backward_token;
        }
        Ok(Some(Vec::new()))
    }
}

impl Account {
    /// Whether there is a log group of just this name; `None`: too many begin like that.
    pub(super) async fn has_group(&self, group: &str) -> Result<Option<bool>, Fault> {
        let unseen = self.unseen("logs DescribeLogGroups", group);
        let client = self.logs().await.map_err(&unseen)?;
        let mut next = None::<String>;
        for _ in 0..PAGES {
            let ask = |watch: Watch| {
                client
                    .describe_log_groups()
                    .log_group_name_prefix(group)
                    .set_next_token(next.clone())
                    .customize()
                    .interceptor(watch)
                    .send()
            };
            let page = call::read(self, Service::Logs, ask).await.map_err(&unseen)?;
            let mut groups = page.log_groups.unwrap_or_default().into_iter();
            if groups.any(|found| found.log_group_name.as_deref() == Some(group)) {
                return Ok(Some(true));
            }
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(Some(false));
            }
        }
        Ok(None)
    }
}

fn moment(at: Timestamp) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}
