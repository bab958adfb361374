//! What came to a world and what landed in it, in order; which calls are struck; what lands later.
//!
//! Plain data, copied with its world. Not here: how a port obeys a strike (`ports`).

use super::cell::Commands;
use super::change::Verb;
use super::strike::Strike;
use super::world::World;
use super::write::Write;
use super::zone::Records;
use crate::plan::Timestamp;
use crate::port::dns::{Name, RecordSet, RecordType};
use std::fmt::{self, Display};
use std::hash::{Hash, Hasher};
use std::{sync::Arc, time::Duration};

/// For how long after a write a look may still miss it.
pub const STALE: Duration = Duration::from_secs(4);
/// The operation of a command that the world does not know.
pub const UNKNOWN: &str = "unknown";

/// All calls of a world, numbered from 1.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// How many calls came.
    pub count: u64,
    /// Whether they are kept in `calls`.
    pub recording: bool,
    /// Those that came while it was recording.
    pub calls: Vec<CallSeen>,
    /// What meets calls.
    pub armed: Vec<Armed>,
    /// What changed the world since somebody took what there was, oldest first.
    pub landed: Vec<Landed>,
    /// The process that makes the calls is dead: none is sent any more.
    pub died: bool,
    /// Who changes the world now.
    pub(super) acting: Whose,
    pub(super) commands: Commands,
    /// What lands later, in order of asking.
    held: Vec<Held>,
    /// The world before the newest write that landed, if any look may still see it.
    past: Option<(Timestamp, Arc<World>)>,
}

/// A call that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSeen {
    /// Its number.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// `route53`, `rfc2136`, `ecs`, `application-autoscaling`, `elasticloadbalancing`, `monitoring`, `logs`, `ssm`,
    /// `iam`, `secretsmanager`, `prometheus`, `sts`, `dns`, `files`, `http`, `process`.
    pub service: &'static str,
    /// `GetChange`; for `rfc2136` `query`, `UPDATE`; for `dns` `ask`, `addresses`, `delegation`, `https`; for `http` `GET /path`; for `process` the command's role.
    pub operation: Arc<str>,
    /// What it is about.
    pub resource: Arc<str>,
    /// It may change something.
    pub writes: bool,
}

/// A strike in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Armed {
    /// Only calls of this service.
    pub service: Arc<str>,
    /// Only calls of this operation.
    pub operation: Arc<str>,
    /// Only calls whose resource has this text in it.
    pub containing: Arc<str>,
    /// The first call that it may meet, by its number.
    pub from: u64,
    /// How many it meets; 0: all.
    pub times: u32,
    /// What happens to them.
    pub strike: Strike,
    /// How many it has met.
    pub met: u32,
    /// Of calls of this kind it meets only every so many-th: 1, or 0, for each.
    pub every: u32,
    /// Calls of this kind that it let pass since it met one.
    pub passed: u32,
}

impl Armed {
    /// Meets one call of this kind, the first from this number on that it [fits](Strike::fits).
    #[must_use]
    pub fn once(service: &str, operation: &str, from: u64, strike: Strike) -> Self {
        let (service, operation) = (service.into(), operation.into());
        Self {
            service,
            operation,
            containing: Arc::default(),
            from,
            times: 1,
            strike,
            met: 0,
            every: 1,
            passed: 0,
        }
    }

    fn left(&self) -> bool {
        self.times == 0 || self.met < self.times
    }
}

/// A change of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landed {
    /// The newest call by then.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// `record app.example.com A in Z1`, `service main/web`, `scaling of main/web`, `task main/job`, `definition web`,
    /// `rule web:443 default`, `client_keep_alive of load balancer web`,
    /// `http https://app.example.com`, `command cell`.
    pub place: Arc<str>,
    /// What is there now, or what was done.
    pub what: Arc<str>,
    /// Who did it.
    pub by: Whose,
}

/// Who changed the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Whose {
    /// The call of this number.
    Ours(u64),
    /// The call of this number, when nobody waited for it any more.
    Late(u64),
    /// The provider itself, as its rules say: a circuit breaker.
    Provider,
    /// Anybody else.
    #[default]
    Somebody,
}

#[derive(Clone, Debug)]
struct Held {
    at: Timestamp,
    write: Arc<Write>,
    by: Whose,
}

impl Held {
    /// The cell that it sets, and not for us.
    fn sets_for_somebody(&self) -> Option<&Arc<str>> {
        match &*self.write {
            Write::Set { cell, .. } if self.by == Whose::Somebody => Some(cell),
            _ => None,
        }
    }
}

/// A call, as it comes.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) service: &'static str,
    /// The first word of the operation, if it has two.
    pub(super) method: Option<&'a str>,
    pub(super) operation: &'a str,
    pub(super) resource: &'a (dyn Display + Sync),
    pub(super) writes: bool,
}

