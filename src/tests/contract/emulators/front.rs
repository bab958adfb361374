//! Who stands in front of an emulator for one test: passes calls on, or lets them meet the fault that is in place, in the
//! protocol of the call.

use super::stage::Stage;
use crate::port::Clock;
use crate::sim::{Deed, FaultKind, FaultRule, Refusal};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jiff::fmt::rfc2822::DateTimePrinter;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Questions about what is published.
const OF_PUBLISHED: [&str; 2] = ["GetMetricData", "FilterLogEvents"];

/// The connection closes without an answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no answer")]
struct Dropped;

/// How a call says what it is, and so how it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Xml,
    Json,
    Cbor,
}

struct Call {
    service: String,
    operation: String,
    protocol: Protocol,
}

impl Call {
    fn of(request: &Request<Bytes>) -> Self {
        let header = |name: &str| {
            request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
        };
        // `AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/ecs/aws4_request, …`
        let service = header("authorization").split('/').nth(3).unwrap_or_default().to_owned();
        let path = request.uri().path();
        let last = |text: &str, of: char| text.rsplit(of).next().unwrap_or_default().to_owned();
        let (protocol, operation) = if !header("x-amz-target").is_empty() {
            (Protocol::Json, last(header("x-amz-target"), '.'))
        } else if !header("smithy-protocol").is_empty() {
            (Protocol::Cbor, last(path, '/'))
        } else if service == "route53" {
            let changes = request.method() == "POST" && path.trim_end_matches('/').ends_with("/rrset");
            (Protocol::Xml, if changes { "ChangeResourceRecordSets" } else { "" }.to_owned())
        } else {
            let form = url::form_urlencoded::parse(request.body());
            let action = form.into_owned().find(|(key, _)| key == "Action").map(|(_, action)| action);
            (Protocol::Xml, action.unwrap_or_default())
        };
        Self { service, operation, protocol }
    }

    fn refused(&self, refusal: &Refusal) -> Response<Full<Bytes>> {
        let Refusal { status, code, message } = refusal;
        let (kind, body) = match self.protocol {
            Protocol::Xml => {
                let body = format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                     </ErrorResponse>"
                );
                ("text/xml", body.into_bytes())
            }
            Protocol::Json => {
                let body = serde_json::json!({"__type": code, "message": message});
                ("application/x-amz-json-1.1", body.to_string().into_bytes())
            }
            Protocol::Cbor => {
                // A map of two pairs of texts.
                let texts = ["__type", code.as_str(), "message", message.as_str()].map(cbor_text);
                ("application/cbor", [vec![0xa2], texts.concat()].concat())
            }
        };
        let answer = Response::builder().status(*status).header("content-type", kind);
        answer.header("smithy-protocol", "rpc-v2-cbor").body(Full::new(body.into())).unwrap()
    }
}

fn cbor_text(text: &str) -> Vec<u8> {
    [&[0x78, u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat()
}

/// Where it stands.
pub(super) async fn stand(stage: Arc<Stage>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let stage = stage.clone();
            let serve = service_fn(move |request: Request<Incoming>| meet(stage.clone(), request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(client), serve));
        }
    });
    address
}

async fn meet(stage: Arc<Stage>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
    let (head, body) = request.into_parts();
    let request = Request::from_parts(head, body.collect().await.map_err(|_| Dropped)?.to_bytes());
    let call = Call::of(&request);
    let text = format!("{} {}", request.uri(), String::from_utf8_lossy(request.body()));
    let met = stage.faults.lock().unwrap().meet(&call.service, &call.operation, &text);
    let rule = met.fate.map(|fault| fault.rule);
    match rule.as_ref().map(|rule| rule.kind) {
        Some(FaultKind::DropBefore) => return Err(Dropped),
        Some(FaultKind::Throttle | FaultKind::Error) => {
            return Ok(call.refused(&rule.unwrap().refusal(&call.service)));
        }
        _ => {}
    }
    if let Some(deed) = rule.as_ref().and_then(|rule| rule.change.as_deref()) {
        stage.perform(deed).await;
    }
    if OF_PUBLISHED.contains(&&*call.operation) {
        stage.publish().await;
    }
    let mut answer = stage.pass_on(request).await.ok_or(Dropped)?;
    // Its clock runs faster than the emulator's.
    let now = i64::try_from(stage.clock().now().0).unwrap();
    let now = jiff::Timestamp::from_millisecond(now).unwrap();
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap();
    answer.headers_mut().insert("date", date.parse().unwrap());
    match rule.map(|rule| rule.kind) {
        Some(FaultKind::DropAfter) => Err(Dropped),
        _ => Ok(answer),
    }
}

impl Stage {
    /// Puts a fault in its way.
    pub(in crate::tests::contract) fn fault(&self, rule: FaultRule) {
        self.faults.lock().unwrap().add(rule);
    }

    /// Somebody else does this.
    async fn perform(&self, deed: &Deed) {
        let said = serde_json::to_value(deed).unwrap();
        if let Some(record) = said.get("set_record") {
            self.set_record(record["name"].as_str().unwrap(), record).await;
        }
        if let Some(image) = &deed.delete_image {
            self.delete_image(image).await;
        }
        if let Some(balancer) = &deed.tear_down {
            self.tear_down(balancer).await;
        }
        for (name, stated) in said["alarms"].as_object().into_iter().flatten() {
            self.set_alarm(name, stated).await;
        }
        for (name, stated) in said["parameters"].as_object().into_iter().flatten() {
            self.put_parameter(name, stated).await;
        }
        for what in ["metrics", "logs"] {
            self.publish_from_now(what, &said[what]).await;
        }
    }
}
