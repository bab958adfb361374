//! Requests to the load balancers and programs of the world. Certificates are not modelled: whoever listens is believed.

use super::Inside;
use crate::port::dns::Name;
use crate::port::{Clock, Endpoint, ReadHttp, Request, Response, WriteHttp};
use crate::run::{Fault, Landed};
use crate::sim::ledger::Call;
use crate::sim::write::{Listener, Message, Write, looks};
use crate::sim::{Outcome, Reply, Strike, Whose, World, minute};
use async_trait::async_trait;
use std::fmt::{self, Display};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use url::Url;

/// How long a load balancer waits for a target.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long connecting may take at most.
const CONNECT: Duration = Duration::from_secs(10);

/// What came, and from which task.
type Answer = (u16, &'static str, String, Option<String>);

/// A request under way.
#[derive(Clone, Copy)]
struct Sent<'a> {
    url: &'a Url,
    request: &'a Request,
    origin: &'a (dyn Display + Sync),
    by: Whose,
    /// The program forgets it.
    forgotten: bool,
}

impl Sent<'_> {
    fn message(&self) -> Message<'_> {
        let body = self.request.body.as_deref().unwrap_or_default();
        Message { origin: self.origin, method: &self.request.method, path: self.url.path(), body }
    }
}

#[async_trait]
impl ReadHttp for Inside {
    async fn get(&self, request: Request) -> Result<Response, Fault> {
        if !looks(&request.method) {
            return Err(Fault::permanent(format!(
                "{} may change something; only GET, HEAD and OPTIONS are for looking",
                request.method
            )));
        }
        // Nothing changed, whether it arrived or not.
        self.send(request).await.map_err(|fault| Fault { landed: Landed::No, ..fault })
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Fault> {
        self.found(host)
    }
}

#[async_trait]
impl WriteHttp for Inside {
    async fn send(&self, request: Request) -> Result<Response, Fault> {
        let url = Url::parse(&request.url)
            .map_err(|error| Fault::permanent(format!("the url is not one: {error}")))?;
        let to = Endpoint::of(&url, request.connect_to.as_deref())?;
        let origin = fmt::from_fn(|f| f.write_str(&url.origin().ascii_serialization()));
        let what = fmt::from_fn(|f| write!(f, "{} {origin}", request.method));
        let resource = fmt::from_fn(|f| match &request.connect_to {
            None => f.write_str(&request.url),
            Some(place) => write!(f, "{} at {place}", request.url),
        });
        let (method, operation) = (Some(&*request.method), url.path());
        let writes = !looks(&request.method);
        let call = Call { service: "http", method, operation, resource: &resource, writes };
        let passage = self.enter(&call).await;
        let strike = passage.strike.as_ref();
        let nobody = |why: &str| Fault::transient(format!("{what}: cannot connect to {to}: {why}"));
        match strike {
            Some(Strike::Unavailable) => return Err(nobody("connection refused")),
            Some(Strike::Silent) => {
                self.wait((request.timeout * 9 / 10).min(CONNECT)).await;
                return Err(nobody("timed out"));
            }
            _ => {}
        }
        let (listener, address) = self
            .reach(&to, url.scheme() == "https")
            .map_err(|fault| Fault::transient(format!("{what}: {fault}")))?
            .ok_or_else(|| nobody("connection refused"))?;
        let start = self.clock.now();
        let (by, forgotten) = (Whose::Ours(passage.number), strike == Some(&Strike::Wrong));
        let sent = Sent { url: &url, request: &request, origin: &origin, by, forgotten };
        let answer = tokio::select! {
            biased;
            answer = self.exchange(&listener, sent, passage.number, strike) => {
                answer.ok_or_else(|| format!("{what}: the answer was lost: the connection closed"))
            }
            () = self.wait(request.timeout) => {
                Err(format!("{what}: no answer within {}", crate::plan::format_duration(request.timeout)))
            }
        };
        let (status, kind, body, by) = answer.map_err(Fault::lost)?;
        let mut headers = vec![("content-type".to_owned(), kind.to_owned())];
        headers.extend(by.map(|id| ("x-served-by".to_owned(), id[..12.min(id.len())].to_owned())));
        let elapsed = self.clock.now().since(start);
        let mut body = body.into_bytes();
        if strike == Some(&Strike::Partial) {
            body.truncate(body.len() / 2);
        }
        Ok(Response { status, headers, body, elapsed, address: Some(address) })
    }
}

impl Inside {
    /// Who listens at the first address of a place at which anybody does.
    fn reach(&self, to: &Endpoint, secure: bool) -> Result<Option<(Listener, SocketAddr)>, Fault> {
        Ok(self.found(&to.host)?.into_iter().find_map(|ip| {
            let address = SocketAddr::new(ip, to.port);
            self.listener(address, secure).map(|listener| (listener, address))
        }))
    }

