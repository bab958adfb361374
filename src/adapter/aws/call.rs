//! One call to AWS: when it may be sent, where to, when it is tried again, and what its failure means. Each takes from the
//! budget of its account and service.

use super::account::Account;
use super::clocks::Clocks;
use super::keys::{Keys, key_of};
use crate::adapter::budgets::Service;
use crate::adapter::clock::dated;
use crate::plan::Timestamp;
use crate::port::Clock;
use crate::run::Fault;
use aws_sdk_sts::config::Intercept;
use aws_sdk_sts::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
    BeforeTransmitInterceptorContextRef,
};
use aws_sdk_sts::config::{ConfigBag, RuntimeComponents};
use aws_sdk_sts::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;
use serde_json::Value as Json;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often a look is tried; whoever needs it looks again anyway.
const LOOKS: u32 = 4;
/// How long it waits before the second try; twice as long each time, up to the longest.
const PAUSE: Duration = Duration::from_millis(300);
const LONGEST: Duration = Duration::from_secs(5);

/// No answer of AWS is longer, in bytes: whatever is comes from somebody else.
const LONGEST_ANSWER: usize = 32 << 20;

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// AWS said no, with a code.
    Refused,
    /// Not now: AWS is busy, or it did not leave in time.
    Later,
    /// No credentials, or none that AWS takes.
    Credentials,
    /// The credentials may not do this.
    Denied,
    /// Nobody knows: no answer, a 5xx, an answer that nobody understands.
    Lost,
    /// It never left: the deadline has passed.
    Late,
    /// It never left: a setting is wrong.
    Unsent,
    /// It never left: nobody has vouched for the key that it is signed with.
    Unvouched,
}

/// A call that failed.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) class: Class,
    /// AWS's code, where there is one.
    pub(super) code: Option<String>,
    /// AWS's own words, or the cause of silence.
    pub(super) text: String,
}

impl Failure {
    /// The account asks too often; other things pass by themselves, too, such as a zone that is busy.
    fn is_throttle(&self) -> bool {
        let busy = |code: &str| matches!(code, "PriorRequestNotComplete" | "ConcurrentUpdateException");
        self.class == Class::Later && self.code.as_deref().is_some_and(|code| !busy(code))
    }

    /// As a fault of a look, or of a write.
    pub(super) fn fault(&self, what: &str, account: &Account, write: bool) -> Fault {
        let code = self.code.as_ref().map(|code| format!("{code}: ")).unwrap_or_default();
        let text = format!("{what}: {code}{}", self.text);
        match self.class {
            Class::Lost if write => Fault::lost(text),
            Class::Later | Class::Lost | Class::Unvouched => Fault::transient(text),
            // Time alone: this machine was asleep, or too busy to send it.
            Class::Late => Fault::blind(text),
            // A credential that ran out is nobody's failure: it pauses and calls a human, also before a write.
            Class::Credentials => Fault::blind(format!("{text}; {}", account.log_in())),
            Class::Denied if !write => Fault::blind(format!("{text}; these credentials may not look")),
            Class::Refused | Class::Unsent | Class::Denied => Fault::permanent(text),
        }
    }
}

/// Sits on one call: lets it out only in time and only to AWS, and sees whether it left.
#[derive(Clone)]
pub(super) struct Watch {
    clock: Arc<dyn Clock>,
    until: Timestamp,
    /// The only other place that it may go to.
    endpoint: Option<Arc<str>>,
    /// The only keys that it may be signed with; STS, who vouches for them, is asked with any.
    keys: Option<Keys>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    sent: bool,
    key: String,
    clocks: Clocks,
    stopped: Option<(Class, String)>,
    raw: Option<Vec<u8>>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("until", &self.until).finish_non_exhaustive()
    }
}

