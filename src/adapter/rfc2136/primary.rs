//! What a primary server is asked and told, and what its answers are worth.

use super::key::{Key, Signed};
use super::line::{Line, Trouble};
use super::sets::{self, Listed, Plan, Unfit};
use crate::adapter::dns::{self, Resolver};
use crate::plan::Timestamp;
use crate::port::Clock;
use crate::port::dns::{Name, RecordChange};
use crate::run::Fault;
use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::{self, DNSClass, RData, Record};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How often a look is tried; whoever needs it looks again anyway.
const LOOKS: u32 = 4;
/// How long it waits before the second try; twice as long each time.
const PAUSE: Duration = Duration::from_millis(300);
/// How long a change has, as a rule.
const CALL: Duration = Duration::from_secs(60);
/// How often a zone is read anew that changes while it is read.
const TURNS: u32 = 32;
/// Beside any name that is asked for: only a wildcard answers for it.
const NOBODY: &str = "switchover-asks-for-no-such-name";

/// Where a primary server is.
pub(super) enum Server {
    At(SocketAddr),
    Named(Name, u16),
}

/// A zone on its primary server.
pub(super) struct Primary {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) zone: Name,
    pub(super) server: Server,
    pub(super) key: Key,
}

/// What a zone has of some names, at one serial.
pub(super) struct There {
    soa: Record,
    pub(super) sets: Vec<Listed>,
}

impl There {
    fn serial(&self) -> u32 {
        serial(&self.soa)
    }
}

/// Why a zone was not read.
enum Unread {
    /// No answer that can be believed.
    Trouble(Trouble),
    /// It refused.
    Refused(ResponseCode),
    /// It answers, and is no authority for the zone.
    Lame,
    /// It changed as often as it was read.
    Busy,
}

impl From<Trouble> for Unread {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl Primary {
    /// For people.
    fn named(&self) -> String {
        let server = match &self.server {
            Server::At(address) => address.to_string(),
            Server::Named(host, port) => format!("{host}:{port}"),
        };
        format!("primary server {server} of {}", self.zone)
    }

    async fn address(&self) -> Result<SocketAddr, Fault> {
        match &self.server {
            Server::At(address) => Ok(*address),
            Server::Named(host, port) => {
                for address in Resolver::System.addresses(host.as_str()).await? {
                    let address = SocketAddr::new(address, *port);
                    // A machine without IPv6 cannot ask there.
                    if dns::reachable(address).await {
                        return Ok(address);
                    }
                }
                Err(Fault::blind(format!("no way from here to {}", self.named())))
            }
        }
    }

    fn signed(&self) -> Signed {
        Signed::until(self.clock.now(), Timestamp::NEVER)
    }

    /// The name servers that the zone names.
    pub(super) async fn name_servers(&self) -> Result<Vec<Name>, Fault> {
        let there = self.read(std::slice::from_ref(&self.zone)).await?;
        let named = there.sets.iter().filter(|listed| listed.set.kind.0 == "NS");
        Ok(named.flat_map(|listed| &listed.set.values).map(|name| Name::new(name)).collect())
    }

    /// All sets of some names. Whatever may pass is tried again a few times.
    pub(super) async fn read(&self, names: &[Name]) -> Result<There, Fault> {
        let address = self.address().await?;
        let mut pause = PAUSE;
        for _ in 1..LOOKS {
            match self.read_at(address, names).await {
                Err(
                    Unread::Trouble(Trouble::Unsent(_) | Trouble::Silent(_))
                    | Unread::Refused(ResponseCode::ServFail)
                    | Unread::Busy,
                ) => {}
                other => return other.map_err(|unread| self.unread(unread)),
            }
            self.clock.sleep_until(self.clock.now().after(pause)).await;
            pause *= 2;
        }
        self.read_at(address, names).await.map_err(|unread| self.unread(unread))
    }

