//! A world of numbered cells, one a step. A step's stage `k` makes its cell `k`; undoing restores what was recorded.
//!
//! Calls are refused, lost, land late or land wrong; third parties write; looks go blind; things take time to arrive.

use super::dice::Dice;
use crate::plan::{StepIx, Timestamp};
use crate::run::{Fault, FaultKind, Landed, Look, Memo, Proposal, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Values that nothing of ours ever writes on purpose.
const THIRD_PARTY: i64 = 99;
const WRONG: i64 = 77;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// Waits out a recorded drain once it has arrived, and another once it is back.
    Change {
        drain: u64,
        back: u64,
    },
    Check,
    Monitor {
        samples: u64,
    },
    Wait {
        millis: u64,
    },
}

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Fine,
    Refused,
    Denied,
    /// Not sent: nobody knows whether it would have been allowed.
    Blind,
    LostBefore,
    LostAfter,
    /// Lands after its answer was given up.
    Late,
    /// Lands, and says that it failed.
    Failed,
    /// Lands, and makes something else.
    Wrong,
}

/// What goes wrong otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    Nothing,
    WhenSaysNo,
    PlanFails,
    PlanFlaps,
    NeverArrives,
    Breach {
        stage: u32,
    },
    /// Another controller puts it back.
    Reverted,
    /// One look in five sees nothing.
    Blind,
    /// One look in five says for good that it failed.
    Denied,
}

#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) nature: Nature,
    pub(super) stages: u32,
    /// Whether its write compares before it sets.
    pub(super) compares: bool,
    pub(super) takes: u64,
    pub(super) bad: Bad,
    pub(super) must_finish: bool,
    pub(super) calls: Vec<Call>,
    pub(super) undos: Vec<Call>,
    pub(super) value: i64,
    pub(super) initial: i64,
    pub(super) arrives: Timestamp,
    /// Somebody else changed it, so nothing is promised but to leave it alone.
    pub(super) others: bool,
}

impl Cell {
    pub(super) fn is_change(&self) -> bool {
        matches!(self.nature, Nature::Change { .. })
    }

    pub(super) fn target(&self) -> i64 {
        i64::from(self.stages)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Write {
    /// A stage, on top of the prior value.
    Stage(u32, i64),
    Prior(i64),
}

#[derive(Clone, Copy, Debug)]
struct Landing {
    id: u64,
    at: Timestamp,
    step: StepIx,
    round: u32,
    write: Write,
    wrong: bool,
}

/// When a call is sent, when its answer counts as lost, and for how long it may land after that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) now: Timestamp,
    pub(super) by: Timestamp,
    pub(super) grace: u64,
}

#[derive(Default)]
pub(super) struct World {
    pub(super) cells: Vec<Cell>,
    landings: Vec<Landing>,
    pub(super) third_party: Vec<(Timestamp, StepIx)>,
    refused: BTreeSet<u64>,
    sent: u64,
    /// How often each stage was carried out in each round: once, or somebody was charged twice.
    carried_out: BTreeMap<(StepIx, u32, u32), u32>,
}

impl World {
    /// Lets everything land that is due by `now`, in the order of time.
    pub(super) fn pass(&mut self, now: Timestamp) {
        loop {
            let landing = self.landings.iter().enumerate().min_by_key(|(_, l)| l.at).map(|(n, l)| (l.at, n));
            let other = self.third_party.iter().enumerate().min_by_key(|(_, t)| t.0).map(|(n, t)| (t.0, n));
            match (landing, other) {
                (Some((at, n)), other) if at <= now && other.is_none_or(|o| at <= o.0) => {
                    let landing = self.landings.remove(n);
                    self.land(landing);
                }
                (_, Some((at, n))) if at <= now => {
                    let (at, step) = self.third_party.remove(n);
                    let cell = &mut self.cells[step.index()];
                    (cell.value, cell.arrives, cell.others) = (THIRD_PARTY, at, true);
                }
                _ => return,
            }
        }
    }

