//! One call to the AWS of the world: when it may be sent, when it is tried again, and what its failure means.

use super::Inside;
use super::found::Found;
use super::gate::Admitted;
use crate::mutant::{Mistake, on};
use crate::plan::Timestamp;
use crate::port::Clock;
use crate::run::Fault;
use crate::sim::ledger::{self, Passage};
use crate::sim::write::Write;
use crate::sim::{Refusal, Strike, World};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

/// How often a look is tried.
const LOOKS: u32 = 4;
/// How long it waits before the second try; twice as long each time, up to the longest.
const PAUSE: Duration = Duration::from_millis(300);
const LONGEST: Duration = Duration::from_secs(5);
/// How long an answer is waited for.
const ANSWER: Duration = Duration::from_secs(10);

const THROTTLED: [&str; 11] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "PriorRequestNotComplete",
    "ConcurrentUpdateException",
    "SlowDown",
    "BandwidthLimitExceeded",
];
const CREDENTIALS: [&str; 17] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "RequestInTheFuture",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "AuthFailure",
    "NotAuthorizedException",
    "BADKEY",
];
const DENIED: [&str; 5] =
    ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException", "REFUSED"];

const TIMED_OUT: [&str; 2] = ["RequestTimeout", "RequestTimeoutException"];

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Refused,
    /// Not now.
    Later,
    Credentials,
    Denied,
    /// Nobody knows.
    Lost,
    /// The deadline has passed: it never left.
    Late,
}

/// A call that failed.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) class: Class,
    pub(super) code: String,
    pub(super) text: String,
}

impl Failure {
    fn unanswered(class: Class, text: &str) -> Self {
        Self { class, code: String::new(), text: text.into() }
    }

    fn of(refusal: Refusal) -> Self {
        let among = |codes: &[&str]| codes.contains(&&*refusal.code);
        let class = if among(&THROTTLED) || refusal.status == 429 {
            Class::Later
        } else if among(&CREDENTIALS) {
            Class::Credentials
        } else if among(&DENIED) || matches!(refusal.status, 401 | 403) {
            Class::Denied
        } else if among(&TIMED_OUT) || refusal.status == 408 {
            Class::Lost
        } else if (400..500).contains(&refusal.status) && !refusal.code.is_empty() {
            Class::Refused
        } else {
            Class::Lost
        };
        Self { class, code: refusal.code, text: refusal.message }
    }

    /// As a fault of a look, or of a write.
    pub(super) fn fault(self, call: &Call<'_>) -> Fault {
        let write = call.writes;
        let code = if self.code.is_empty() { String::new() } else { format!("{}: ", self.code) };
        let text = format!("{} {} of {}: {code}{}", call.service, call.operation, call.resource, self.text);
        match self.class {
            Class::Lost if write => Fault::lost(text),
            Class::Later if on(Mistake::ThrottleFails) => Fault::permanent(text),
            Class::Later | Class::Lost => Fault::transient(text),
            // Time alone is no failure.
            Class::Late => Fault::blind(text),
            Class::Credentials => Fault::blind(format!("{text}; renew the credentials, then continue")),
            Class::Denied if !write => Fault::blind(format!("{text}; these credentials may not look")),
            Class::Refused | Class::Denied => Fault::permanent(text),
        }
    }
}

/// What is called.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    /// `route53`, as scripted faults name it.
    pub(super) service: &'static str,
    /// `GetChange`.
    pub(super) operation: &'static str,
    /// What it is about; scripted faults look for their text in here. Nobody writes it down unless it is asked for.
    pub(super) resource: &'a (dyn Display + Sync),
    pub(super) writes: bool,
}

/// An account of the world, as a target names it.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) inside: Arc<Inside>,
    /// None: what is reached by a key of its own, and is in no account.
    pub(super) number: Option<String>,
}

impl Account {
    /// A look, told as a fault.
    pub(super) async fn look<T: Found>(
        &self,
        call: Call<'_>,
        look: impl Fn(&mut World, Timestamp) -> Result<T, Refusal> + Send + Sync,
    ) -> Result<T, Fault> {
        self.read(call, look).await.map_err(|failure| failure.fault(&call))
    }

    /// A look: whatever may pass is tried again a few times.
    pub(super) async fn read<T: Found>(
        &self,
        call: Call<'_>,
        look: impl Fn(&mut World, Timestamp) -> Result<T, Refusal> + Send + Sync,
    ) -> Result<T, Failure> {
        self.ready().await?;
        self.inside.look_at(call, look).await
    }

    /// A write: only what was certainly refused, and may not be the next time, is tried again, until the deadline.
    /// Returns what names it.
    pub(super) async fn write(
        &self,
        call: Call<'_>,
        until: Timestamp,
        write: Write,
    ) -> Result<String, Failure> {
        self.ready().await?;
        let perform =
            |world: &mut World, now: Timestamp, passage: &Passage| world.write_struck(&write, passage, now);
        self.inside.repeat(call, u32::MAX, until, |class| class == Class::Later, &perform).await
    }

