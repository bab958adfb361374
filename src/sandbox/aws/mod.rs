//! The AWS protocols that the sandbox speaks, all on one port: which service a call is for is in its signature, as with
//! the real endpoints' names.
//!
//! Here: who calls, what is called, scripted faults, how refusals look. What calls mean is in `sim`.

mod cbor;
mod cloudwatch;
mod ecr;
mod ecs;
mod elb;
mod iam;
mod logs;
mod query;
mod route53;
mod scaling;
mod secrets;
mod ssm;
mod sts;
#[cfg(test)]
mod tests;

use super::faults;
use super::serve::{Answer, Dropped, answer, dated, header};
use super::shared::Shared;
use crate::plan::Timestamp;
use crate::sim::{FaultRule, Refusal, World};
use hyper::Request;
use hyper::body::Bytes;
use std::sync::Arc;

/// A call.
#[derive(Clone, Debug)]
struct Call {
    service: Service,
    operation: String,
    method: String,
    path: String,
    query: Vec<(String, String)>,
    body: Bytes,
    access_key: String,
    /// As it is signed for.
    region: String,
    request_id: String,
}

/// The services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Route53,
    Ecs,
    Ecr,
    Sts,
    Elb,
    CloudWatch,
    Logs,
    Ssm,
    Secrets,
    Scaling,
    Iam,
}

impl Service {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "route53" => Self::Route53,
            "ecs" => Self::Ecs,
            "ecr" => Self::Ecr,
            "sts" => Self::Sts,
            "elasticloadbalancing" => Self::Elb,
            "monitoring" => Self::CloudWatch,
            "logs" => Self::Logs,
            "ssm" => Self::Ssm,
            "secretsmanager" => Self::Secrets,
            "application-autoscaling" => Self::Scaling,
            "iam" => Self::Iam,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Route53 => "route53",
            Self::Ecs => "ecs",
            Self::Ecr => "ecr",
            Self::Sts => "sts",
            Self::Elb => "elasticloadbalancing",
            Self::CloudWatch => "monitoring",
            Self::Logs => "logs",
            Self::Ssm => "ssm",
            Self::Secrets => "secretsmanager",
            Self::Scaling => "application-autoscaling",
            Self::Iam => "iam",
        }
    }
}

/// Answers one request to the AWS endpoint.
pub(super) async fn handle(shared: Arc<Shared>, request: Request<Bytes>) -> Result<Answer, Dropped> {
    let number = shared.touch();
    let call = match read(&request, number) {
        Ok(call) => call,
        Err(refusal) => return Ok(plain_refusal(&refusal)),
    };
    let text = format!("{} {}", request.uri(), String::from_utf8_lossy(&call.body));
    let refuse = |rule: FaultRule| refused(&call, &rule.refusal(call.service.name()));
    let perform = async || Ok(perform(&shared, &call));
    faults::meet(&shared, (call.service.name(), &call.operation, &text), refuse, perform).await
}

/// Who calls what.
fn read(request: &Request<Bytes>, number: u64) -> Result<Call, Refusal> {
    let authorization = request.headers().get("authorization").and_then(|h| h.to_str().ok());
    // `AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/ecs/aws4_request, SignedHeaders=…`
    let scope = authorization
        .and_then(|text| text.split_once("Credential="))
        .map(|(_, rest)| rest.split([',', ' ']).next().unwrap_or_default())
        .ok_or_else(|| Refusal {
            status: 403,
            code: "MissingAuthenticationToken".into(),
            message: "Missing Authentication Token".into(),
        })?;
    let parts: Vec<&str> = scope.split('/').collect();
    let [access_key, _, region, service, ..] = parts.as_slice() else {
        return Err(Refusal::new("IncompleteSignature", "the credential has no scope"));
    };
    let service = Service::of(service).ok_or_else(|| Refusal {
        status: 501,
        code: "NotImplemented".into(),
        message: format!(
            "the sandbox does not speak `{service}`; it speaks route53, ecs, ecr, sts, elasticloadbalancing, monitoring, logs, ssm, \
             secretsmanager, application-autoscaling, iam"
        ),
    })?;
    let path = request.uri().path().to_owned();
    let query = pairs(request.uri().query().unwrap_or_default());
    let body = request.body().clone();
    let header = |name: &str| request.headers().get(name).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let operation = match service {
        Service::Route53 => route53::operation(request.method().as_str(), &path).to_owned(),
        Service::Ecs | Service::Ecr | Service::Logs | Service::Ssm | Service::Secrets | Service::Scaling => {
            after_dot(header("x-amz-target"))
        }
        Service::CloudWatch if header("x-amz-target").is_empty() && path.contains("/operation/") => {
            path.rsplit('/').next().unwrap_or_default().to_owned()
        }
        Service::CloudWatch if !header("x-amz-target").is_empty() => after_dot(header("x-amz-target")),
        Service::Sts | Service::Elb | Service::CloudWatch | Service::Iam => {
            let form = pairs(&String::from_utf8_lossy(&body));
            form.into_iter().find(|(key, _)| key == "Action").map(|(_, value)| value).unwrap_or_default()
        }
    };
    Ok(Call {
        service,
        operation,
        method: request.method().to_string(),
        path,
        query,
        body,
        access_key: (*access_key).to_owned(),
        region: (*region).to_owned(),
        request_id: format!("5a4db0c5-0000-4000-8000-{number:012x}"),
    })
}