    async fn read_at(&self, address: SocketAddr, names: &[Name]) -> Result<There, Unread> {
        let mut line = Line::open(address, &self.key).await?;
        let mut soa = self.soa(&mut line).await?;
        for _ in 0..TURNS {
            let mut sets = Vec::new();
            for name in names {
                sets.extend(self.sets(&mut line, name).await?);
            }
            let after = self.soa(&mut line).await?;
            if serial(&soa) == serial(&after) {
                return Ok(There { soa, sets });
            }
            soa = after;
        }
        Err(Unread::Busy)
    }

    async fn soa(&self, line: &mut Line<'_>) -> Result<Record, Unread> {
        let answers = self.ask(line, &self.zone, &[rr::RecordType::SOA]).await?;
        let own =
            |record: &Record| matches!(record.data, RData::SOA(_)) && dns::named(&record.name) == self.zone;
        answers.into_iter().find(own).ok_or(Unread::Lame)
    }

    /// What is really under a name: not what a wildcard has for it.
    async fn sets(&self, line: &mut Line<'_>, name: &Name) -> Result<Vec<Listed>, Unread> {
        let answers = self.ask(line, name, &sets::KINDS).await?;
        let mut found = sets::listed(name, answers.iter());
        let parent = name.as_str().split_once('.').filter(|(label, _)| *label != "*" && *name != self.zone);
        if let (Some((_, parent)), false) = (parent, found.is_empty()) {
            let nobody = Name::new(&format!("{NOBODY}.{parent}"));
            let answers = self.ask(line, &nobody, &sets::KINDS).await?;
            let wild = sets::listed(&nobody, answers.iter());
            found.retain(|listed| !wild.iter().any(|wild| wild.is_like(listed)));
        }
        Ok(found)
    }

    /// Asks for some types of a name; all records of all answers.
    async fn ask(
        &self,
        line: &mut Line<'_>,
        name: &Name,
        kinds: &[rr::RecordType],
    ) -> Result<Vec<Record>, Unread> {
        let unsent = |why: String| Trouble::Unsent(why);
        let asked = dns::on_wire(name).map_err(unsent)?;
        let questions = kinds.iter().map(|kind| {
            let mut question = Message::query();
            question.metadata.recursion_desired = false;
            question.add_query(Query::query(asked.clone(), *kind));
            question
        });
        let mut found = Vec::new();
        for answer in line.ask_all(questions.collect(), self.signed()).await? {
            match answer.metadata.response_code {
                ResponseCode::NoError | ResponseCode::NXDomain if !answer.metadata.authoritative => {
                    return Err(Unread::Lame);
                }
                ResponseCode::NoError | ResponseCode::NXDomain => found.extend(answer.answers),
                // Not to tell of all types at once is no refusal to tell of each.
                _ if kinds.len() > 1 && answer.queries.iter().any(is_any) => {}
                refusal => return Err(Unread::Refused(refusal)),
            }
        }
        Ok(found)
    }

    fn unread(&self, unread: Unread) -> Fault {
        let text = |why: &str| format!("{}: {why}", self.named());
        match unread {
            Unread::Trouble(Trouble::Key(why)) => Fault::blind(text(&why)),
            Unread::Trouble(Trouble::Unsent(why) | Trouble::Silent(why)) => Fault::transient(text(&why)),
            Unread::Refused(ResponseCode::ServFail) => Fault::transient(text("it has trouble (SERVFAIL)")),
            Unread::Refused(refusal) => Fault::blind(text(&format!(
                "it refuses to answer ({refusal}); does its `allow-query` (BIND) or `acl` (Knot) let the key `{}` look?",
                self.key.name()
            ))),
            Unread::Lame => Fault::permanent(text(
                "it is no authority for this zone: `server` must be the one that has it, and `name` the zone's own",
            )),
            Unread::Busy => Fault::transient(text("the zone changes as often as it is read")),
        }
    }