    /// The addresses of a host: at least one.
    fn found(&self, host: &str) -> Result<Vec<IpAddr>, Fault> {
        match host.trim_matches(['[', ']']).parse() {
            Ok(address) => Ok(vec![address]),
            Err(_) => self.resolved(&Name::new(host), World::resolve),
        }
    }

    /// What comes of a request that found somebody who listens.
    async fn exchange(
        &self,
        listener: &Listener,
        sent: Sent<'_>,
        number: u64,
        strike: Option<&Strike>,
    ) -> Option<Answer> {
        if let Some((status, text)) = strike.and_then(Strike::status) {
            return Some((status, "text/plain", text.to_owned(), None));
        }
        let answer = match (strike, listener) {
            (Some(Strike::LostBefore), _) => None,
            (Some(Strike::Late(span)), _) => {
                let message = sent.message();
                let write = Write::Send {
                    to: listener.clone(),
                    origin: message.origin.to_string().into(),
                    method: message.method.into(),
                    path: message.path.into(),
                    body: message.body.to_vec(),
                };
                self.look(|world, now| world.ledger.hold(now.after(*span), write, Whose::Late(number)));
                None
            }
            (_, Listener::Balancer(name)) => self.by_balancer(name, sent).await,
            (_, Listener::Task(id)) => self.by_task(id, sent).await,
        };
        self.answer(strike).await;
        answer
    }

    fn listener(&self, address: SocketAddr, secure: bool) -> Option<Listener> {
        self.look(|world, _| {
            let mut balancers = world.balancers.values();
            if let Some(found) = balancers.find(|balancer| IpAddr::V4(balancer.address) == address.ip()) {
                let port = if secure { 443 } else { 80 };
                return (address.port() == port).then(|| Listener::Balancer(found.name.clone()));
            }
            let here = |task: &&crate::sim::Task| {
                task.listens() && address == SocketAddr::from((task.address, task.port()))
            };
            let found = world.tasks.values().find(here).filter(|_| !secure);
            found.map(|task| Listener::Task(task.id.clone()))
        })
    }

    async fn by_balancer(&self, name: &str, sent: Sent<'_>) -> Option<Answer> {
        self.look(|world, now| {
            if let Some(balancer) = world.balancers.get_mut(name) {
                let counts = balancer.counts.entry(minute(now)).or_default();
                counts.connections += 1;
                counts.active = counts.active.max(1);
            }
        });
        let call = fmt::from_fn(|f| write!(f, "{} {}", sent.request.method, sent.url.path()));
        let refuse = |rule: crate::sim::FaultRule| {
            (rule.refused_with(), "text/plain", "a scripted fault".to_owned(), None)
        };
        self.meet(("http", &call, &name), refuse, || self.forward(name, sent)).await
    }

    async fn forward(&self, name: &str, sent: Sent<'_>) -> Option<Answer> {
        let turn = usize::try_from(self.turn()).unwrap_or(0);
        let port = if sent.url.scheme() == "https" { 443 } else { 80 };
        let (group, target) = self.look(|world, _| world.choose(name, port, sent.url.path(), turn));
        let start = self.clock.now();
        let target = target
            .filter(|id| self.look(|world, _| world.tasks.get(id).is_some_and(crate::sim::Task::listens)));
        let page = |status, text: &str| (status, "text/html", format!("<h1>{text}</h1>"), None);
        let (outcome, answer) = match target {
            None => (Outcome::Nobody, page(503, "503 Service Temporarily Unavailable")),
            Some(id) => tokio::select! {
                biased;
                answer = self.by_task(&id, sent) => match answer {
                    Some(answer) => {
                        let took = self.clock.now().since(start).as_millis();
                        let took = u32::try_from(took).unwrap_or(u32::MAX);
                        (Outcome::Answered { status: answer.0, took }, answer)
                    }
                    None => (Outcome::Failed, page(502, "502 Bad Gateway")),
                },
                () = self.wait(PATIENCE) => (Outcome::Failed, page(504, "504 Gateway Time-out")),
            },
        };
        self.look(|world, now| world.count(name, group.as_deref(), outcome, now));
        Some(answer)
    }

    async fn by_task(&self, id: &str, sent: Sent<'_>) -> Option<Answer> {
        let refuse = |rule: crate::sim::FaultRule| {
            (rule.refused_with(), "text/plain", "a scripted fault".to_owned(), Some(id.to_owned()))
        };
        let perform = || async {
            let reply: Reply = self.look(|world, now| {
                if sent.forgotten {
                    return world.pretend(id, sent.message(), now);
                }
                world.acting(sent.by, |world| world.serve(id, sent.message(), now))
            });
            if !reply.takes.is_zero() {
                self.wait(reply.takes).await;
            }
            Some((reply.status, reply.kind, reply.body, Some(id.to_owned())))
        };
        self.meet(("app", &sent.url.path(), &id), refuse, perform).await
    }
}