impl Watch {
    fn new(account: &Account, service: Service, until: Timestamp) -> Self {
        let (clock, endpoint) = (account.clock().clone(), account.place().endpoint.clone());
        let keys = (service != Service::Sts).then(|| account.keys().clone());
        Self { clock, until, endpoint, keys, seen: Arc::default() }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer as JSON, as it came: with what this SDK does not know.
    pub(super) fn raw(&self) -> Json {
        let raw = self.seen().raw.take();
        raw.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// When it was sent and answered by our clock, and by AWS's.
    pub(super) fn clocks(&self) -> Clocks {
        self.seen().clocks
    }

    /// What it was signed with.
    pub(super) fn key(&self) -> String {
        self.seen().key.clone()
    }

    fn stop(&self, class: Class, text: String) -> Result<(), BoxError> {
        self.seen().stopped = Some((class, text.clone()));
        Err(text.into())
    }
}

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "Watch"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let uri = context.request().uri();
        if !at_home(uri, self.endpoint.as_deref()) {
            let origin: String = uri.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
            return self.stop(
                Class::Unsent,
                format!(
                    "would go to {origin}, which is not aws: AWS_ENDPOINT_URL or the profile says so; \
                     unset it, or state `endpoint` on the target if you mean it"
                ),
            );
        }
        let key = key_of(context.request().headers().get("authorization").unwrap_or_default());
        if self.keys.as_ref().is_some_and(|keys| !keys.knows(key)) {
            let text = format!("sts has not said whose the key `{key}` is");
            return self.stop(Class::Unvouched, text);
        }
        let now = self.clock.now();
        if now >= self.until {
            return self.stop(Class::Late, "the deadline of this call passed before it was sent".into());
        }
        let mut seen = self.seen();
        (seen.sent, seen.key, seen.clocks.asked) = (true, key.to_owned(), now);
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let there = context.response().headers().get("date").and_then(dated);
        let mut seen = self.seen();
        (seen.clocks.answered, seen.clocks.there) = (self.clock.now(), there);
        drop(seen);
        let body = context.response_mut().body_mut();
        let whole = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Limited::new(whole, LONGEST_ANSWER));
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.seen().raw = context.response().body().bytes().map(<[u8]>::to_vec);
        Ok(())
    }
}

/// Whether a request goes to AWS, or to the one place that the target names instead.
fn at_home(uri: &str, endpoint: Option<&str>) -> bool {
    const PARTITIONS: [&str; 8] = [
        ".amazonaws.com",
        ".amazonaws.com.cn",
        ".amazonaws.eu",
        ".api.aws",
        ".api.amazonwebservices.com.cn",
        ".c2s.ic.gov",
        ".sc2s.sgov.gov",
        ".cloud.adc-e.uk",
    ];
    if let Some(endpoint) = endpoint {
        let rest = uri.strip_prefix(endpoint.trim_end_matches('/'));
        return rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    }
    let Some(rest) = uri.strip_prefix("https://") else { return false };
    let host = rest.split(['/', '?', ':']).next().unwrap_or_default();
    PARTITIONS.iter().any(|partition| host.ends_with(partition))
}

/// A look: whatever may pass is tried again a few times.
pub(super) async fn read<T, E, F>(
    account: &Account,
    service: Service,
    send: impl Fn(Watch) -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, SdkError<E>>>,
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let again = |class| matches!(class, Class::Later | Class::Lost);
    repeat(account, service, LOOKS, Timestamp::NEVER, again, send).await
}

/// A write: only what AWS certainly refused, and may not the next time, is tried again, until the deadline: a zone may be
/// busy, and others may use up the account's share of calls, for longer than a few tries last.
pub(super) async fn write<T, E, F>(
    account: &Account,
    service: Service,
    until: Timestamp,
    send: impl Fn(Watch) -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, SdkError<E>>>,
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    repeat(account, service, u32::MAX, until, |class| class == Class::Later, send).await
}

async fn repeat<T, E, F>(
    account: &Account,
    service: Service,
    tries: u32,
    until: Timestamp,
    again: impl Fn(Class) -> bool,
    send: impl Fn(Watch) -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, SdkError<E>>>,
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let mut pause = PAUSE;
    for _ in 1..tries {
        let failure = match once(account, service, until, &send).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let next = account.clock().now().after(pause);
        if !again(failure.class) || next >= until {
            return Err(failure);
        }
        account.clock().sleep_until(next).await;
        pause = (pause * 2).min(LONGEST);
    }
    once(account, service, until, &send).await
}

/// Sends it once it is its turn. Credentials that were renewed meanwhile are vouched for first: such a call has not left.
async fn once<T, E, F>(
    account: &Account,
    service: Service,
    until: Timestamp,
    send: &impl Fn(Watch) -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, SdkError<E>>>,
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    account.turn(service, until).await;
    match try_once(account, service, until, send).await {
        Err(failure) if failure.class == Class::Unvouched => {
            Box::pin(account.vouch()).await?;
            try_once(account, service, until, send).await
        }
        answered => answered,
    }
}

async fn try_once<T, E, F>(
    account: &Account,
    service: Service,
    until: Timestamp,
    send: &impl Fn(Watch) -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, SdkError<E>>>,
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let watch = Watch::new(account, service, until);
    let failure = match send(watch.clone()).await {
        Ok(answer) => return Ok(answer),
        Err(error) => failure(&error, &watch),
    };
    if failure.is_throttle() {
        account.throttled(service);
    }
    Err(failure)
}

