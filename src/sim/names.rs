//! Whom in the world one may ask about a name, and what each says: the name servers, who stands above them, a resolver.

use super::answer::{Around, BALANCER_TTL, DELEGATION_TTL, Line, Said, refer, say};
use super::world::World;
use super::zone::{Records, Zone};
use crate::port::dns::Name;
use std::net::Ipv4Addr;

impl World {
    /// What the name server at this place says: of private zones it tells nobody. `turn` picks among weighted sets.
    #[must_use]
    pub fn answer_of(&self, place: usize, name: &Name, kind: &str, turn: u64) -> Said {
        let public = self.zones.iter().filter(|zone| !zone.private && zone.holds(name));
        match closest(public) {
            Some(zone) => self.known_at(place, zone, name, kind, turn),
            None => Said { refused: true, ..Said::default() },
        }
    }

    /// What the name server at this place has of a zone.
    fn known_at(&self, place: usize, zone: &Zone, name: &Name, kind: &str, turn: u64) -> Said {
        let Some(server) = self.name_servers.get(place) else {
            return Said { refused: true, ..Said::default() };
        };
        #[expect(clippy::cast_precision_loss, reason = "less than a thousand")]
        let lot = (turn.wrapping_mul(379) % 1000) as f64 / 1000.0;
        self.answer_from(zone, zone.served(self.now, server.delay), name, kind, lot)
    }

    /// What a name server says that serves these records of a zone.
    pub(super) fn answer_from(
        &self,
        zone: &Zone,
        records: &Records,
        name: &Name,
        kind: &str,
        lot: f64,
    ) -> Said {
        let balancer = |name: &Name| self.balancer_addresses(name);
        let healthy = |name: &Name| self.is_balancer_healthy(name);
        say(zone, records, name, kind, &Around { balancer: &balancer, healthy: &healthy, lot })
    }

    /// What the primary server of a zone says: it has every change at once.
    #[must_use]
    pub fn answer_of_primary(&self, name: &Name, kind: &str) -> Said {
        let zone = self.zones.iter().find(|zone| zone.is_updated() && zone.holds(name));
        let Some(zone) = zone else { return Said { refused: true, ..Said::default() } };
        let mut said = self.answer_from(zone, zone.newest(), name, kind, 0.0);
        for line in said.answers.iter_mut().chain(&mut said.soa).filter(|line| line.kind == "SOA") {
            let mut words: Vec<&str> = line.value.split(' ').collect();
            let serial = zone.serial().to_string();
            if let Some(word) = words.get_mut(2) {
                *word = &serial;
            }
            line.value = words.join(" ");
        }
        said
    }

    /// What the parent of every zone says.
    #[must_use]
    pub fn refer(&self, name: &Name) -> Said {
        match self.zones.iter().find(|zone| zone.holds(name) && !zone.private) {
            Some(zone) => refer(zone),
            None => Said { authoritative: true, absent: true, ..Said::default() },
        }
    }

    /// The zone that users' resolvers come to for a name: others than those of this world may be its name servers. Users are
    /// in the network of a private zone, unless another zone has its name.
    #[must_use]
    pub fn reached(&self, name: &Name) -> Option<&Zone> {
        let ours = |server: &Name| self.name_servers.iter().any(|own| own.name == *server);
        let comes = |zone: &&Zone| zone.holds(name) && (zone.private || zone.delegation.iter().any(ours));
        closest(self.zones.iter().filter(comes))
    }

    /// What a resolver says that keeps nothing, asks the name servers in turn, and follows CNAMEs: one that users have.
    #[must_use]
    pub fn resolve(&self, name: &Name, kind: &str, turn: u64) -> Said {
        self.follow(name, kind, turn, |name| self.reached(name))
    }

    /// The same of one inside the network of all private zones: it answers from those first, and from nowhere else what they
    /// have not (Route 53 developer guide, "Considerations when working with a private hosted zone").
    #[must_use]
    pub fn resolve_inside(&self, name: &Name, kind: &str, turn: u64) -> Said {
        let private =
            |name: &Name| closest(self.zones.iter().filter(|zone| zone.private && zone.holds(name)));
        self.follow(name, kind, turn, |name| private(name).or_else(|| self.reached(name)))
    }

    fn follow<'w>(
        &'w self,
        name: &Name,
        kind: &str,
        turn: u64,
        zone_of: impl Fn(&Name) -> Option<&'w Zone>,
    ) -> Said {
        let place = usize::try_from(turn).unwrap_or(0) % self.name_servers.len().max(1);
        let mut all = Said::default();
        let mut asked = name.clone();
        for _ in 0..8 {
            let said = match zone_of(&asked) {
                Some(zone) => self.known_at(place, zone, &asked, kind, turn),
                None => self.outside(&asked, kind),
            };
            all.answers.extend(said.answers.iter().cloned());
            (all.absent, all.soa) = (said.absent, said.soa);
            let last = all.answers.last().filter(|line| line.kind == "CNAME" && kind != "CNAME");
            match last.map(|line| Name::new(&line.value)).filter(|next| *next != asked) {
                Some(next) => asked = next,
                None => break,
            }
        }
        all
    }

    /// Names that are in no zone of the world: name servers and load balancers.
    fn outside(&self, name: &Name, kind: &str) -> Said {
        let servers = self.name_servers.iter().chain([&*self.root]).filter(|server| server.name == *name);
        let servers = servers.map(|server| (server.address, DELEGATION_TTL));
        let balancers = self.balancer_addresses(name).into_iter().map(|address| (address, BALANCER_TTL));
        let found: Vec<_> = servers.chain(balancers).collect();
        let line = |(address, ttl): &(Ipv4Addr, u32)| Line {
            name: name.clone(),
            kind: "A".into(),
            ttl: *ttl,
            value: address.to_string(),
        };
        let answers = if kind == "A" { found.iter().map(line).collect() } else { Vec::new() };
        Said { absent: found.is_empty(), answers, ..Said::default() }
    }
}

/// The zone that is closest to a name, of those that hold it; of two that have one name, the public one.
fn closest<'w>(zones: impl Iterator<Item = &'w Zone>) -> Option<&'w Zone> {
    zones.max_by_key(|zone| (zone.name.as_str().len(), !zone.private))
}