impl Call<'_> {
    fn is(&self, operation: &str) -> bool {
        match self.method {
            None => self.operation == operation,
            Some(method) => operation.split_once(' ') == Some((method, self.operation)),
        }
    }

    /// Its whole operation.
    pub(super) fn named(&self) -> impl Display + '_ {
        fmt::from_fn(|f| {
            if let Some(method) = self.method {
                write!(f, "{method} ")?;
            }
            f.write_str(self.operation)
        })
    }
}

/// A call that may go on.
#[derive(Clone, Debug)]
pub(super) struct Passage {
    pub(super) number: u64,
    pub(super) strike: Option<Strike>,
}

impl Ledger {
    fn pass(&mut self, call: &Call<'_>, now: Timestamp) -> Passage {
        self.count += 1;
        let number = self.count;
        if self.recording {
            self.calls.push(CallSeen {
                number,
                at: now,
                service: call.service,
                operation: call.named().to_string().into(),
                resource: call.resource.to_string().into(),
                writes: call.writes,
            });
        }
        let seen = self.past(now).is_some();
        let meets = |armed: &&mut Armed| {
            let named = armed.left()
                && armed.from <= number
                && *armed.service == *call.service
                && call.is(&armed.operation)
                && (seen || armed.strike != Strike::Stale)
                && armed.strike.fits(call.service, call.operation, call.writes);
            // Last: nobody writes down what a call is about unless somebody asks.
            named && (armed.containing.is_empty() || call.resource.to_string().contains(&*armed.containing))
        };
        let strike = self.armed.iter_mut().find(meets).and_then(|armed| {
            let lets_pass = armed.met > 0 && armed.passed + 1 < armed.every;
            if lets_pass {
                armed.passed += 1;
                return None;
            }
            (armed.met, armed.passed) = (armed.met + 1, 0);
            Some(armed.strike.clone())
        });
        Passage { number, strike }
    }

    /// Notes what changed.
    pub(super) fn note(&mut self, at: Timestamp, place: impl Into<Arc<str>>, what: impl Into<Arc<str>>) {
        let (number, by) = (self.count, self.acting);
        self.landed.push(Landed { number, at, place: place.into(), what: what.into(), by });
    }

    /// Something lands at a later moment.
    pub(super) fn hold(&mut self, at: Timestamp, write: Write, by: Whose) {
        self.held.push(Held { at, write: Arc::new(write), by });
    }

    /// The next moment at which something lands.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.held.iter().map(|held| held.at).chain(self.commands.ends()).min()
    }

    /// Writes what commands do into a hash: moments as how long until them, in seconds. Not in it: what came and what
    /// landed before, [what still lands](Self::held_situation), [what strikes](Self::strikes_situation), and
    /// [how cells stand](World::cells_situation).
    pub fn situation(&self, now: Timestamp, hash: &mut impl Hasher) {
        self.died.hash(hash);
        self.commands.situation(now, hash);
    }

    /// Writes what still lands into a hash, but for what somebody else makes of these cells.
    pub fn held_situation(&self, but: &[Arc<str>], now: Timestamp, hash: &mut impl Hasher) {
        let counts = |held: &&Held| held.sets_for_somebody().is_none_or(|cell| !but.contains(cell));
        for held in self.held.iter().filter(counts) {
            (held.at.since(now).as_secs(), format!("{:?}", held.write)).hash(hash);
            std::mem::discriminant(&held.by).hash(hash);
        }
    }

    /// The cells of which somebody else still makes something.
    pub fn cells_to_come(&self) -> impl Iterator<Item = &Arc<str>> {
        self.held.iter().filter_map(Held::sets_for_somebody)
    }

    /// Writes what decides how calls are struck from now on into a hash. Of a ledger in which nothing is armed: nothing.
    pub fn strikes_situation(&self, now: Timestamp, hash: &mut impl Hasher) {
        for (place, armed) in self.armed.iter().enumerate().filter(|(_, armed)| armed.left()) {
            let left = armed.times.saturating_sub(armed.met);
            (place, left, armed.from.saturating_sub(self.count)).hash(hash);
            (armed.every, armed.met > 0, armed.passed).hash(hash);
            (&armed.service, &armed.operation, &armed.containing).hash(hash);
            std::mem::discriminant(&armed.strike).hash(hash);
            // Only a stale look sees it.
            if let (Strike::Stale, Some((at, _)), Some(_)) = (&armed.strike, &self.past, self.past(now)) {
                now.since(*at).as_secs().hash(hash);
            }
        }
    }

    /// Something is armed that may meet one of these calls, should they come.
    #[must_use]
    pub fn may_strike(&self, calls: &[CallSeen]) -> bool {
        let meets = |armed: &Armed, call: &CallSeen| {
            *armed.service == *call.service
                && armed.operation == call.operation
                && call.resource.contains(&*armed.containing)
        };
        let mut left = self.armed.iter().filter(|armed| armed.left());
        left.any(|armed| calls.iter().any(|call| meets(armed, call)))
    }

    /// The world that a stale look sees.
    pub(super) fn past(&self, now: Timestamp) -> Option<&World> {
        let (at, past) = self.past.as_ref()?;
        (now.since(*at) < STALE).then_some(&**past)
    }
}

