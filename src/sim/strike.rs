//! What a rehearsal makes of one call: refusals, losses, lies, and the death of the process that made it.
//!
//! Plain data: whoever serves the call obeys. Not here: which call is struck (`ledger`), scripted faults (`fault`).

use super::compute::Refusal;
use super::fault::{FaultKind, FaultRule};
use std::{sync::Arc, time::Duration};

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strike {
    /// Refused for certain, and so again. A request over http is answered with the code as its status, if it is one; a
    /// command does not start.
    Refused {
        /// `ClientException`, `409`.
        code: Arc<str>,
        /// Why.
        message: Arc<str>,
    },
    /// These credentials may not; http: 403; a command may not be executed.
    Denied,
    /// These credentials are too old; http: 401.
    Expired,
    /// Too many calls; http: 429.
    Throttled,
    /// AWS answers 503 and did nothing; http refuses the connection; a command cannot start now.
    Unavailable,
    /// It never arrives, and no answer comes. The supervisor of a command dies before the command starts.
    LostBefore,
    /// It lands, and no answer comes. The supervisor of a command dies after its end.
    LostAfter,
    /// No answer comes, and it lands so much later. A command lives on that nobody can stop.
    Late(Duration),
    /// Answered as if all were well, and:
    ///
    /// - a batch of record sets: the first that it creates has another value; if it creates none, nothing happens;
    /// - a definition is registered with another image;
    /// - a service is set to another active definition of the family; if there is none, to what it had, by force;
    /// - a rule deals the other way round;
    /// - attributes are a second off;
    /// - a service may have one task more;
    /// - no task is started or stopped, and no service deployment turned back;
    /// - a program forgets what was sent to it;
    /// - a command does nothing.
    Wrong,
    /// It lands, and so much later somebody else puts back what was there.
    Reverted(Duration),
    /// It lands, and its answer comes so much later: too late for who waits less long. A command takes longer.
    Slow(Duration),
    /// A look sees the world as it was before the newest write that landed: for [`STALE`](super::STALE) at most. A look
    /// at another time is not met.
    Stale,
    /// A look misses a part: the last of a list, half of a body, an incomplete series.
    Partial,
    /// There is no evidence: a series has no points, a name server does not answer, nobody accepts the connection, a
    /// command says nothing until its time is up.
    Silent,
    /// http answers 500, a command exits with 1, a name server answers without authority. Nothing is done.
    Bad,
    /// The process dies before the call is sent.
    KillBefore,
    /// The process dies after it landed, and before its answer.
    KillAfter,
}

/// Looks whose answer comes from copies that lag.
const LAGGING: [&str; 13] = [
    "ListResourceRecordSets",
    "DescribeServices",
    "ListServiceDeployments",
    "DescribeServiceDeployments",
    "DescribeTaskDefinition",
    "ListTasks",
    "DescribeTasks",
    "DescribeTargetGroups",
    "DescribeTargetHealth",
    "DescribeRules",
    "DescribeLoadBalancerAttributes",
    "DescribeTargetGroupAttributes",
    "DescribeScalableTargets",
];
/// Looks that find many.
const LISTS: [&str; 14] = [
    "ListResourceRecordSets",
    "ListTasks",
    "DescribeTasks",
    "ListServiceDeployments",
    "DescribeServiceDeployments",
    "DescribeTargetGroups",
    "DescribeTargetHealth",
    "DescribeListeners",
    "DescribeRules",
    "GetMetricData",
    "DescribeAlarms",
    "FilterLogEvents",
    "query",
    "query_range",
];

impl Strike {
    /// Whether it has a meaning of its own for a call: one that would be like another strike has none.
    #[must_use]
    pub fn fits(&self, service: &str, operation: &str, writes: bool) -> bool {
        let (http, dns) = (service == "http", service == "dns");
        let command = service == "process" && operation != super::UNKNOWN;
        let files = service == "files";
        let aws = !http && !dns && !files && service != "process";
        // A primary server has no quota of calls, and no key of it runs out.
        let metered = aws && service != "rfc2136";
        let ask = dns && operation == "ask";
        match self {
            Self::Expired | Self::Throttled => metered || http,
            Self::Denied if files => true,
            Self::Refused { .. } | Self::Denied | Self::Unavailable | Self::LostBefore => {
                aws || http || command
            }
            Self::LostAfter | Self::Late(_) | Self::Wrong | Self::KillAfter => writes,
            Self::Reverted(_) => {
                writes && !http && !matches!(operation, "StopTask" | "StopServiceDeployment")
            }
            Self::Slow(_) => aws || http || dns || command,
            Self::Stale => ask || (dns && operation == "https") || (aws && LAGGING.contains(&operation)),
            Self::Partial => {
                let speaks = command && matches!(operation, "prior" | "does");
                http || dns || speaks || (aws && LISTS.contains(&operation))
            }
            Self::Silent => {
                matches!(service, "monitoring" | "logs" | "prometheus") || dns || http || (command && !writes)
            }
            Self::Bad => http || ask || command,
            Self::KillBefore => true,
        }
    }

    /// The refusal of AWS that it stands for.
    pub(super) fn refusal(&self, service: &str, operation: &str) -> Option<Refusal> {
        if service == "rfc2136" {
            return self.of_primary();
        }
        Some(match self {
            Self::Refused { code, message } => Refusal::new(code, &**message),
            Self::Denied => {
                let text = format!("User is not authorized to perform: {service}:{operation}");
                Refusal::new("AccessDeniedException", text)
            }
            Self::Expired => {
                let text = "The security token included in the request is expired";
                Refusal::new("ExpiredTokenException", text)
            }
            Self::Throttled => {
                FaultRule { kind: FaultKind::Throttle, ..FaultRule::default() }.refusal(service)
            }
            Self::Unavailable => Refusal {
                status: 503,
                code: "ServiceUnavailable".into(),
                message: "Service is unable to handle request.".into(),
            },
            _ => return None,
        })
    }

    /// The refusal of a primary server that it stands for.
    fn of_primary(&self) -> Option<Refusal> {
        Some(match self {
            Self::Refused { .. } => Refusal::new("NOTAUTH", "it may not change this zone"),
            Self::Denied => Refusal::new("REFUSED", "it does not let the key do this"),
            Self::Unavailable => {
                Refusal { status: 503, code: "SERVFAIL".into(), message: "it has trouble".into() }
            }
            _ => return None,
        })
    }

    /// The status and the text with which a server over http refuses.
    pub(super) fn status(&self) -> Option<(u16, &str)> {
        Some(match self {
            Self::Refused { code, message } => {
                (code.parse().ok().filter(|status| (400..500).contains(status)).unwrap_or(400), message)
            }
            Self::Denied => (403, "forbidden"),
            Self::Expired => (401, "unauthorized"),
            Self::Throttled => (429, "too many requests"),
            Self::Bad => (500, "internal error"),
            _ => return None,
        })
    }
}
