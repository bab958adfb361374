//! Requests to the load balancers and programs of the world. Certificates are not modelled: whoever listens is believed.

use super::Inside;
use crate::port::dns::Name;
use crate::port::{Clock, Endpoint, ReadHttp, Request, Response, WriteHttp};
use crate::run::{Fault, Landed};
use crate::sim::{Outcome, Reply, minute};
use async_trait::async_trait;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use url::Url;

/// How long a load balancer waits for a target.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who listens at an address.
enum Listener {
    Balancer(String),
    Task(String),
}

/// What came, and from which task.
type Answer = (u16, &'static str, String, Option<String>);

#[async_trait]
impl ReadHttp for Inside {
    async fn get(&self, request: Request) -> Result<Response, Fault> {
        if !matches!(&*request.method, "GET" | "HEAD" | "OPTIONS") {
            return Err(Fault::permanent(format!(
                "{} may change something; only GET, HEAD and OPTIONS are for looking",
                request.method
            )));
        }
        // Nothing changed, whether it arrived or not.
        self.send(request).await.map_err(|fault| Fault { landed: Landed::No, ..fault })
    }
}

#[async_trait]
impl WriteHttp for Inside {
    async fn send(&self, request: Request) -> Result<Response, Fault> {
        let url = Url::parse(&request.url)
            .map_err(|error| Fault::permanent(format!("the url is not one: {error}")))?;
        let to = Endpoint::of(&url, request.connect_to.as_deref())?;
        let what = format!("{} {}", request.method, url.origin().ascii_serialization());
        let found = match to.host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => self
                .addresses(&Name::new(&to.host))
                .map_err(|fault| Fault::transient(format!("{what}: {fault}")))?,
        };
        let secure = url.scheme() == "https";
        let listener = found.into_iter().find_map(|ip| {
            let address = SocketAddr::new(ip, to.port);
            self.listener(address, secure).map(|listener| (listener, address))
        });
        let nobody = || Fault::transient(format!("{what}: cannot connect to {to}: connection refused"));
        let (listener, address) = listener.ok_or_else(nobody)?;
        let start = self.clock.now();
        let answering = async {
            match &listener {
                Listener::Balancer(name) => self.by_balancer(name, &url, &request).await,
                Listener::Task(id) => self.by_task(id, &url, &request).await,
            }
        };
        let answer = tokio::select! {
            answer = answering => answer.ok_or_else(|| format!("{what}: the answer was lost: the connection closed")),
            () = self.wait(request.timeout) => {
                Err(format!("{what}: no answer within {}", crate::plan::format_duration(request.timeout)))
            }
        };
        let (status, kind, body, by) = answer.map_err(Fault::lost)?;
        let mut headers = vec![("content-type".to_owned(), kind.to_owned())];
        headers.extend(by.map(|id| ("x-served-by".to_owned(), id[..12.min(id.len())].to_owned())));
        let elapsed = self.clock.now().since(start);
        Ok(Response { status, headers, body: body.into_bytes(), elapsed, address: Some(address) })
    }
}

impl Inside {
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

    async fn by_balancer(&self, name: &str, url: &Url, request: &Request) -> Option<Answer> {
        self.look(|world, now| {
            if let Some(balancer) = world.balancers.get_mut(name) {
                let counts = balancer.counts.entry(minute(now)).or_default();
                counts.connections += 1;
                counts.active = counts.active.max(1);
            }
        });
        let call = format!("{} {}", request.method, url.path());
        let refuse = |rule: crate::sim::FaultRule| {
            (rule.refused_with(), "text/plain", "a scripted fault".to_owned(), None)
        };
        self.meet(("http", &call, name), refuse, || self.forward(name, url, request)).await
    }

    async fn forward(&self, name: &str, url: &Url, request: &Request) -> Option<Answer> {
        let turn = usize::try_from(self.turn()).unwrap_or(0);
        let (group, target) = self.look(|world, _| world.choose(name, url.path(), turn));
        let start = self.clock.now();
        let target = target
            .filter(|id| self.look(|world, _| world.tasks.get(id).is_some_and(crate::sim::Task::listens)));
        let page = |status, text: &str| (status, "text/html", format!("<h1>{text}</h1>"), None);
        let (outcome, answer) = match target {
            None => (Outcome::Nobody, page(503, "503 Service Temporarily Unavailable")),
            Some(id) => tokio::select! {
                answer = self.by_task(&id, url, request) => match answer {
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

    async fn by_task(&self, id: &str, url: &Url, request: &Request) -> Option<Answer> {
        let refuse = |rule: crate::sim::FaultRule| {
            (rule.refused_with(), "text/plain", "a scripted fault".to_owned(), Some(id.to_owned()))
        };
        let perform = || async {
            let body = request.body.as_deref().unwrap_or_default();
            let reply: Reply =
                self.look(|world, now| world.answer(id, &request.method, url.path(), body, now));
            if !reply.takes.is_zero() {
                self.wait(reply.takes).await;
            }
            Some((reply.status, reply.kind, reply.body, Some(id.to_owned())))
        };
        self.meet(("app", url.path(), id), refuse, perform).await
    }
}
