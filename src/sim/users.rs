//! Users in virtual time: resolvers that cache, each for a part of the users, connections that are kept, requests that fail.
//!
//! They only know a URL. All users behind one resolver are played as one, a few times a minute: what comes of their
//! requests is worked out once and counted for all of them. Scripted faults are for the calls of a run; users meet none.
//! A world that is served has users with real sockets instead.

use super::app::bear;
use super::balancer::{Outcome, minute};
use super::common::Common;
use super::file::{TrafficFile, WorldError};
use super::resolver::Resolver;
use super::situation::left;
use super::world::World;
use crate::plan::Timestamp;
use crate::port::dns::Name;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

/// Between two moments at which the users of one resolver ask.
pub(super) const TICK: Duration = Duration::from_secs(15);
const TICK_MS: u64 = 15_000;
/// Between the ticks of one resolver and those of the next, in milliseconds.
const APART: u64 = 5000;
/// How many failures are told one by one.
const TOLD: usize = 64;
/// Where they come.
const HTTPS: u16 = 443;
/// How long a load balancer waits for a target.
const PATIENCE: Duration = Duration::from_secs(10);
/// Of a thousand users, how many are behind a resolver that keeps answers for longer than it may: measured in "TTL
/// Violation of DNS Resolvers in the Wild", PAM 2023.
const STRETCHED: u64 = 87;
/// Of a thousand users, how many are behind one that serves stale answers: nobody has counted them.
const STALE: u64 = 50;

/// How a resolver treats the TTL of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResolverKind {
    /// Keeps it so long, and no longer.
    Respects,
    /// Keeps it for five minutes at least.
    Stretches,
    /// Gives it once more when it has expired, and asks again only then.
    ServesStale,
}

impl fmt::Display for ResolverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Respects => "a resolver that respects TTLs",
            Self::Stretches => "a resolver that keeps every answer for 5m",
            Self::ServesStale => "a resolver that serves stale answers once",
        })
    }
}

/// Why a request of a user failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// The name leads to no address.
    NoAnswer,
    /// Nobody listens at the address: the load balancer was torn down, or never was.
    NobodyThere,
    /// The load balancer has no target for it: 503.
    NoTarget,
    /// The target did not answer: 502 or 504.
    TargetFailed,
    /// The program answered so: 5xx.
    Answered(u16),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("the name has no address"),
            Self::NobodyThere => f.write_str("nobody listens at the address"),
            Self::NoTarget => f.write_str("the load balancer has no healthy target"),
            Self::TargetFailed => f.write_str("the target did not answer"),
            Self::Answered(status) => write!(f, "status {status}"),
        }
    }
}

/// Requests that failed alike, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFailure {
    /// When.
    pub at: Timestamp,
    /// Which users: those behind this resolver.
    pub resolver: ResolverKind,
    /// The load balancer that they came to, or meant to.
    pub balancer: Option<String>,
    /// Why.
    pub reason: Trouble,
    /// How many requests.
    pub requests: u64,
}

/// Requests so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All.
    pub asked: u64,
    /// Those that failed.
    pub failed: u64,
}

impl Tally {
    fn add(&mut self, asked: u64, failed: u64) {
        self.asked += asked;
        self.failed += failed;
    }
}