    /// Whether an update by this key would be read. Changes nothing: it has no changes.
    pub(super) async fn may_update(&self) -> Result<(), Fault> {
        let soa = exists(&self.zone, rr::RecordType::SOA).map_err(Fault::permanent)?;
        let update = self.update(vec![soa], Vec::new()).map_err(Fault::permanent)?;
        // Signed for no longer than a change is: clocks must agree to within that.
        let now = self.clock.now();
        match self.send(update, Signed::until(now, now.after(CALL))).await {
            Ok(ResponseCode::NoError) => Ok(()),
            Ok(refusal) => Err(self.refused(refusal)),
            Err(trouble) => Err(self.unread(trouble.into())),
        }
    }

    /// Carries out a batch, all or nothing; the serial of the zone afterwards.
    pub(super) async fn change(&self, batch: &[RecordChange], until: Timestamp) -> Result<u32, Fault> {
        let mut names: Vec<Name> = batch.iter().map(|change| owner(change).clone()).collect();
        names.sort();
        names.dedup();
        let mut refused = None;
        let mut by_serial = true;
        // Each turn somebody else changes another name of the zone, and this is sent anew.
        loop {
            let there = self.read(&names).await?;
            let plan = sets::plan(batch, &there.sets).map_err(|unfit| match unfit {
                Unfit::Foreign(why) => Fault::foreign(format!("{}: {why}", self.named())),
                Unfit::Unsound(why) => Fault::permanent(why),
            })?;
            if refused == Some(there.serial()) {
                if !by_serial {
                    return Err(self.otherwise());
                }
                // Where a server signs zones by itself, it compares a serial that it shows to nobody.
                by_serial = false;
            }
            let stated = by_serial.then_some(&there.soa);
            let update = self.swap(&plan, stated).map_err(Fault::permanent)?;
            let now = self.clock.now();
            if now >= until {
                // Time alone: this machine was asleep, or too busy to send it.
                return Err(Fault::blind("the deadline of this call passed before it was sent"));
            }
            match self.send(update, Signed::until(now, until)).await {
                Ok(
                    ResponseCode::NXRRSet
                    | ResponseCode::YXRRSet
                    | ResponseCode::NXDomain
                    | ResponseCode::YXDomain,
                ) => refused = Some(there.serial()),
                Ok(ResponseCode::NoError) => return self.read_back(&names, &plan).await,
                Ok(ResponseCode::ServFail) => {
                    let why = "it has trouble (SERVFAIL), and may have done it all the same";
                    return Err(self.lost(why));
                }
                Ok(refusal) => return Err(self.refused(refusal)),
                Err(Trouble::Silent(why)) => return Err(self.lost(&why)),
                Err(trouble) => return Err(self.unread(trouble.into())),
            }
        }
    }

    /// It may have done it: who asked looks, until the signature has run out.
    fn lost(&self, why: &str) -> Fault {
        Fault::lost(format!("{}: {why}", self.named()))
    }

    /// It said NOERROR, which is no proof.
    async fn read_back(&self, names: &[Name], plan: &Plan) -> Result<u32, Fault> {
        let unseen = |fault: Fault| Fault::lost(format!("accepted, and not read back: {}", fault.message));
        let there = self.read(names).await.map_err(unseen)?;
        if sets::prints(&there.sets) == sets::prints(&plan.after) {
            return Ok(there.serial());
        }
        let now: Vec<String> = there.sets.iter().map(|listed| listed.set.to_string()).collect();
        let now = if now.is_empty() { "nothing".to_owned() } else { now.join(", ") };
        let text = format!(
            "{}: it accepted the update, and has {now}: either it ignored a part, or somebody changed it since",
            self.named()
        );
        Err(Fault { landed: crate::run::Landed::Maybe, ..Fault::foreign(text) })
    }