fn after_dot(target: &str) -> String {
    target.rsplit('.').next().unwrap_or_default().to_owned()
}

fn pairs(text: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// Does what the call asks.
fn perform(shared: &Shared, call: &Call) -> Answer {
    // Temporary credentials come from AssumeRole here, and begin like this.
    if call.access_key != shared.access_key && !call.access_key.starts_with("ASIASANDBOX") {
        return refused(call, &wrong_key(call.service));
    }
    let reads =
        ["Describe", "List", "Get", "Filter", "Simulate"].iter().any(|verb| call.operation.starts_with(verb));
    let outcome = if reads {
        shared.look(|world, now| dispatch(world, call, now))
    } else {
        shared.change(|world, now| dispatch(world, call, now))
    };
    let mut answer = match outcome {
        Ok(answer) => answer,
        Err(refusal) => return refused(call, &refusal),
    };
    header(&mut answer, "x-amzn-requestid", &call.request_id);
    dated(&mut answer, shared.clock.now());
    answer
}

fn dispatch(world: &mut World, call: &Call, now: Timestamp) -> Result<Answer, Refusal> {
    match call.service {
        Service::Route53 => route53::perform(world, call, now),
        Service::Ecs => ecs::perform(world, call, now),
        Service::Ecr => ecr::perform(world, call),
        Service::Sts => sts::perform(world, call, now),
        Service::Elb => elb::perform(world, call, now),
        Service::CloudWatch => cloudwatch::perform(world, call),
        Service::Logs => logs::perform(world, call),
        Service::Ssm => ssm::perform(world, call),
        Service::Secrets => secrets::perform(world, call),
        Service::Scaling => scaling::perform(world, call, now),
        Service::Iam => iam::perform(world, call),
    }
}

fn wrong_key(service: Service) -> Refusal {
    let (status, code) = match service {
        Service::Ecs
        | Service::Ecr
        | Service::CloudWatch
        | Service::Logs
        | Service::Ssm
        | Service::Secrets
        | Service::Scaling => (400, "UnrecognizedClientException"),
        Service::Route53 | Service::Sts | Service::Elb | Service::Iam => (403, "InvalidClientTokenId"),
    };
    let message = "The security token included in the request is invalid.".into();
    Refusal { status, code: code.into(), message }
}

/// A refusal in the protocol of the call.
fn refused(call: &Call, refusal: &Refusal) -> Answer {
    let mut out = match call.service {
        Service::Ecs | Service::Ecr | Service::Logs | Service::Ssm | Service::Secrets | Service::Scaling => {
            json_refusal("application/x-amz-json-1.1", refusal)
        }
        Service::CloudWatch => cloudwatch::refused(call, refusal),
        Service::Route53 => query::refusal(route53::NAMESPACE, refusal, &call.request_id),
        Service::Sts => query::refusal(sts::NAMESPACE, refusal, &call.request_id),
        Service::Elb => query::refusal(elb::NAMESPACE, refusal, &call.request_id),
        Service::Iam => query::refusal(iam::NAMESPACE, refusal, &call.request_id),
    };
    header(&mut out, "x-amzn-requestid", &call.request_id);
    out
}

fn json_refusal(kind: &str, refusal: &Refusal) -> Answer {
    let body = serde_json::json!({"__type": refusal.code, "message": refusal.message});
    let mut out = answer(refusal.status, kind, body.to_string());
    header(&mut out, "x-amzn-errortype", &refusal.code);
    out
}

fn plain_refusal(refusal: &Refusal) -> Answer {
    query::refusal("https://sandbox.invalid/", refusal, "0")
}

fn unknown(call: &Call) -> Refusal {
    Refusal {
        status: 501,
        code: "NotImplemented".into(),
        message: format!(
            "the sandbox has no {} operation `{}` ({} {})",
            call.service.name(),
            call.operation,
            call.method,
            call.path
        ),
    }
}

/// ISO 8601 in UTC, whole seconds.
fn iso(moment: Timestamp) -> String {
    moment.to_string()
}
