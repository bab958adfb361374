//! The resolver of a world that plans name, which is asked over HTTP (RFC 8484). It keeps nothing, as the other one. It stands for
//! each of them, and is told for which zone: of a private one it is inside the network, of any other it says what a public
//! resolver does.

use super::faults::{self, scripted};
use super::names::{Role, respond};
use super::serve::{Answer, Dropped, answer};
use super::shared::Shared;
use crate::sim::NAMES;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use std::sync::Arc;

/// Where it is asked.
pub(super) const PATH: &str = "/dns-query";
/// A message as it is on the wire.
const MESSAGE: &str = "application/dns-message";

/// Answers one request.
pub(super) async fn handle(shared: Arc<Shared>, request: Request<Bytes>) -> Result<Answer, Dropped> {
    shared.touch();
    let perform = async || Ok(perform(&shared, &request));
    faults::meet(&shared, (NAMES, "https", ""), |rule| scripted(&rule), perform).await
}

fn perform(shared: &Shared, request: &Request<Bytes>) -> Answer {
    let (method, path) = (request.method().as_str(), request.uri().path());
    if (method, path) != ("POST", PATH) {
        return answer(404, "text/plain", format!("POST {PATH}"));
    }
    if request.headers().get(CONTENT_TYPE).is_none_or(|kind| kind != MESSAGE) {
        return answer(415, "text/plain", MESSAGE);
    }
    let named_for = request.uri().query().and_then(|query| query.strip_prefix("zone="));
    let hidden =
        named_for.is_some_and(|id| shared.look(|world, _| world.zone(id).is_ok_and(|zone| zone.private)));
    match respond(shared, request.body(), if hidden { Role::Inside } else { Role::Resolver }, false) {
        Some(message) => answer(200, MESSAGE, message),
        None => answer(400, "text/plain", "this is no question"),
    }
}
