//! The load balancers of a derived world: which ones there are, and which of them a host name means.
//!
//! A plan names them in three ways: by name, by the host name of their addresses, and by a record that leads to them. The
//! provider makes the host name of the name, so most can be told to be the same.

use super::super::file::{BalancerFile, Span, WorldFile};
use super::facts::Facts;
use crate::port::dns::Name;
use crate::port::need::{Asker, Leads, Need};
use crate::port::{Attribute, Attributes, Owner};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

/// The most that a world has room for.
const MOST: usize = 200;
/// For how long clients may keep a connection, unless it is known.
const KEEP_ALIVE: u64 = 60;

/// Which side of a switch it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// Users come from it.
    Old,
    /// Nobody switches it.
    Other,
    /// Users go to it.
    New,
}

/// All load balancers.
pub(super) struct Sides<'f> {
    facts: &'f Facts,
    region: String,
    all: BTreeMap<String, One>,
    /// Names of load balancers by host name.
    hosts: BTreeMap<Name, String>,
}

#[derive(Debug)]
struct One {
    file: BalancerFile,
    side: Side,
    /// The plan watches it until it is idle.
    left: bool,
}

impl<'f> Sides<'f> {
    pub(super) fn new(region: &str, facts: &'f Facts) -> Self {
        Self { facts, region: region.into(), all: BTreeMap::new(), hosts: BTreeMap::new() }
    }

    /// Those that the plan calls by name.
    pub(super) fn read(&mut self, needs: &[(Asker, Need)]) {
        for (_, need) in needs {
            match need {
                Need::Balancer { name, left, .. } => self.named(name, Side::Other, *left),
                Need::Rule { balancer, .. } => self.named(balancer, Side::Other, false),
                Need::Attributes { owner: Owner::LoadBalancer, name, to, .. } => {
                    self.named(name, Side::Other, false);
                    self.otherwise(name, to);
                }
                Need::Record { to: Some(Leads::Balancer { name, .. }), .. } => {
                    self.named(name, Side::New, false);
                }
                _ => {}
            }
        }
        // A target group is behind some load balancer, also where the plan names none.
        let group = needs.iter().find_map(|(_, need)| match need {
            Need::Attributes { owner: Owner::TargetGroup, name, .. } => Some(name),
            _ => None,
        });
        if let Some(group) = group.filter(|_| self.all.is_empty()) {
            self.named(group, Side::Other, false);
        }
    }

    /// One by its name.
    pub(super) fn named(&mut self, name: &str, side: Side, left: bool) {
        let found = self.facts.balancers.get(name).map(|found| &found.described);
        let file = BalancerFile {
            dns_name: found.map(|found| found.dns_name.clone()),
            client_keep_alive: Some(found.map_or(Span::seconds(KEEP_ALIVE), |found| Span(found.keep_alive))),
            idle_timeout: found.map(|found| Span(found.idle_timeout)),
            address: None,
        };
        if let Some(host) = &file.dns_name {
            self.hosts.insert(Name::new(host), name.to_owned());
        }
        let one = self.all.entry(name.to_owned()).or_insert(One { file, side, left });
        one.left |= left;
        if one.side == Side::Other {
            one.side = side;
        }
    }

    /// What the plan sets of it is something else at first, unless it was found so.
    fn otherwise(&mut self, name: &str, to: &Attributes) {
        if self.facts.balancers.contains_key(name) {
            return;
        }
        let Some(one) = self.all.get_mut(name) else { return };
        for (attribute, value) in to {
            let first = Some(Span(at_first(*attribute, *value)));
            match attribute {
                Attribute::ClientKeepAlive => one.file.client_keep_alive = first,
                Attribute::IdleTimeout => one.file.idle_timeout = first,
                Attribute::DeregistrationDelay => {}
            }
        }
    }

    /// The one whose addresses are under a host name, or, if the name is in a zone of ours, that it leads to; `None` if there
    /// is no room for one more.
    pub(super) fn at_host(&mut self, host: &Name, side: Side, ours: bool) -> Option<String> {
        let host = Name::new(host.as_str().strip_prefix("dualstack.").unwrap_or(host.as_str()));
        let known = self.hosts.get(&host).or_else(|| self.facts.at(&host)).cloned();
        let known = known.or_else(|| self.of_that_name(&host)).or_else(|| self.left_behind(side));
        let name = match known {
            Some(name) => name,
            None => self.unused(&made_of(&host))?,
        };
        self.named(&name, side, false);
        self.hosts.insert(host.clone(), name.clone());
        let one = self.all.get_mut(&name)?;
        if !ours {
            one.file.dns_name.get_or_insert_with(|| host.to_string());
        }
        Some(name)
    }