fn failure<E>(error: &SdkError<E>, watch: &Watch) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let seen = watch.seen();
    if let Some((class, text)) = &seen.stopped {
        return Failure { class: *class, code: None, text: text.clone() };
    }
    if let (SdkError::ServiceError(context), Some(raw)) = (error, error.raw_response()) {
        let status = raw.status().as_u16();
        let code = context.err().code().map(str::to_owned);
        let body =
            || raw.body().bytes().map(|bytes| String::from_utf8_lossy(bytes).chars().take(500).collect());
        let text = context.err().message().map(str::to_owned).or_else(body).unwrap_or_default();
        return Failure { class: class(status, code.as_deref()), code, text };
    }
    let text = causes(error);
    let class = match error {
        _ if seen.sent => Class::Lost,
        SdkError::TimeoutError(_) => Class::Later,
        _ if about_credentials(&text) => Class::Credentials,
        _ => Class::Unsent,
    };
    Failure { class, code: None, text }
}

fn class(status: u16, code: Option<&str>) -> Class {
    match (status, code) {
        (
            _,
            Some(
                "Throttling"
                | "ThrottlingException"
                | "ThrottledException"
                | "RequestThrottled"
                | "RequestThrottledException"
                | "TooManyRequestsException"
                | "RequestLimitExceeded"
                | "PriorRequestNotComplete"
                | "ConcurrentUpdateException"
                | "SlowDown"
                | "BandwidthLimitExceeded",
            ),
        )
        | (429, _) => Class::Later,
        (
            _,
            Some(
                "ExpiredToken"
                | "ExpiredTokenException"
                | "RequestExpired"
                | "RequestTimeTooSkewed"
                | "RequestInTheFuture"
                | "InvalidClientTokenId"
                | "UnrecognizedClientException"
                | "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "InvalidSignatureException"
                | "IncompleteSignature"
                | "IncompleteSignatureException"
                | "MissingAuthenticationToken"
                | "MissingAuthenticationTokenException"
                | "AuthFailure"
                | "NotAuthorizedException",
            ),
        ) => Class::Credentials,
        (
            _,
            Some(
                "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "UnauthorizedException",
            ),
        )
        | (401 | 403, _) => Class::Denied,
        // It came too slowly to be read whole; what was read of it may have been enough.
        (_, Some("RequestTimeout" | "RequestTimeoutException")) | (408, _) => Class::Lost,
        (400..=499, Some(_)) => Class::Refused,
        // A 4xx without a code may be a form that we cannot read, of an answer that means anything.
        _ => Class::Lost,
    }
}

fn about_credentials(text: &str) -> bool {
    let text = text.to_lowercase();
    ["credential", "identity", "token", "sso", "profile"].iter().any(|word| text.contains(word))
}

/// The chain of causes, each told once.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut told: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !told.iter().any(|before| before.contains(&text)) {
            told.push(text);
        }
        next = error.source();
    }
    told.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_only_where_aws_says_so() {
        for (status, code, meant) in [
            (400, Some("Throttling"), Class::Later),
            (400, Some("PriorRequestNotComplete"), Class::Later),
            (429, None, Class::Later),
            (400, Some("RequestExpired"), Class::Credentials),
            (403, Some("RequestTimeTooSkewed"), Class::Credentials),
            (403, Some("AccessDenied"), Class::Denied),
            (403, None, Class::Denied),
            (400, Some("InvalidParameterException"), Class::Refused),
            (400, Some("RequestTimeout"), Class::Lost),
            (408, Some("AnyTimeout"), Class::Lost),
            (400, None, Class::Lost),
            (500, Some("InternalFailure"), Class::Lost),
            (503, Some("ServiceUnavailable"), Class::Lost),
        ] {
            assert_eq!(class(status, code), meant, "{status} {code:?}");
        }
    }

    #[test]
    fn requests_go_to_aws_and_to_no_surprise() {
        for (uri, endpoint, fine) in [
            ("https://route53.amazonaws.com/2013-04-01/x", None, true),
            ("https://ecs.eu-west-1.amazonaws.com/", None, true),
            ("https://ecs.cn-north-1.amazonaws.com.cn/", None, true),
            ("http://localhost:4566/", None, false),
            ("http://ecs.eu-west-1.amazonaws.com/", None, false),
            ("https://amazonaws.com.evil.example/", None, false),
            ("https://evil.example/?x=.amazonaws.com", None, false),
            ("http://127.0.0.1:4566/x", Some("http://127.0.0.1:4566"), true),
            ("http://127.0.0.1:4566?x", Some("http://127.0.0.1:4566/"), true),
            ("http://127.0.0.1:45660/x", Some("http://127.0.0.1:4566"), false),
            ("https://ecs.eu-west-1.amazonaws.com/", Some("http://127.0.0.1:4566"), false),
        ] {
            assert_eq!(at_home(uri, endpoint), fine, "{uri} {endpoint:?}");
        }
    }
}
