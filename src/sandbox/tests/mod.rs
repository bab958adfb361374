//! The sandbox from outside: over its sockets, with the clients that people use.

mod control;
#[cfg(feature = "aws")]
mod sdk;
mod users;

use super::{Options, Sandbox, start};
use std::time::Duration;

/// Quick enough for tests, slow enough that moments can be told apart.
const SCALE: u32 = 600;

async fn sandbox(text: &str) -> Sandbox {
    sandbox_with(text, Options { scale: Some(SCALE), traffic: false, ..Options::default() }).await
}

async fn sandbox_with(text: &str, options: Options) -> Sandbox {
    start(text, "test.yaml", options).await.unwrap()
}

const AEP: &str = include_str!("../../../plans/worlds/aep.yaml");

/// Tries until it holds; a test that waits for ever is ended by its own patience.
async fn until<T, F: Future<Output = Option<T>>>(mut look: impl FnMut() -> F) -> T {
    for _ in 0..1000 {
        if let Some(found) = look().await {
            return found;
        }
        super::clock::wait(Duration::from_millis(20)).await;
    }
    panic!("it never came");
}

/// One request over a plain connection; the status and the body, or nothing if none came.
async fn http(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Option<(u16, String)> {
    use http_body_util::{BodyExt, Full};
    let client = super::balancer::targets();
    let mut request = hyper::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(hyper::body::Bytes::from(body.to_owned()))).unwrap();
    let answer = client.request(request).await.ok()?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    Some((status, String::from_utf8_lossy(&body).into_owned()))
}

async fn json(method: &str, url: &str, body: &str) -> serde_json::Value {
    let (status, body) = http(method, url, &[], body).await.unwrap();
    assert_eq!(status, 200, "{method} {url}: {body}");
    serde_json::from_str(&body).unwrap()
}