    /// The end of time: what is under way lands; nobody else comes.
    pub(super) fn pass_all(&mut self) {
        self.third_party.clear();
        self.pass(Timestamp::NEVER);
    }

    fn land(&mut self, landing: Landing) {
        let cell = &mut self.cells[landing.step.index()];
        let (Write::Stage(_, prior) | Write::Prior(prior)) = landing.write;
        let ours = cell.value == prior || (1..=cell.target()).contains(&cell.value);
        let (makes, expected) = match landing.write {
            Write::Stage(1, prior) => (1, cell.value == prior || cell.value == 1),
            Write::Stage(k, _) => (i64::from(k), [i64::from(k) - 1, i64::from(k)].contains(&cell.value)),
            Write::Prior(prior) => (prior, ours),
        };
        if cell.compares && !expected {
            self.refused.insert(landing.id);
            return;
        }
        assert!(ours, "somebody else's change was written over: {landing:?} {cell:?}");
        if let Write::Stage(k, _) = landing.write
            && !(cell.compares && cell.value == makes)
            && !cell.others
        {
            let times = self.carried_out.entry((landing.step, landing.round, k)).or_default();
            *times += 1;
            assert_eq!(*times, 1, "a stage was carried out twice: {landing:?}");
        }
        (cell.value, cell.arrives) = (makes, Timestamp(landing.at.0 + cell.takes));
        if landing.wrong {
            (cell.value, cell.others) = (WRONG, true);
        } else if cell.bad == Bad::Reverted && matches!(landing.write, Write::Stage(..)) {
            (cell.value, cell.others) = (prior, true);
        }
    }

    /// Sends a call. Says when it is answered, and what to ask then.
    pub(super) fn send(
        &mut self,
        step: StepIx,
        round: u32,
        write: Write,
        fault: Call,
        times: Times,
        dice: &mut Dice,
    ) -> (Timestamp, u64) {
        self.sent += 1;
        let Times { now, by, grace } = times;
        let soon = Timestamp((now.0 + 50 + dice.below(2000)).min(by.0));
        let at = match fault {
            Call::Refused | Call::Denied | Call::Blind | Call::LostBefore => None,
            Call::Late => Some(Timestamp(by.0 + dice.below(grace))),
            Call::Fine | Call::LostAfter | Call::Failed | Call::Wrong => Some(soon),
        };
        if let Some(at) = at {
            let (id, wrong) = (self.sent, fault == Call::Wrong);
            self.landings.push(Landing { id, at, step, round, write, wrong });
        }
        let lost = matches!(fault, Call::LostBefore | Call::LostAfter | Call::Late);
        (if lost { by } else { soon }, self.sent)
    }

    /// What the caller hears.
    pub(super) fn hear(&self, id: u64, fault: Call) -> Result<(), Fault> {
        match fault {
            Call::Refused => Err(Fault::transient("refused")),
            Call::Denied => Err(Fault::permanent("denied")),
            Call::Blind => Err(Fault::blind("the credentials expired")),
            Call::LostBefore | Call::LostAfter | Call::Late => Err(Fault::lost("no answer")),
            Call::Failed => {
                Err(Fault { message: "exit 3".into(), kind: FaultKind::Permanent, landed: Landed::Maybe })
            }
            Call::Fine | Call::Wrong if self.refused.contains(&id) => Err(foreign()),
            Call::Fine | Call::Wrong => Ok(()),
        }
    }

    pub(super) fn propose(&self, ix: StepIx, dice: &mut Dice) -> Result<Option<Proposal>, Fault> {
        let cell = &self.cells[ix.index()];
        match cell.bad {
            Bad::WhenSaysNo => return Ok(None),
            Bad::PlanFails => return Err(Fault::permanent("cannot be planned")),
            Bad::PlanFlaps if dice.chance(50) => return Err(Fault::transient("throttled")),
            _ => {}
        }
        let stages = if cell.is_change() && cell.value != cell.target() { cell.stages } else { 0 };
        Ok(Some(Proposal {
            prior: cell.value.to_string().into(),
            stages,
            within: Duration::from_secs(600),
            call: None,
            must_finish: cell.must_finish,
            changes: Vec::new(),
        }))
    }