/// Where the users behind one resolver go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache<'a> {
    /// Which users.
    pub resolver: ResolverKind,
    /// The load balancer that the resolver's answer leads to, and until when it gives this answer.
    pub leads: Option<(&'a str, Timestamp)>,
    /// The load balancer to which some of them keep a connection, and until when at most.
    pub connected: Option<(&'a str, Timestamp)>,
}

/// The users of a world.
#[derive(Clone, Debug)]
pub struct Users {
    habits: Arc<Habits>,
    groups: Vec<Group>,
    by_balancer: Common<BTreeMap<String, Tally>>,
    failures: Common<Vec<UserFailure>>,
}

/// What they do, again and again.
#[derive(Debug)]
struct Habits {
    host: Name,
    /// Each path once, and its places among all that they ask for in turn.
    paths: Vec<(String, Vec<u64>)>,
    /// How many places there are.
    places: u64,
    /// In milliseconds.
    every: u64,
}

/// The users behind one resolver.
#[derive(Clone, Debug)]
struct Group {
    resolver: Resolver,
    keepers: Part,
    others: Part,
    connection: Option<Connection>,
    next: Timestamp,
    /// Requests so far decide which path is next, and whose turn it is.
    sent: u64,
    tally: Tally,
}

/// Users who do the same.
#[derive(Clone, Copy, Debug)]
struct Part {
    users: u64,
    /// What is left of the last tick, in user-milliseconds.
    owed: u64,
}

impl Part {
    fn new(users: u64) -> Self {
        Self { users, owed: 0 }
    }

    /// How many requests they send in a tick.
    fn requests(&mut self, every: u64) -> u64 {
        self.owed += self.users * TICK_MS;
        let requests = self.owed / every;
        self.owed %= every;
        requests
    }
}

/// A connection that is kept.
#[derive(Clone, Debug)]
struct Connection {
    balancer: Arc<str>,
    /// The load balancer closes it then.
    until: Timestamp,
    /// Or then, if nobody used it before.
    idle: Timestamp,
}

/// What comes of the requests of a tick.
struct Tick<'a> {
    world: &'a mut World,
    now: Timestamp,
    resolver: ResolverKind,
    habits: &'a Habits,
    outcomes: Vec<(Outcome, u64)>,
    parts: Vec<(Option<usize>, u64)>,
    by_balancer: &'a mut Common<BTreeMap<String, Tally>>,
    failures: &'a mut Common<Vec<UserFailure>>,
}

impl World {
    /// Makes the users that the file states part of this world; none, if it states none. They begin to ask within
    /// seconds, their resolvers knowing nothing yet.
    ///
    /// # Errors
    /// What they call is no URL that a browser would open.
    pub fn populate(&mut self) -> Result<(), WorldError> {
        let Some(traffic) = &*self.traffic else { return Ok(()) };
        let users = Users::new(traffic, self.now).map_err(|message| WorldError::new(&self.name, message))?;
        self.course.users = users;
        self.disturbed();
        Ok(())
    }

    /// Its users, if it was populated.
    #[must_use]
    pub fn users(&self) -> Option<&Users> {
        self.course.users.as_ref()
    }

    /// Its users, to change what they are like.
    pub fn users_mut(&mut self) -> Option<&mut Users> {
        self.course.users.as_mut()
    }
}

impl Users {
    fn new(traffic: &TrafficFile, now: Timestamp) -> Result<Option<Self>, String> {
        let url = url::Url::parse(&traffic.url).map_err(|error| format!("`traffic: url`: {error}"))?;
        let host = url.host_str().filter(|_| url.scheme() == "https");
        let host = Name::new(host.ok_or("`traffic: url` must begin with https:// and name a host")?);
        let (paths, places) = in_turn(&traffic.paths);
        let every = u64::try_from(traffic.every.0.as_millis()).unwrap_or(u64::MAX).max(1);
        let all = u64::from(traffic.users);
        let part = |of_thousand: u64| (all * of_thousand).div_ceil(1000).min(all / 3);
        let (stretched, stale) = (part(STRETCHED), part(STALE));
        let kinds = [
            (ResolverKind::Respects, all - stretched - stale),
            (ResolverKind::Stretches, stretched),
            (ResolverKind::ServesStale, stale),
        ];
        let groups = (0..).zip(kinds).filter(|(_, (_, users))| *users > 0);
        let groups: Vec<Group> = groups
            .map(|(place, (kind, users))| {
                let keepers = keepers(users, traffic.kept);
                let offset = place * APART;
                let ticks = (now.0 + 1).saturating_sub(offset).div_ceil(TICK_MS);
                Group {
                    resolver: Resolver::new(kind, place),
                    keepers: Part::new(keepers),
                    others: Part::new(users - keepers),
                    connection: None,
                    next: Timestamp(ticks * TICK_MS + offset),
                    sent: 0,
                    tally: Tally::default(),
                }
            })
            .collect();
        let habits = Arc::new(Habits { host, paths, places, every });
        let users = Self { habits, groups, by_balancer: Common::default(), failures: Common::default() };
        Ok((all > 0).then_some(users))
    }

    /// From now on, whoever respects TTLs keeps every answer for so long at least, those that are known already too.
    pub fn ignore_ttl(&mut self, keep: Duration) {
        for group in &mut self.groups {
            group.resolver.ignore_ttl(keep);
        }
    }