    /// The one at an address.
    pub(super) fn at_address(&mut self, address: Ipv4Addr, side: Side) -> Option<String> {
        let own = |one: &One| one.file.address == Some(address);
        let known = self.all.iter().find(|(_, one)| own(one)).map(|(name, _)| name.clone());
        let name = match known {
            Some(name) => name,
            None => self.unused(&format!("at-{}", address.to_string().replace('.', "-")))?,
        };
        self.named(&name, side, false);
        self.all.get_mut(&name)?.file.address = Some(address);
        Some(name)
    }

    /// One that serves a name for which the plan says nothing of before.
    pub(super) fn before(&mut self, of: &str) -> Option<String> {
        let name = self.left_behind(Side::Old).unwrap_or_else(|| format!("{of}-old"));
        if self.all.len() >= MOST && !self.all.contains_key(&name) {
            return None;
        }
        self.named(&name, Side::Old, false);
        Some(name)
    }

    /// The host name of its addresses.
    pub(super) fn host(&mut self, name: &str) -> String {
        let made = format!("{name}.{}.elb.amazonaws.com", self.region);
        let Some(one) = self.all.get_mut(name) else { return made };
        let host = one.file.dns_name.get_or_insert(made).clone();
        self.hosts.insert(Name::new(&host), name.to_owned());
        host
    }

    /// Its address, for what must be an address.
    pub(super) fn address(&mut self, name: &str) -> Ipv4Addr {
        let taken = self.all.values().filter(|one| one.file.address.is_some()).count();
        // Of the block for measurements (RFC 2544), which nobody routes.
        let made = Ipv4Addr::new(198, 18, 0, u8::try_from(taken + 1).unwrap_or(u8::MAX));
        self.all.get_mut(name).map_or(made, |one| *one.file.address.get_or_insert(made))
    }

    /// Names of those that something could be deployed behind: the new sides first.
    pub(super) fn deployable(&self) -> Vec<&str> {
        let of = |side: Side| self.all.iter().filter(move |(_, one)| one.side == side && !one.left);
        of(Side::New).chain(of(Side::Other)).map(|(name, _)| name.as_str()).collect()
    }

    /// All names, and whether users come to it at some time.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, bool)> {
        self.all.iter().map(|(name, one)| (name.as_str(), one.side != Side::Other))
    }

    pub(super) fn write(self, file: &mut WorldFile) {
        let made = |name: &str| format!("{name}.{}.elb.amazonaws.com", self.region);
        file.load_balancers = self
            .all
            .into_iter()
            .map(|(name, one)| {
                let dns_name = one.file.dns_name.or_else(|| Some(made(&name)));
                (name, BalancerFile { dns_name, ..one.file })
            })
            .collect();
    }

    /// The provider makes `name-1234567890.eu-west-1.elb.amazonaws.com` of a name.
    fn of_that_name(&self, host: &Name) -> Option<String> {
        let label = label(host)?;
        let fits = |name: &&String| {
            label
                .strip_prefix(name.to_lowercase().as_str())
                .is_some_and(|r| r.is_empty() || r.starts_with('-'))
        };
        let free = self.all.iter().filter(|(_, one)| one.file.dns_name.is_none()).map(|(name, _)| name);
        free.filter(fits).max_by_key(|name| name.len()).cloned()
    }

    /// The side that users come from is the one that the plan waits for until it is idle.
    fn left_behind(&self, side: Side) -> Option<String> {
        let free = |one: &One| one.left && one.file.dns_name.is_none() && one.side != Side::New;
        let mut found = self.all.iter().filter(|(_, one)| side == Side::Old && free(one));
        found.next().map(|(name, _)| name.clone())
    }

    /// A name that nothing has.
    fn unused(&self, wish: &str) -> Option<String> {
        let mut names = (1..=MOST).map(|n| if n == 1 { wish.to_owned() } else { format!("{wish}-{n}") });
        names.find(|name| !self.all.contains_key(name)).filter(|_| self.all.len() < MOST)
    }
}

/// What an attribute is before a plan sets it to this: the usual, unless that is the same.
pub(super) fn at_first(attribute: Attribute, wanted: Duration) -> Duration {
    let usual = attribute.usual();
    if usual == wanted { usual * 2 } else { usual }
}

/// The first label of a load balancer's host name.
fn label(host: &Name) -> Option<&str> {
    let (label, _) =
        host.as_str().split_once('.').filter(|_| host.as_str().ends_with(".elb.amazonaws.com"))?;
    Some(label.strip_prefix("internal-").unwrap_or(label))
}

/// What to call the load balancer at a host name.
fn made_of(host: &Name) -> String {
    match label(host).map(|label| (label, label.rsplit_once('-'))) {
        Some((_, Some((name, id)))) if id.len() > 4 && id.bytes().all(|b| b.is_ascii_digit()) => {
            name.to_owned()
        }
        Some((label, _)) => label.to_owned(),
        None => host.as_str().replace(|c: char| !c.is_ascii_alphanumeric(), "-"),
    }
}