    /// One update: all that goes must be exactly there, and all that comes must not.
    fn swap(&self, plan: &Plan, soa: Option<&Record>) -> Result<Message, String> {
        let (mut required, mut changes) = (Vec::new(), Vec::new());
        if let Some(soa) = soa {
            required.push(exactly(soa));
        }
        for listed in &plan.gone {
            required.extend(listed.records.iter().map(exactly));
            changes.push(all(listed, DNSClass::ANY)?);
        }
        for made in &plan.come {
            if !plan.gone.iter().any(|gone| gone.set.name == made.set.name && gone.set.kind == made.set.kind)
            {
                required.push(all(made, DNSClass::NONE)?);
            }
            changes.extend(made.records.iter().cloned());
        }
        self.update(required, changes)
    }

    fn update(&self, required: Vec<Record>, changes: Vec<Record>) -> Result<Message, String> {
        let mut update = Message::query();
        update.metadata.op_code = OpCode::Update;
        update.metadata.recursion_desired = false;
        update.add_query(Query::query(dns::on_wire(&self.zone)?, rr::RecordType::SOA));
        // In an update these sections are called prerequisites and changes.
        update.answers = required;
        update.authorities = changes;
        Ok(update)
    }

    async fn send(&self, update: Message, signed: Signed) -> Result<ResponseCode, Trouble> {
        let address = self.address().await.map_err(|fault| Trouble::Unsent(fault.message.to_string()))?;
        let mut line = Line::open(address, &self.key).await?;
        Ok(line.ask(update, signed).await?.metadata.response_code)
    }

    /// The server says no.
    fn refused(&self, refusal: ResponseCode) -> Fault {
        let key = self.key.name();
        let why = match refusal {
            ResponseCode::Refused => format!(
                "it does not let the key `{key}` change this (REFUSED): see `update-policy` or `allow-update` (BIND), \
                 or `acl` (Knot)"
            ),
            ResponseCode::NotAuth => format!(
                "it may not change this zone (NOTAUTH): `server` must be the zone's primary server, and its `acl` (Knot) let \
                 the key `{key}` update it"
            ),
            ResponseCode::NotImp => "it takes no dynamic updates (NOTIMP)".to_owned(),
            ResponseCode::NotZone => "a name is not in this zone (NOTZONE)".to_owned(),
            other => format!("it refused the update ({other})"),
        };
        Fault::permanent(format!("{}: {why}", self.named()))
    }

    /// Nothing changed meanwhile, and still the server has something else than it serves.
    fn otherwise(&self) -> Fault {
        Fault::permanent(format!(
            "{}: it serves what was read, and says that it has something else: a wildcard may answer for the name",
            self.named()
        ))
    }
}

fn owner(change: &RecordChange) -> &Name {
    match change {
        RecordChange::Delete(set) | RecordChange::Create(set) => &set.name,
    }
}

fn is_any(question: &Query) -> bool {
    question.query_type() == rr::RecordType::ANY
}

fn serial(soa: &Record) -> u32 {
    match &soa.data {
        RData::SOA(soa) => soa.serial,
        _ => 0,
    }
}

/// A record as a requirement: no TTL is compared.
fn exactly(record: &Record) -> Record {
    Record::from_rdata(record.name.clone(), 0, record.data.clone())
}

/// A set as a whole, without its values: as a requirement it must be there (ANY) or must not (NONE); as a change it goes.
fn whole(name: &Name, kind: rr::RecordType, class: DNSClass) -> Result<Record, String> {
    let mut record = Record::update0(dns::on_wire(name)?, 0, kind);
    record.dns_class = class;
    Ok(record)
}

fn all(listed: &Listed, class: DNSClass) -> Result<Record, String> {
    let kind = listed.records.first().map_or(rr::RecordType::ANY, Record::record_type);
    whole(&listed.set.name, kind, class)
}

fn exists(name: &Name, kind: rr::RecordType) -> Result<Record, String> {
    whole(name, kind, DNSClass::ANY)
}