    /// Requests so far, by the kind of resolver that those who sent them are behind.
    pub fn by_resolver(&self) -> impl Iterator<Item = (ResolverKind, Tally)> + '_ {
        self.groups.iter().map(|group| (group.resolver.kind, group.tally))
    }

    /// Requests so far, by the load balancer that they were for; those that came to none are nobody's.
    #[must_use]
    pub fn by_balancer(&self) -> &BTreeMap<String, Tally> {
        &self.by_balancer
    }

    /// The first failures.
    #[must_use]
    pub fn failures(&self) -> &[UserFailure] {
        &self.failures
    }

    /// Where the users behind each resolver go now.
    pub fn caches(&self) -> impl Iterator<Item = Cache<'_>> + '_ {
        self.groups.iter().map(|group| Cache {
            resolver: group.resolver.kind,
            leads: group.resolver.leads(),
            connected: group.connection.as_ref().map(|kept| (&*kept.balancer, kept.until.min(kept.idle))),
        })
    }

    /// When somebody next asks.
    pub(super) fn next(&self) -> Timestamp {
        self.groups.iter().map(|group| group.next).min().unwrap_or(Timestamp::NEVER)
    }

    /// Everything that users do at this moment.
    pub(super) fn tick(&mut self, world: &mut World, now: Timestamp) {
        for group in self.groups.iter_mut().filter(|group| group.next <= now) {
            group.next = group.next.after(TICK);
            let mut tick = Tick {
                world: &mut *world,
                now,
                resolver: group.resolver.kind,
                habits: &self.habits,
                outcomes: Vec::new(),
                parts: Vec::new(),
                by_balancer: &mut self.by_balancer,
                failures: &mut self.failures,
            };
            group.ask(&mut tick);
        }
    }

    /// What decides where they go from now on.
    /// `now_leads`: where every name server leads them now, and for how long; `None`: they do not agree.
    pub(super) fn situation(
        &self,
        now: Timestamp,
        now_leads: Option<(&str, Duration)>,
        hash: &mut impl Hasher,
    ) {
        for group in &self.groups {
            let resolver = &group.resolver;
            // Whoever is where everybody is led asks again sooner or later, and is led there again.
            let settled = |name: &str, until: Timestamp, longest: Duration| {
                now_leads.is_some_and(|(leads, ttl)| leads == name && until.since(now) <= ttl.max(longest))
            };
            if let Some((name, until)) = resolver.leads() {
                let left =
                    (!settled(name, until, resolver.keeps() + TICK)).then(|| left(now, until, TICK_MS));
                (name, left).hash(hash);
            }
            0u8.hash(hash);
            let kept = group.connection.as_ref().map(|kept| (&*kept.balancer, kept.until.min(kept.idle)));
            if let Some((name, until)) = kept.filter(|(_, until)| *until > now) {
                let left = (!settled(name, until, Duration::MAX)).then(|| left(now, until, TICK_MS));
                left.map(|left| (name, left)).hash(hash);
            }
            (1u8, resolver.ignored()).hash(hash);
        }
    }

    /// What they call.
    pub(super) fn host(&self) -> &Name {
        &self.habits.host
    }
}

/// Each path once, with its places among all of them; and how many there are. Nothing stated: the root.
fn in_turn(all: &[String]) -> (Vec<(String, Vec<u64>)>, u64) {
    let mut paths: Vec<(String, Vec<u64>)> = Vec::new();
    for (place, path) in (0..).zip(all) {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        match paths.iter_mut().find(|(known, _)| known == path) {
            Some((_, places)) => places.push(place),
            None => paths.push((path.to_owned(), vec![place])),
        }
    }
    match u64::try_from(all.len()) {
        Ok(places) if places > 0 => (paths, places),
        _ => (vec![("/".into(), vec![0])], 1),
    }
}

fn keepers(users: u64, part: f64) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "users are fewer than 2^32")]
    let keepers = (users as f64 * part.clamp(0.0, 1.0)).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of the users")]
    let keepers = keepers as u64;
    keepers
}

