//! A resolver that stands for those of many users: what it remembers, for how long, and where that leads.
//!
//! What it is told comes from the name servers of the world, any one of them at a time, each as late as it is.

use super::answer::Said;
use super::users::{ResolverKind, TICK, Trouble};
use super::world::World;
use crate::plan::Timestamp;
use crate::port::dns::Name;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// Resolvers keep no answer for longer than so many seconds.
const LONGEST: u32 = 86_400;
/// How long one that stretches TTLs keeps an answer at least.
const STRETCH: Duration = Duration::from_secs(300);
/// How many names it follows one after the other.
const FOLLOWED: usize = 8;

/// One resolver.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    pub(super) kind: ResolverKind,
    /// Keeps every answer for so long at least.
    least: Duration,
    links: Vec<Link>,
    way: Way,
    /// The newer answer that it has got by now, while it still gave the old one.
    newer: Option<Way>,
    turn: u64,
}

/// What it remembers of one name.
#[derive(Clone, Debug)]
struct Link {
    name: Name,
    asked: Timestamp,
    until: Timestamp,
    to: To,
}

#[derive(Clone, Debug)]
enum To {
    Alias(Name),
    Address(Ipv4Addr),
    Nothing,
}

/// Where everything that it remembers leads to.
#[derive(Clone, Debug)]
struct Way {
    /// The load balancer, if it is one.
    balancer: Option<Arc<str>>,
    /// The last name, and its address, if it has one.
    end: Option<Name>,
    address: Option<Ipv4Addr>,
    /// Until when it leads there: what is asked again before then leads to the same load balancer.
    leads: Timestamp,
    /// When some of it has to be asked again.
    until: Timestamp,
}

impl Resolver {
    pub(super) fn new(kind: ResolverKind, turn: u64) -> Self {
        let least = if kind == ResolverKind::Stretches { STRETCH } else { Duration::ZERO };
        let past = Timestamp::PAST;
        let way = Way { balancer: None, end: None, address: None, leads: past, until: past };
        Self { kind, least, links: Vec::new(), way, newer: None, turn }
    }

    /// The load balancer that its answer leads to.
    pub(super) fn balancer(&self) -> Option<&Arc<str>> {
        self.way.balancer.as_ref()
    }

    /// The load balancer that its answer leads to, and until when it gives this answer.
    pub(super) fn leads(&self) -> Option<(&str, Timestamp)> {
        let once_more = if self.kind == ResolverKind::ServesStale { TICK } else { Duration::ZERO };
        self.balancer().map(|balancer| (&**balancer, self.way.leads.after(once_more)))
    }

    /// What is wrong if its answer leads to no load balancer that stands.
    pub(super) fn leads_nowhere(&self) -> Trouble {
        if self.way.address.is_some() { Trouble::NobodyThere } else { Trouble::NoAnswer }
    }

    /// For how long it keeps an answer at least.
    pub(super) fn keeps(&self) -> Duration {
        self.least
    }

    /// One that respects TTLs does so no more.
    pub(super) fn ignore_ttl(&mut self, keep: Duration) {
        if self.kind != ResolverKind::Respects {
            return;
        }
        self.least = keep;
        for link in self.links.iter_mut().filter(|link| !matches!(link.to, To::Nothing)) {
            link.until = link.until.max(link.asked.after(keep));
        }
        // Where they lead, and until when, is found out anew.
        self.way.until = Timestamp::PAST;
    }

    /// How long it keeps every answer at least.
    pub(super) fn ignored(&self) -> Duration {
        self.least
    }

    /// Somebody wants to know where a name leads.
    pub(super) fn resolve(&mut self, host: &Name, world: &World, now: Timestamp) {
        if let Some(newer) = self.newer.take() {
            self.way = newer;
        }
        if now < self.way.until {
            return;
        }
        if self.kind == ResolverKind::ServesStale && self.way.address.is_some() {
            // Whoever asks first gets the old answer; only then does it look for a new one.
            let old = self.way.clone();
            self.follow(host, world, now);
            self.newer = Some(std::mem::replace(&mut self.way, old));
        } else {
            self.follow(host, world, now);
        }
    }

    fn follow(&mut self, host: &Name, world: &World, now: Timestamp) {
        let never = Timestamp::NEVER;
        let mut way = Way { balancer: None, end: None, address: None, leads: never, until: never };
        let mut name = host.clone();
        for _ in 0..FOLLOWED {
            let known = |link: &Link| link.name == name;
            if !self.links.iter().any(|link| known(link) && link.until > now) {
                self.look_up(&name, world, now);
            }
            let Some(link) = self.links.iter().find(|link| known(link)) else { break };
            way.until = way.until.min(link.until);
            if way.balancer.is_none() && !matches!(link.to, To::Nothing) {
                way.leads = way.until;
            }
            let mut balancers = world.balancers.values();
            let found = match &link.to {
                To::Alias(next) => balancers.find(|b| b.dns_name == *next),
                To::Address(address) => balancers.find(|b| b.address == *address),
                To::Nothing => None,
            };
            if let (Some(found), None) = (found, &way.balancer) {
                way.balancer = Some(self.named(&found.name));
            }
            match &link.to {
                To::Alias(next) => name = next.clone(),
                To::Address(address) => {
                    way.address = Some(*address);
                    break;
                }
                To::Nothing => break,
            }
        }
        let gone = way.address.is_none() && name != *host;
        way.end = Some(name);
        let before = &self.way;
        let same = way.end == before.end && (gone || way.address.is_some() && way.address == before.address);
        if way.balancer.is_none() && same {
            // It leads to one that was torn down since: what that was called is remembered.
            way.balancer.clone_from(&before.balancer);
        }
        self.way = way;
    }

    /// Names of load balancers are made once, not at each question.
    fn named(&self, balancer: &str) -> Arc<str> {
        let known = self.way.balancer.as_ref().filter(|known| &***known == balancer);
        known.map_or_else(|| Arc::from(balancer), Arc::clone)
    }

    /// Asks one name server after the other, and remembers everything in the answer for as long as it may be, or longer.
    fn look_up(&mut self, name: &Name, world: &World, now: Timestamp) {
        let Said { answers, soa, .. } = world.resolve(name, "A", self.turn);
        self.turn += 1;
        self.links.retain(|link| link.until > now && link.name != *name);
        let until = |ttl: u32| now.after(Duration::from_secs(ttl.min(LONGEST).into()));
        let mut last = name.clone();
        for line in answers {
            let to = match (&*line.kind, line.value.parse()) {
                ("CNAME", _) => To::Alias(Name::new(&line.value)),
                ("A", Ok(address)) => To::Address(address),
                _ => continue,
            };
            if let To::Alias(next) = &to {
                last = next.clone();
            }
            // Of several addresses, the first one that is given.
            if !self.links.iter().any(|link| link.name == line.name) {
                let until = until(line.ttl).max(now.after(self.least));
                self.links.push(Link { name: line.name, asked: now, until, to });
            }
        }
        if !self.links.iter().any(|link| link.name == last) {
            // RFC 2308: nothing may be kept as long as the smaller of the SOA's TTL and its MINIMUM.
            let negative = soa.and_then(|soa| {
                let minimum = soa.value.rsplit(' ').next()?.parse::<u32>().ok()?;
                Some(soa.ttl.min(minimum))
            });
            let until = until(negative.unwrap_or(0));
            self.links.push(Link { name: last, asked: now, until, to: To::Nothing });
        }
    }
}
