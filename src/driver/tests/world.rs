//! A world of cells in memory, one a step: a step makes its cell `new`, and undoing makes it what it was.

use crate::action::{AnyAction, ByHand, Record, Toward};
use crate::adapter::SystemClock;
use crate::plan::{StepTraits, Timestamp};
use crate::port::{
    Clock, Command, Output, ReadCompute, ReadDns, ReadFiles, ReadHttp, ReadMetrics, ReadParameters,
    ReadPermissions, ReadProcess, ReadQueries, ReadTraffic, ReadWorld, Reads, Request, Response, Stop,
    Urgency, WorldTime, WriteCompute, WriteDns, WriteHttp, WriteProcess, WriteTraffic, WriteWorld, Writes,
};
use crate::run::{Change, Fault, Look, Memo, Proposal, Told};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Barrier;

/// How much faster than the wall clock it runs.
pub(super) const SCALE: u32 = 5000;

/// The cells, and everything that was written to them.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub(super) values: BTreeMap<String, String>,
    pub(super) writes: Vec<String>,
    /// The tokens of all calls.
    pub(super) tokens: Vec<String>,
}

/// What goes wrong, or takes long, with a cell.
#[derive(Clone, Debug, Default)]
pub(super) enum Nature {
    #[default]
    Fine,
    /// `apply` is refused for good.
    Denied,
    /// `apply` is refused for good, until somebody has put right why.
    DeniedUntil(Arc<AtomicBool>),
    /// `apply` is carried out, and never answered.
    Silent,
    /// It never arrives by itself.
    Endless,
    /// `apply` ends in a panic.
    Panics,
    /// Says a secret wherever it can.
    Telling(&'static str),
    /// Its prior state holds a secret.
    Holding(&'static str),
    /// `apply` is answered only once so many are under way.
    Together(Arc<Barrier>),
    /// It writes nothing.
    Check,
    /// Nobody can tell what is there.
    Unreadable,
    /// Nobody can tell what there is to say beside it.
    Untold,
    /// It gives back what this step took.
    GivesBack(&'static str),
    /// It cannot be undone.
    OneWay,
    /// It changes this cell too, after the step that is named like it.
    Over(&'static str),
    /// So many looks fail in a way that passes.
    Flaky(Arc<Mutex<u32>>),
    /// It is told wrongly to so many who ask there.
    Lagging(Lag, Arc<Mutex<u32>>),
}

/// Where a cell is told wrongly, and as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lag {
    /// What was written is not there yet.
    Prior,
    /// Somebody else's value is there.
    Foreign,
    /// The step meets somebody else's value.
    Apply,
    /// The undo meets somebody else's value.
    Undo,
    /// The undo is carried out, and what was written is still there.
    Written,
}

/// An action on one cell.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) name: String,
    pub(super) nature: Nature,
    pub(super) cells: Arc<Mutex<Cells>>,
}

impl Cell {
    fn value(&self) -> String {
        let cells = self.cells.lock().unwrap();
        cells.values.get(&self.name).cloned().unwrap_or_else(|| "old".into())
    }

    fn write(&self, value: &str, writes: &Writes<'_>) {
        let mut cells = self.cells.lock().unwrap();
        cells.values.insert(self.name.clone(), value.into());
        cells.writes.push(format!("{}={value}", self.name));
        cells.tokens.push(writes.token.to_owned());
    }

    /// Whether the value is ours to change.
    fn expect(&self, expected: &[&str]) -> Result<(), Fault> {
        let value = self.value();
        if expected.contains(&&*value) {
            return Ok(());
        }
        Err(Fault::foreign(format!("{} is {value}", self.name)))
    }

    /// Whether this is told wrongly once more.
    fn lags(&self, here: Lag) -> bool {
        let Nature::Lagging(lag, times) = &self.nature else { return false };
        let mut times = times.lock().unwrap();
        let lags = *lag == here && *times > 0;
        *times -= u32::from(lags);
        lags
    }

    /// Whether nobody else is met on the way to a write.
    fn meets(&self, here: Lag) -> Result<(), Fault> {
        if self.lags(here) { Err(Fault::foreign(format!("{} is theirs", self.name))) } else { Ok(()) }
    }
}

#[async_trait]
impl AnyAction for Cell {
    fn traits(&self) -> StepTraits {
        let mut resources = vec![format!("cell:{}", self.name)];
        if let Nature::Over(other) = self.nature {
            resources.push(format!("cell:{other}"));
        }
        let has_undo = !matches!(self.nature, Nature::OneWay);
        StepTraits {
            writes: !matches!(self.nature, Nature::Check),
            has_undo,
            resources,
            gives_back: if let Nature::GivesBack(step) = self.nature { Some(step.into()) } else { None },
            ..StepTraits::default()
        }
    }

    fn by_hand(&self) -> ByHand {
        ByHand::default()
    }

    async fn plan(&self, reads: &Reads<'_>, _: bool) -> Result<Proposal, Fault> {
        if let Nature::Telling(secret) = self.nature {
            (reads.progress)(&format!("with {secret}"));
        }
        if let Nature::Unreadable = self.nature {
            return Err(Fault::permanent(format!("{} cannot be read", self.name)));
        }
        let prior = if let Nature::Holding(secret) = self.nature { secret.into() } else { self.value() };
        let change = Change { what: self.name.as_str().into(), from: "old".into(), to: "new".into() };
        Ok(Proposal {
            prior: serde_json::to_string(&prior).unwrap().into(),
            stages: u32::from(!matches!(self.nature, Nature::Check)),
            within: Duration::from_secs(3600),
            call: None,
            must_finish: false,
            changes: vec![change],
        })
    }

    async fn told(&self, _: &Reads<'_>, _: &Memo, _: bool) -> Result<Told, Fault> {
        let note = match self.nature {
            Nature::Untold => return Err(Fault::blind(format!("{} cannot be told of", self.name))),
            Nature::Telling(secret) => format!("with {secret}"),
            _ => format!("of {}", self.name),
        };
        Ok(Told { notes: vec![note.into()], ..Told::default() })
    }

    async fn apply(&self, writes: &Writes<'_>, _: u32, prior: &Memo) -> Result<Option<Memo>, Fault> {
        let prior: String = serde_json::from_str(prior).unwrap();
        match &self.nature {
            Nature::Denied => return Err(Fault::permanent("access denied")),
            Nature::DeniedUntil(mended) if !mended.load(Ordering::Relaxed) => {
                return Err(Fault::permanent("access denied"));
            }
            Nature::Panics => panic!("a mistake"),
            Nature::Together(barrier) => {
                barrier.wait().await;
            }
            _ => {}
        }
        self.meets(Lag::Apply)?;
        self.expect(&[&prior, "new"])?;
        self.write("new", writes);
        if let Nature::Over(other) = self.nature {
            self.cells.lock().unwrap().values.insert(other.into(), "newer".into());
        }
        match self.nature {
            Nature::Silent => std::future::pending().await,
            Nature::Telling(secret) => Ok(Some(serde_json::json!({ "note": secret }).to_string().into())),
            _ => Ok(None),
        }
    }

    async fn look(&self, reads: &Reads<'_>, toward: Toward, record: &Record) -> Result<Look, Fault> {
        let prior: String = serde_json::from_str(&record.prior).unwrap();
        self.expect(&[&prior, "new"])?;
        let is_new = self.value() == "new";
        if toward != Toward::Prior && is_new {
            self.meets(Lag::Foreign)?;
            if self.lags(Lag::Prior) {
                return Ok(Look::Prior);
            }
        }
        let out = || match self.nature {
            Nature::Telling(secret) => serde_json::json!({ "out": secret }).to_string().into(),
            _ => serde_json::json!({ "value": self.value() }).to_string().into(),
        };
        if let Nature::Flaky(times) = &self.nature
            && let Ok(mut times) = times.lock()
            && *times > 0
        {
            *times -= 1;
            return Err(Fault::transient("throttled"));
        }
        Ok(match (toward, &self.nature) {
            (Toward::Desired(0), _) => Look::Desired { out: out() },
            (Toward::Desired(_), Nature::Endless) if is_new => {
                (reads.progress)("on its way");
                Look::Moving { note: None, again: Duration::from_secs(30) }
            }
            (Toward::Prior, _) if self.value() == prior && !self.lags(Lag::Written) => Look::Prior,
            (Toward::Prior, Nature::Lagging(Lag::Written, _)) => Look::Desired { out: out() },
            _ if is_new => Look::Desired { out: out() },
            _ => Look::Prior,
        })
    }

    async fn undo(&self, writes: &Writes<'_>, record: &Record) -> Result<Option<Memo>, Fault> {
        let prior: String = serde_json::from_str(&record.prior).unwrap();
        self.meets(Lag::Undo)?;
        self.expect(&[&prior, "new"])?;
        if self.value() != prior {
            self.write(&prior, writes);
        }
        if let Nature::Over(other) = self.nature {
            self.cells.lock().unwrap().values.insert(other.into(), "new".into());
        }
        Ok(None)
    }
}

/// A world with nothing but time.
pub(in crate::driver) struct Empty<C = SystemClock> {
    pub(in crate::driver) clock: C,
    /// What calls were for.
    pub(in crate::driver) served: Mutex<Vec<Urgency>>,
}

impl Empty {
    pub(super) fn new() -> Self {
        let origin = SystemClock::wall().now();
        Self { clock: SystemClock::scaled(WorldTime { origin, scale: SCALE }), served: Mutex::default() }
    }
}

fn nothing<T>() -> Result<T, Fault> {
    Err(Fault::permanent("there is nothing here"))
}

impl<C: Clock> ReadWorld for Empty<C> {
    fn clock(&self) -> &dyn Clock {
        &self.clock
    }
    fn dns(&self, _: &str) -> Result<Arc<dyn ReadDns>, Fault> {
        nothing()
    }
    fn compute(&self, _: &str) -> Result<Arc<dyn ReadCompute>, Fault> {
        nothing()
    }
    fn traffic(&self, _: &str) -> Result<Arc<dyn ReadTraffic>, Fault> {
        nothing()
    }
    fn metrics(&self, _: &str) -> Result<Arc<dyn ReadMetrics>, Fault> {
        nothing()
    }
    fn parameters(&self, _: &str) -> Result<Arc<dyn ReadParameters>, Fault> {
        nothing()
    }
    fn permissions(&self, _: &str) -> Result<Arc<dyn ReadPermissions>, Fault> {
        nothing()
    }
    fn queries(&self, _: &str) -> Result<Arc<dyn ReadQueries>, Fault> {
        nothing()
    }
    fn files(&self) -> &dyn ReadFiles {
        self
    }
    fn http(&self) -> &dyn ReadHttp {
        self
    }
    fn process(&self) -> &dyn ReadProcess {
        self
    }
}

impl<C: Clock + 'static> WriteWorld for Empty<C> {
    fn change_dns(&self, _: &str, _: Timestamp) -> Result<Arc<dyn WriteDns>, Fault> {
        nothing()
    }
    fn change_compute(&self, _: &str, _: Timestamp) -> Result<Arc<dyn WriteCompute>, Fault> {
        nothing()
    }
    fn change_traffic(&self, _: &str, _: Timestamp) -> Result<Arc<dyn WriteTraffic>, Fault> {
        nothing()
    }
    fn send_http(&self) -> &dyn WriteHttp {
        self
    }
    fn run_process(&self) -> &dyn WriteProcess {
        self
    }
    fn as_reads(&self) -> &dyn ReadWorld {
        self
    }
    fn serving(self: Arc<Self>, urgency: Urgency) -> Arc<dyn WriteWorld> {
        self.served.lock().unwrap().push(urgency);
        self
    }
}

#[async_trait]
impl<C: Clock> ReadFiles for Empty<C> {
    async fn exists(&self, _: &str) -> Result<bool, Fault> {
        nothing()
    }
}

#[async_trait]
impl<C: Clock> ReadHttp for Empty<C> {
    async fn get(&self, _: Request) -> Result<Response, Fault> {
        nothing()
    }
    async fn addresses(&self, _: &str) -> Result<Vec<std::net::IpAddr>, Fault> {
        nothing()
    }
}

#[async_trait]
impl<C: Clock> WriteHttp for Empty<C> {
    async fn send(&self, _: Request) -> Result<Response, Fault> {
        nothing()
    }
}

#[async_trait]
impl<C: Clock> ReadProcess for Empty<C> {
    async fn query(&self, _: Command) -> Result<Output, Fault> {
        nothing()
    }
    fn left_of(&self, _: &str) -> Result<Option<String>, Fault> {
        Ok(None)
    }
}

#[async_trait]
impl<C: Clock> WriteProcess for Empty<C> {
    async fn run(&self, _: Command, _: &Stop) -> Result<Output, Fault> {
        nothing()
    }
}