impl Group {
    fn ask(&mut self, tick: &mut Tick<'_>) {
        let habits = tick.habits;
        let (kept, fresh) = (self.keepers.requests(habits.every), self.others.requests(habits.every));
        let now = tick.now;
        let open = |kept: &Connection| now < kept.until && now < kept.idle;
        let stands = |balancer: &str, tick: &Tick<'_>| tick.world.balancers.contains_key(balancer);
        self.connection = self.connection.take().filter(|kept| open(kept) && stands(&kept.balancer, tick));
        if let Some(held) = &self.connection {
            tick.hold(&held.balancer, self.keepers.users, 0);
        }
        let mut new = fresh;
        if kept > 0 && self.connection.is_none() {
            new += kept;
        }
        // Somebody behind it always asks.
        self.resolver.resolve(&habits.host, tick.world, now);
        let there = self.resolver.balancer().filter(|balancer| stands(balancer, tick)).cloned();
        if let (Some(balancer), true, true) = (&there, kept > 0, self.connection.is_none()) {
            let keep_alive = tick.world.balancers.get(&**balancer).map_or(Duration::ZERO, |b| b.keep_alive);
            // The first one was opened a while ago: were it not, and its time part of a TTL, it would always end with it.
            let ago = if self.sent == 0 { TICK } else { Duration::ZERO };
            let until = now.after(keep_alive.saturating_sub(ago));
            self.connection = Some(Connection { balancer: balancer.clone(), until, idle: now });
        }
        let together = self.connection.as_ref().is_some_and(|kept| Some(&kept.balancer) == there.as_ref());
        // Requests that come to one load balancer at one moment are one to it, however they are sent.
        let first = if together || self.connection.is_none() { fresh + kept } else { fresh };
        let failed = match there {
            Some(balancer) => tick.send(&balancer, first, new, self.sent),
            None => tick.fail(self.resolver.balancer(), self.resolver.leads_nowhere(), first),
        };
        self.book(first, failed);
        let Some(connection) = self.connection.as_mut().filter(|_| kept > 0) else { return };
        let idle = tick.world.balancers.get(&*connection.balancer).map(|b| b.idle_timeout);
        connection.idle = now.after(idle.unwrap_or_default());
        if !together {
            let failed = tick.send(&connection.balancer, kept, 0, self.sent);
            self.book(kept, failed);
        }
    }

    fn book(&mut self, requests: u64, failed: u64) {
        self.tally.add(requests, failed);
        self.sent += requests;
    }
}