    /// `settling` asks only whether a call was carried out; evidence is for what has arrived.
    pub(super) fn look(
        &self,
        ix: StepIx,
        record: &Record,
        back: bool,
        settling: bool,
        now: Timestamp,
    ) -> Result<Look, Fault> {
        let cell = &self.cells[ix.index()];
        let odd = now.0 % 5000 < 1000;
        match cell.bad {
            Bad::Blind if odd => return Err(Fault::blind("port 53 is blocked")),
            Bad::Denied if odd => return Err(Fault::permanent("may not look")),
            _ => {}
        }
        let noted: Option<u64> = record.note.as_ref().and_then(|n| n.parse().ok());
        match cell.nature {
            Nature::Change { back: drain, .. } if back => Self::look_back(cell, record, drain, noted, now),
            Nature::Change { drain, .. } => Self::look_on(cell, record, drain, noted, settling, now),
            _ if cell.bad == (Bad::Breach { stage: 1 }) => Err(Fault::permanent("the check says no")),
            Nature::Check if cell.bad == Bad::NeverArrives => Ok(moving(None)),
            Nature::Check => Ok(desired(cell)),
            Nature::Monitor { samples } if noted.unwrap_or(0) >= samples => Ok(desired(cell)),
            Nature::Monitor { .. } => Ok(moving(Some(noted.unwrap_or(0) + 1))),
            Nature::Wait { millis } => match noted {
                None => Ok(moving(Some(now.0 + millis))),
                Some(until) if now.0 < until => Ok(moving(None)),
                Some(_) => Ok(desired(cell)),
            },
        }
    }

    fn look_back(
        cell: &Cell,
        record: &Record,
        drain: u64,
        noted: Option<u64>,
        now: Timestamp,
    ) -> Result<Look, Fault> {
        let prior: i64 = record.proposal.prior.parse().unwrap();
        match (cell.value, noted) {
            (value, _) if value == prior && now < cell.arrives => Ok(moving(None)),
            (value, None) if value == prior && drain > 0 => Ok(moving(Some(now.0 + drain))),
            (value, Some(until)) if value == prior && now.0 < until => Ok(moving(None)),
            (value, _) if value == prior => Ok(Look::Prior),
            (value, _) if (1..=cell.target()).contains(&value) => Ok(desired(cell)),
            _ => Err(foreign()),
        }
    }

    fn look_on(
        cell: &Cell,
        record: &Record,
        drain: u64,
        noted: Option<u64>,
        settling: bool,
        now: Timestamp,
    ) -> Result<Look, Fault> {
        let stages = record.proposal.stages;
        let stage = if stages == 0 { cell.stages } else { (record.reached + 1).min(stages) };
        let prior: i64 = record.proposal.prior.parse().unwrap();
        let before = if stage == 1 { prior } else { i64::from(stage) - 1 };
        if cell.value == before && before != i64::from(stage) {
            return Ok(Look::Prior);
        }
        if cell.value != i64::from(stage) {
            return Err(foreign());
        }
        match (cell.bad, noted) {
            _ if settling => Ok(desired(cell)),
            (Bad::Breach { stage: bad }, _) if bad == stage => Err(Fault::permanent("the evidence says no")),
            (Bad::NeverArrives, _) => Ok(moving(None)),
            _ if now < cell.arrives => Ok(moving(None)),
            (_, None) if drain > 0 => Ok(moving(Some(now.0 + drain))),
            (_, Some(until)) if now.0 < until => Ok(moving(None)),
            _ => Ok(desired(cell)),
        }
    }
}

fn moving(note: Option<u64>) -> Look {
    let note: Option<Memo> = note.map(|note| note.to_string().into());
    Look::Moving { note, again: Duration::from_secs(5) }
}

fn desired(cell: &Cell) -> Look {
    Look::Desired { out: cell.value.to_string().into() }
}

pub(super) fn foreign() -> Fault {
    Fault::foreign("neither what was recorded nor what we made of it")
}