    /// The account is asserted once: nothing is even looked at in a wrong one.
    pub(super) async fn ready(&self) -> Result<(), Failure> {
        let Some(number) = &self.number else { return Ok(()) };
        if self.inside.known().accounts.contains(number) {
            return Ok(());
        }
        let call = Call { service: "sts", operation: "GetCallerIdentity", resource: &"", writes: false };
        let found = self.inside.look_at(call, |world, _| Ok(world.account.clone())).await?;
        if found != *number {
            let text = format!(
                "the credentials are of account {found}, and the plan means {number}; nothing was sent"
            );
            return Err(Failure::unanswered(Class::Refused, &text));
        }
        self.inside.known().accounts.insert(found);
        Ok(())
    }
}

/// What a look sees, as the strike that it meets wants it.
fn seen<T: Found>(
    look: &impl Fn(&mut World, Timestamp) -> Result<T, Refusal>,
    world: &mut World,
    now: Timestamp,
    passage: &Passage,
) -> Result<T, Refusal> {
    match passage.strike {
        Some(Strike::Stale) => match world.ledger.past(now).cloned() {
            Some(mut past) => look(&mut past, now),
            None => look(world, now),
        },
        Some(Strike::Partial) => look(world, now).map(|mut found| {
            found.cut();
            found
        }),
        Some(Strike::Silent) => look(world, now).map(|mut found| {
            found.hush();
            found
        }),
        _ => look(world, now),
    }
}

impl Inside {
    /// A look that is not repeated: whoever wants it looks again anyway.
    pub(super) async fn look_once<T: Found>(
        &self,
        call: Call<'_>,
        look: impl Fn(&mut World, Timestamp) -> Result<T, Refusal> + Send + Sync,
    ) -> Result<T, Failure> {
        let perform = |world: &mut World, now: Timestamp, passage: &Passage| seen(&look, world, now, passage);
        self.once(call, Timestamp::NEVER, &perform).await
    }

    async fn look_at<T: Found>(
        &self,
        call: Call<'_>,
        look: impl Fn(&mut World, Timestamp) -> Result<T, Refusal> + Send + Sync,
    ) -> Result<T, Failure> {
        let perform = |world: &mut World, now: Timestamp, passage: &Passage| seen(&look, world, now, passage);
        let again = |class| matches!(class, Class::Later | Class::Lost) && !on(Mistake::ThrottleFails);
        self.repeat(call, LOOKS, Timestamp::NEVER, again, &perform).await
    }

    async fn repeat<T: Send>(
        &self,
        call: Call<'_>,
        tries: u32,
        until: Timestamp,
        again: impl Fn(Class) -> bool + Send,
        perform: &(impl Fn(&mut World, Timestamp, &Passage) -> Result<T, Refusal> + Send + Sync),
    ) -> Result<T, Failure> {
        let mut pause = PAUSE;
        for _ in 1..tries {
            let failure = match self.once(call, until, perform).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let next = self.clock.now().after(pause);
            if !again(failure.class) || next >= until {
                return Err(failure);
            }
            self.clock.sleep_until(next).await;
            pause = (pause * 2).min(LONGEST);
        }
        self.once(call, until, perform).await
    }

    async fn once<T: Send>(
        &self,
        call: Call<'_>,
        until: Timestamp,
        perform: &(impl Fn(&mut World, Timestamp, &Passage) -> Result<T, Refusal> + Send + Sync),
    ) -> Result<T, Failure> {
        if self.clock.now() >= until && !on(Mistake::SentTooLate) {
            let text = "the deadline of this call passed before it was sent";
            return Err(Failure::unanswered(Class::Late, text));
        }
        let Call { service, operation, resource, writes } = call;
        let passage =
            match self.admit(&ledger::Call { service, method: None, operation, resource, writes }, perform) {
                Admitted::Done(answer) => return answer.map_err(Failure::of),
                Admitted::Dead => return self.never().await,
                Admitted::Met(passage) => passage,
            };
        let refuse = |rule: crate::sim::FaultRule| Err(rule.refusal(service));
        let struck = || async {
            let strike = passage.strike.as_ref();
            if let Some(refusal) = strike.and_then(|strike| strike.refusal(service, operation)) {
                return Some(Err(refusal));
            }
            let arrives = strike != Some(&Strike::LostBefore);
            let answer = arrives.then(|| self.look(|world, now| perform(world, now, &passage)));
            self.answer(strike).await;
            answer
        };
        let answer = tokio::select! {
            biased;
            answer = self.meet((service, &operation, resource), refuse, struck) => answer,
            () = self.wait(ANSWER) => None,
        };
        match answer {
            Some(answer) => answer.map_err(Failure::of),
            None => Err(Failure::unanswered(Class::Lost, "no answer came")),
        }
    }
}
