//! Throttles: they slow down who watches, in whichever run of the process, and never who undoes.

use super::*;
use crate::port::{Rule, Urgency, WriteTraffic};
use crate::sim::VirtualClock;
use std::time::Duration;

const HEALTHY: &str =
    "<DescribeTargetHealthResponse><DescribeTargetHealthResult/></DescribeTargetHealthResponse>";
const MODIFIED: &str = "<ModifyRuleResponse><ModifyRuleResult/></ModifyRuleResponse>";

fn throttled() -> Say {
    Say::text(
        400,
        "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>",
    )
}

/// An answer to whatever is asked of rules and targets; the first so many calls are throttled.
async fn throttling(times: usize) -> Server {
    let left = std::sync::Mutex::new(times);
    Server::plain(move |seen: &Seen| {
        if seen.body.contains("Action=GetCallerIdentity") {
            return identity(ACCOUNT);
        }
        let mut left = left.lock().unwrap();
        if *left > 0 {
            *left -= 1;
            return throttled();
        }
        Say::text(200, if seen.body.contains("Action=ModifyRule") { MODIFIED } else { HEALTHY })
    })
    .await
}

/// Runs of one process: each has connections of its own.
struct Process {
    clock: Arc<VirtualClock>,
    wiring: Wiring,
    budgets: Budgets,
}

impl Process {
    fn of(server: &Server) -> Self {
        let clock = Arc::new(VirtualClock::new(Timestamp(1_800_000_000_000)));
        Self { clock, wiring: wired(server), budgets: Budgets::default() }
    }

    fn run(&self, urgency: Urgency) -> Arc<Account> {
        let place =
            Place { account: ACCOUNT.into(), region: "eu-west-1".into(), profile: None, endpoint: None };
        let (clock, budgets) = (self.clock.clone(), self.budgets.clone());
        let account = Account::new(place, clock, Arc::default(), Some(&self.wiring), budgets);
        Arc::new(account.serving(urgency))
    }

    /// What it says, unless it waits for another moment.
    async fn at_once<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(Duration::from_millis(300), call).await.ok()
    }

    /// The same; time passes for whoever waits.
    async fn in_time<T>(&self, call: impl Future<Output = T>) -> T {
        let mut call = std::pin::pin!(call);
        loop {
            if let Some(said) = self.at_once(&mut call).await {
                return said;
            }
            self.clock.advance();
        }
    }

    /// Uses up what watching may use.
    async fn watch(&self) -> usize {
        let mut looks = 0;
        while self.at_once(self.run(Urgency::Watching).targets("arn")).await.is_some() {
            looks += 1;
        }
        looks
    }
}

fn rule() -> Rule {
    Rule {
        arn: "arn:rule".into(),
        listener: "arn:listener".into(),
        priority: Some(1),
        conditions: Vec::new(),
        actions: Vec::new(),
    }
}

#[tokio::test]
async fn an_undo_goes_through_at_once_while_watchers_of_other_runs_wait() {
    let server = throttling(0).await;
    let process = Process::of(&server);
    assert_eq!(process.watch().await, 8, "of twenty calls at once twelve are left for what matters more");
    assert!(process.at_once(process.run(Urgency::Watching).targets("arn")).await.is_none());
    let settles = process.run(Urgency::Settling);
    assert!(process.at_once(settles.targets("arn")).await.is_some());
    for _ in 0..20 {
        let undo = process.run(Urgency::Undoing).until(Timestamp::NEVER);
        process.at_once(undo.set_actions(&rule(), &[])).await.expect("it waits for nobody").unwrap();
    }
    assert!(process.at_once(settles.targets("arn")).await.is_none(), "even the reserve is used up");
    let before = process.clock.now();
    process.in_time(settles.targets("arn")).await.unwrap();
    assert_eq!(process.clock.now().since(before), Duration::from_millis(200));
}

/// external-dns#1293: looks were throttled every minute, and so changes came late.
#[tokio::test]
async fn a_throttle_makes_watchers_wait_and_no_undo() {
    let server = throttling(1).await;
    let process = Process::of(&server);
    let before = process.clock.now();
    process.in_time(process.run(Urgency::Watching).targets("arn")).await.unwrap();
    // Eight of twelve calls are left, and thirteen are needed: five at five a second.
    assert_eq!(process.clock.now().since(before), Duration::from_secs(1));
    assert!(process.at_once(process.run(Urgency::Watching).targets("arn")).await.is_none());
    let undo = process.run(Urgency::Undoing).until(Timestamp::NEVER);
    process.at_once(undo.set_actions(&rule(), &[])).await.expect("it waits for nobody").unwrap();
}

#[tokio::test]
async fn an_undo_that_is_throttled_itself_tries_again_soon() {
    let server = throttling(2).await;
    let process = Process::of(&server);
    let before = process.clock.now();
    let undo = process.run(Urgency::Undoing).until(Timestamp::NEVER);
    process.in_time(undo.set_actions(&rule(), &[])).await.unwrap();
    assert_eq!(process.clock.now().since(before), Duration::from_millis(300 + 600));
    assert_eq!(process.watch().await, 0, "watching makes room");
}

/// terraform#1194: a prior request was still being processed. It is of one zone, and no throttle.
#[tokio::test]
async fn a_zone_that_is_busy_slows_nobody_down() {
    let busy = "<ErrorResponse><Error><Code>PriorRequestNotComplete</Code><Message>busy</Message></Error></ErrorResponse>";
    let server = aws(vec![Say::text(400, busy), Say::text(200, HEALTHY)]).await;
    let process = Process::of(&server);
    process.in_time(process.run(Urgency::Watching).targets("arn")).await.unwrap();
    assert!(process.at_once(process.run(Urgency::Watching).targets("arn")).await.is_some());
}