impl World {
    /// A call comes. `None`: nobody is there any more to make it.
    pub(super) fn admit(&mut self, call: &Call<'_>, now: Timestamp) -> Option<Passage> {
        if self.ledger.died {
            return None;
        }
        let passage = self.ledger.pass(call, now);
        if passage.strike == Some(Strike::KillBefore) {
            self.die(now);
            return None;
        }
        Some(passage)
    }

    /// The process that makes the calls dies. Its commands are told to end.
    pub fn die(&mut self, now: Timestamp) {
        self.ledger.died = true;
        self.ledger.commands.forsake(now);
    }

    /// Another process makes the calls from now on.
    pub fn revive(&mut self) {
        self.ledger.died = false;
    }

    /// Lands what is due at this moment.
    pub(super) fn land(&mut self, at: Timestamp) {
        self.end_commands(at);
        let due = |held: &mut Held| held.at <= at;
        let due: Vec<Held> = self.ledger.held.extract_if(.., due).collect();
        for held in due {
            // What is refused by then never lands.
            let _ = self.write(&held.write, held.by, at);
        }
    }

    /// Performs a write of ours as the strike that it meets wants it; the answer is of no use to who gets none.
    pub(super) fn write_struck(
        &mut self,
        write: &Write,
        passage: &Passage,
        now: Timestamp,
    ) -> Result<String, super::Refusal> {
        let stale = |armed: &Armed| armed.left() && armed.strike == Strike::Stale;
        let before = self.ledger.armed.iter().any(stale).then(|| self.without_ledger());
        let landed = self.ledger.landed.len();
        let by = Whose::Ours(passage.number);
        let answer = match passage.strike {
            Some(Strike::Late(span)) => {
                self.ledger.hold(now.after(span), write.clone(), Whose::Late(passage.number));
                Ok(String::new())
            }
            // It is not what was asked for: the call itself has still to be carried out.
            Some(Strike::Wrong) => self.write_wrong(write, Whose::Provider, now),
            Some(Strike::Reverted(span)) => {
                let old = self.before(write);
                let answer = self.write(write, by, now);
                let back = answer.as_ref().ok().and_then(|answer| old.or_else(|| write.undone(answer)));
                if let Some(back) = back {
                    self.ledger.hold(now.after(span), back, Whose::Somebody);
                }
                answer
            }
            _ => self.write(write, by, now),
        };
        if self.ledger.landed.len() > landed {
            self.ledger.past = before.map(|world| (now, Arc::new(world)));
        }
        answer
    }

    /// Notes what a batch makes of the record sets that it names.
    pub(super) fn note_records(
        &mut self,
        zone: usize,
        batch: &[(Verb, RecordSet)],
        next: &Records,
        now: Timestamp,
    ) {
        let zone = &self.zones[zone];
        let (id, old) = (zone.id.clone(), zone.newest().clone());
        let mut seen: Vec<(&Name, &RecordType)> = Vec::new();
        for (_, set) in batch {
            let place = (&set.name, &set.kind);
            let of = |records: &Records| -> Vec<RecordSet> {
                let own = records.values().filter(|set| (&set.name, &set.kind) == place);
                own.cloned().collect()
            };
            let there = of(next);
            if seen.contains(&place) || of(&old) == there {
                continue;
            }
            seen.push(place);
            let words: Vec<String> = there.iter().map(ToString::to_string).collect();
            let what = if words.is_empty() { "none".into() } else { words.join(" and ") };
            self.ledger.note(now, format!("record {} {} in {id}", set.name, set.kind.0), what);
        }
    }

    /// Notes what is asked of a service, if it is something else than it has.
    pub(super) fn note_service(
        &mut self,
        service: usize,
        definition: Option<&str>,
        desired: Option<u32>,
        force: bool,
        now: Timestamp,
    ) {
        let found = &self.services[service];
        let current = &*found.deployments[0].definition;
        let wanted = definition.unwrap_or(current);
        let count = desired.unwrap_or(found.desired);
        if force || wanted != current || count != found.desired {
            let name = wanted.rsplit('/').next().unwrap_or(wanted);
            let forced = if force { ", by force" } else { "" };
            let what = format!("{count} of {name}{forced}");
            let place = format!("service {}/{}", found.cluster, found.name);
            self.ledger.note(now, place, what);
        }
    }

    /// Notes what became of a task.
    pub(super) fn note_task(&mut self, cluster: &str, definition: &str, what: &str, now: Timestamp) {
        let family = self.definition(definition).map_or(definition, |found| &found.family);
        let place = format!("task {cluster}/{family}");
        self.ledger.note(now, place, what);
    }

    fn without_ledger(&mut self) -> World {
        let ledger = std::mem::take(&mut self.ledger);
        let copy = self.clone();
        self.ledger = ledger;
        copy
    }
}
