//! HTTP servers on loopback: whole requests in, whole answers out, or a connection that closes without one.

use crate::plan::Timestamp;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::fmt::rfc2822::DateTimePrinter;
use std::future::Future;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The longest body that is read.
const LONGEST: usize = 4 << 20;

/// An answer with its whole body.
pub(super) type Answer = Response<Full<Bytes>>;

/// The connection closes without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no answer")]
pub(super) struct Dropped;

/// Serves every connection of a listener until stopped.
pub(super) async fn serve<H, F>(listener: TcpListener, stop: CancellationToken, handle: H)
where
    H: Fn(Request<Bytes>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Answer, Dropped>> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        // Small answers must not wait for more.
        let _ = stream.set_nodelay(true);
        let (handle, stop) = (handle.clone(), stop.clone());
        tokio::spawn(async move {
            connection(stream, &stop, None, handle).await;
        });
    }
}

/// Serves one connection until it closes, or all is stopped.
pub(super) async fn connection<S, H, F>(
    stream: S,
    stop: &CancellationToken,
    idle: Option<Duration>,
    handle: H,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Bytes>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Answer, Dropped>> + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let handle = handle.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = Limited::new(body, LONGEST).collect().await.map_err(|_| Dropped)?.to_bytes();
            handle(Request::from_parts(head, body)).await
        }
    });
    let mut server = http1::Builder::new();
    // Also bounds the wait for the next request of a kept connection.
    server.timer(TokioTimer::new()).header_read_timeout(idle);
    let exchange = server.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(exchange);
    tokio::select! {
        // Whatever went wrong with a connection, its client knows.
        _ = &mut exchange => {}
        () = stop.cancelled() => {}
    }
}

/// An answer.
pub(super) fn answer(status: u16, kind: &str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    header(&mut answer, "content-type", kind);
    answer
}

/// Adds a header; one that cannot be written is left out.
pub(super) fn header(answer: &mut Answer, name: &'static str, value: &str) {
    if let Ok(value) = hyper::header::HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// Says what time it is in the world.
pub(super) fn dated(answer: &mut Answer, at: Timestamp) {
    let moment = i64::try_from(at.0).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    let date = moment.map(|moment| DateTimePrinter::new().timestamp_to_rfc9110_string(&moment));
    if let Some(Ok(date)) = date {
        header(answer, "date", &date);
    }
}
