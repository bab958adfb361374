//! What queries of the world come to.

use super::Inside;
use super::call::Call;
use crate::port::{Answered, Query, ReadQueries};
use crate::run::Fault;
use async_trait::async_trait;
use std::sync::Arc;

/// The one server of a world, whatever a plan calls it.
pub(super) struct Server(pub(super) Arc<Inside>);

#[async_trait]
impl ReadQueries for Server {
    async fn ask(&self, query: &Query) -> Result<Answered, Fault> {
        let operation = if query.over.is_some() { "query_range" } else { "query" };
        let call = Call { service: "prometheus", operation, resource: &query.text, writes: false };
        let answer = self.0.look_once(call, |world, _| Ok(world.query(&query.text, query.over))).await;
        answer.map_err(|failure| failure.fault(&call))
    }
}
