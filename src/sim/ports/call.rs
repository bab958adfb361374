//! One call to the AWS of the world: when it may be sent, when it is tried again, and what its failure means.

use super::Inside;
use crate::plan::Timestamp;
use crate::port::Clock;
use crate::run::Fault;
use crate::sim::{Refusal, World};
use std::sync::Arc;
use std::time::Duration;

/// How often a look is tried.
const LOOKS: u32 = 4;
/// How long it waits before the second try; twice as long each time, up to the longest.
const PAUSE: Duration = Duration::from_millis(300);
const LONGEST: Duration = Duration::from_secs(5);
/// How long an answer is waited for.
const ANSWER: Duration = Duration::from_secs(10);

const THROTTLED: [&str; 10] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "PriorRequestNotComplete",
    "SlowDown",
    "BandwidthLimitExceeded",
];
const CREDENTIALS: [&str; 14] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
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
];
const DENIED: [&str; 4] =
    ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException"];

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
        } else if (400..500).contains(&refusal.status) && !refusal.code.is_empty() {
            Class::Refused
        } else {
            Class::Lost
        };
        Self { class, code: refusal.code, text: refusal.message }
    }

    /// As a fault of a look, or of a write.
    pub(super) fn fault(self, call: &Call<'_>, write: bool) -> Fault {
        let code = if self.code.is_empty() { String::new() } else { format!("{}: ", self.code) };
        let text = format!("{} {} of {}: {code}{}", call.service, call.operation, call.resource, self.text);
        match self.class {
            Class::Lost if write => Fault::lost(text),
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
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    /// `route53`, as scripted faults name it.
    pub(super) service: &'a str,
    /// `GetChange`.
    pub(super) operation: &'a str,
    /// What it is about; scripted faults look for their text in here.
    pub(super) resource: &'a str,
}

/// An account of the world, as a target names it.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) inside: Arc<Inside>,
    pub(super) number: String,
}

impl Account {
    /// A look, told as a fault.
    pub(super) async fn look<T: Send>(
        &self,
        call: Call<'_>,
        look: impl Fn(&mut World, Timestamp) -> Result<T, Refusal> + Send + Sync,
    ) -> Result<T, Fault> {
        self.read(call, look).await.map_err(|failure| failure.fault(&call, false))
    }

    /// A look: whatever may pass is tried again a few times.
    pub(super) async fn read<T: Send>(
        &self,
        call: Call<'_>,
        look: impl Fn(&mut World, Timestamp) -> Result<T, Refusal> + Send + Sync,
    ) -> Result<T, Failure> {
        self.ready().await?;
        let again = |class| matches!(class, Class::Later | Class::Lost);
        self.inside.repeat(call, LOOKS, Timestamp::NEVER, again, &look).await
    }

    /// A write: only what was certainly refused, and may not be the next time, is tried again, until the deadline.
    pub(super) async fn write<T: Send>(
        &self,
        call: Call<'_>,
        until: Timestamp,
        change: impl Fn(&mut World, Timestamp) -> Result<T, Refusal> + Send + Sync,
    ) -> Result<T, Failure> {
        self.ready().await?;
        self.inside.repeat(call, u32::MAX, until, |class| class == Class::Later, &change).await
    }

    /// The account is asserted once: nothing is even looked at in a wrong one.
    async fn ready(&self) -> Result<(), Failure> {
        if self.inside.known().accounts.contains(&self.number) {
            return Ok(());
        }
        let call = Call { service: "sts", operation: "GetCallerIdentity", resource: "" };
        let again = |class| matches!(class, Class::Later | Class::Lost);
        let whose = |world: &mut World, _| Ok(world.account.clone());
        let found = self.inside.repeat(call, LOOKS, Timestamp::NEVER, again, &whose).await?;
        if found != self.number {
            let text = format!(
                "the credentials are of account {found}, and the plan means {}; nothing was sent",
                self.number
            );
            return Err(Failure::unanswered(Class::Refused, &text));
        }
        self.inside.known().accounts.insert(found);
        Ok(())
    }
}

impl Inside {
    async fn repeat<T: Send>(
        &self,
        call: Call<'_>,
        tries: u32,
        until: Timestamp,
        again: impl Fn(Class) -> bool + Send,
        perform: &(impl Fn(&mut World, Timestamp) -> Result<T, Refusal> + Send + Sync),
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
        perform: &(impl Fn(&mut World, Timestamp) -> Result<T, Refusal> + Send + Sync),
    ) -> Result<T, Failure> {
        if self.clock.now() >= until {
            let text = "the deadline of this call passed before it was sent";
            return Err(Failure::unanswered(Class::Late, text));
        }
        let names = (call.service, call.operation, call.resource);
        let refuse = |rule: crate::sim::FaultRule| Err(rule.refusal(call.service));
        let perform = || std::future::ready(Some(self.look(perform)));
        let answer = tokio::select! {
            answer = self.meet(names, refuse, perform) => answer,
            () = self.wait(ANSWER) => None,
        };
        match answer {
            Some(answer) => answer.map_err(Failure::of),
            None => Err(Failure::unanswered(Class::Lost, "no answer came")),
        }
    }
}