impl Tick<'_> {
    /// So many connections are open now, so many of them new.
    fn hold(&mut self, balancer: &str, open: u64, new: u64) {
        if let Some(found) = self.world.balancers.get_mut(balancer) {
            let counts = found.counts.entry(minute(self.now)).or_default();
            counts.connections += new;
            counts.active = counts.active.max(open);
        }
    }

    /// Sends requests to a load balancer that stands, over so many new connections; how many failed.
    fn send(&mut self, balancer: &Arc<str>, requests: u64, new: u64, sent: u64) -> u64 {
        if requests == 0 {
            return 0;
        }
        self.hold(balancer, requests, new);
        let all = self.habits.places;
        let mut failed = 0;
        for (path, places) in &self.habits.paths {
            // In turn, whoever asks: the requests whose number belongs to this path.
            let before =
                |number: u64| -> u64 { places.iter().map(|place| (number + all - 1 - place) / all).sum() };
            let part = before(sent + requests) - before(sent);
            if part > 0 {
                failed += self.serve(balancer, path, part, sent);
            }
        }
        self.count(Some(balancer), requests, failed);
        failed
    }

    /// What the load balancer makes of requests for one path; how many failed.
    fn serve(&mut self, balancer: &Arc<str>, path: &str, requests: u64, turn: u64) -> u64 {
        let mut parts = std::mem::take(&mut self.parts);
        self.deal(balancer, path, requests, turn, &mut parts);
        let mut failed = 0;
        for (group, part) in &parts {
            failed += self.ask(balancer, *group, path, *part, turn);
        }
        self.parts = parts;
        failed
    }

    /// How many of the requests each target group gets, by its place among all.
    fn deal(
        &self,
        balancer: &str,
        path: &str,
        requests: u64,
        turn: u64,
        parts: &mut Vec<(Option<usize>, u64)>,
    ) {
        parts.clear();
        let place = |name: &str| self.world.groups.keys().position(|known| known == name);
        let found = self.world.balancers.get(balancer);
        let Some(rule) = found.and_then(|found| found.taker(HTTPS, path)) else {
            return parts.push((None, requests));
        };
        let mut dealt = rule.shares.iter().filter(|(_, weight)| *weight > 0);
        if let (Some((only, _)), None) = (dealt.next(), dealt.next()) {
            return parts.push((place(only), requests));
        }
        for turn in turn..turn + requests {
            let group = rule.turn(turn).and_then(place);
            match parts.iter_mut().find(|(known, _)| *known == group) {
                Some((_, part)) => *part += 1,
                None => parts.push((group, 1)),
            }
        }
    }

    /// What the targets of a group make of requests; how many failed.
    fn ask(
        &mut self,
        balancer: &Arc<str>,
        group: Option<usize>,
        path: &str,
        requests: u64,
        turn: u64,
    ) -> u64 {
        let world = &mut *self.world;
        let mut outcomes = std::mem::take(&mut self.outcomes);
        outcomes.clear();
        let found = group.and_then(|place| world.groups.values().nth(place));
        let candidates = || {
            found.into_iter().flat_map(|group| {
                let open = group.open_to();
                group.targets.iter().filter(move |(_, target)| open(target))
            })
        };
        let all = u64::try_from(candidates().count()).unwrap_or(u64::MAX);
        if all == 0 {
            outcomes.push((Outcome::Nobody, requests));
        }
        for (place, (id, _)) in (0..).zip(candidates()) {
            let first = (place + all - turn % all) % all;
            let part = requests / all + u64::from(first < requests % all);
            if part == 0 {
                continue;
            }
            match world.tasks.get_mut(id).filter(|task| task.listens()) {
                None => outcomes.push((Outcome::Failed, part)),
                Some(task) => {
                    let (status, takes, failed) = bear(task, &world.images, path, part, self.now);
                    if takes >= PATIENCE {
                        outcomes.push((Outcome::Failed, part));
                        continue;
                    }
                    let took = u32::try_from(takes.as_millis()).unwrap_or(u32::MAX);
                    let answered = |status| Outcome::Answered { status, took };
                    match outcomes.last_mut() {
                        Some((last, times)) if *last == answered(status) => *times += part - failed,
                        _ => outcomes.push((answered(status), part - failed)),
                    }
                    if failed > 0 {
                        outcomes.push((answered(500), failed));
                    }
                }
            }
        }
        let failed = self.book(balancer, group, &outcomes);
        self.outcomes = outcomes;
        failed
    }

    /// Counts what came of requests, at the load balancer and at its group; how many failed.
    fn book(&mut self, balancer: &Arc<str>, group: Option<usize>, outcomes: &[(Outcome, u64)]) -> u64 {
        let now = self.now;
        let happened = || outcomes.iter().filter(|(_, times)| *times > 0);
        if let Some(found) = self.world.balancers.get_mut(&**balancer) {
            let counts = found.counts.entry(minute(now)).or_default();
            happened().for_each(|(outcome, times)| counts.add_many(*outcome, *times));
        }
        if let Some(found) = group.and_then(|place| self.world.groups.values_mut().nth(place)) {
            let counts = found.counts.entry(minute(now)).or_default();
            happened().for_each(|(outcome, times)| counts.add_many(*outcome, *times));
        }
        let mut failed = 0;
        for (outcome, times) in happened() {
            let reason = match outcome {
                Outcome::Answered { status, .. } if *status < 500 => continue,
                Outcome::Answered { status, .. } => Trouble::Answered(*status),
                Outcome::Nobody => Trouble::NoTarget,
                Outcome::Failed => Trouble::TargetFailed,
            };
            failed += times;
            self.tell(Some(balancer), reason, *times);
        }
        failed
    }

    /// Requests that never came to a load balancer; all of them failed.
    fn fail(&mut self, balancer: Option<&Arc<str>>, reason: Trouble, requests: u64) -> u64 {
        if requests == 0 {
            return 0;
        }
        self.tell(balancer, reason, requests);
        self.count(balancer, requests, requests);
        requests
    }

    fn count(&mut self, balancer: Option<&Arc<str>>, asked: u64, failed: u64) {
        let name = balancer.map_or("nobody", |balancer| balancer);
        if let Some(tally) = self.by_balancer.get_mut(name) {
            return tally.add(asked, failed);
        }
        self.by_balancer.insert(name.to_owned(), Tally { asked, failed });
    }

    fn tell(&mut self, balancer: Option<&Arc<str>>, reason: Trouble, requests: u64) {
        if self.failures.len() < TOLD {
            let (at, resolver) = (self.now, self.resolver);
            let balancer = balancer.map(ToString::to_string);
            self.failures.push(UserFailure { at, resolver, balancer, reason, requests });
        }
    }
}
