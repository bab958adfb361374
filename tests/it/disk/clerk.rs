//! A process that does nothing but keep a journal, and says what it was promised; and what must be found of that.
//!
//! What it writes is known beforehand, so that what is found later can be compared byte for byte.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use switchover::adapter::SystemClock;
use switchover::plan::Timestamp;
use switchover::port::Clock;
use switchover::run::Actor;
use switchover::store::record::{EventRecord, OrderRecord};
use switchover::store::{Entry, Lease, NewRun, Owner, RunId, Seq, SqliteStore, Store, StoreError};

/// Tells the clerk where, from which piece on, and what happens there: it is run from this same binary.
const ORDER: &str = "SWITCHOVER_DISK_CLERK";
/// Pieces in which the journal is written, so that the log is copied to the database once, and begun anew.
pub(super) const PIECES: usize = 64;

/// More pieces than anybody asks for.
const LAST: usize = 1000;

/// What somebody does to the state directory meanwhile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Prank {
    None,
    /// The folder is removed.
    Folder,
    /// It is moved away.
    Moved,
    /// The database is.
    Database,
    /// The log of the database is.
    Log,
    /// A copy is put in its place.
    Replaced,
}

pub(super) const PRANKS: [Prank; 5] =
    [Prank::Folder, Prank::Moved, Prank::Database, Prank::Log, Prank::Replaced];

/// What a clerk does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    /// Ends after this piece.
    pub(super) until: usize,
    /// Opens the store anew after so many pieces.
    pub(super) session: usize,
    /// What happens once this piece is written.
    pub(super) prank: (usize, Prank),
    /// What the store does wrongly, if it was built for it.
    pub(super) mistake: Option<&'static str>,
}

impl Task {
    pub(super) const WHOLE: Self =
        Self { until: PIECES, session: 25, prank: (0, Prank::None), mistake: None };

    pub(super) fn until(until: usize) -> Self {
        Self { until, ..Self::WHOLE }
    }

    /// The command that does it, in this directory.
    pub(super) fn command(self, directory: &Path) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "disk::clerk::at_work", "--nocapture", "--test-threads=1"]);
        let prank = PRANKS.iter().position(|prank| *prank == self.prank.1).unwrap_or(PRANKS.len());
        let words = [self.until, self.session, self.prank.0, prank].map(|word| word.to_string());
        command.env(ORDER, format!("{} {}", words.join(" "), directory.display()));
        command.envs(self.mistake.map(|mistake| ("SWITCHOVER_MISTAKE", mistake)));
        command
    }

    fn read() -> Option<(Self, String)> {
        let order = std::env::var_os(ORDER)?.into_string().unwrap();
        let mut words = order.splitn(5, ' ');
        let mut number = || words.next().unwrap().parse().unwrap();
        let (until, session, piece, prank): (usize, usize, usize, usize) =
            (number(), number(), number(), number());
        let prank = PRANKS.get(prank).copied().unwrap_or(Prank::None);
        Some((Self { until, session, prank: (piece, prank), ..Self::WHOLE }, words.next().unwrap().into()))
    }
}

/// Where a piece ends; 0 for the beginning of the first.
pub(super) fn end(piece: usize) -> u64 {
    (1..=piece).map(|piece| length(piece) as u64).sum()
}

/// How many events are in it.
fn length(piece: usize) -> usize {
    [3, 1, 1, 2][piece % 4]
}

fn event(number: u64) -> String {
    // Most are short; some fill pages.
    let size = if number % 5 == 4 { 60_000 } else { 60 };
    let word = format!("{number} ");
    word.repeat(size / word.len())
}

/// A piece of the journal.
fn piece(number: usize) -> Vec<Entry> {
    let first = end(number - 1) + 1;
    let entry = |seq| Entry { at: Timestamp(seq), body: EventRecord::RunResumed { owner: event(seq) } };
    (first..=end(number)).map(entry).collect()
}

/// Not captured, so that it stands in the tape where it was said.
fn say_aloud(text: &str) {
    std::io::stdout().write_all(format!("{text}\n").as_bytes()).unwrap();
}

/// The clerk: only where it is told to be one.
#[test]
fn at_work() {
    let Some((task, directory)) = Task::read() else { return };
    // What the harness began to say ends here.
    say_aloud("");
    keep(task, Path::new(&directory), &mut say_aloud);
}

/// Keeps the journal, and says what it does.
pub(super) fn keep(task: Task, directory: &Path, say: &mut dyn FnMut(&str)) {
    if let Err(error) = write(task, directory, say) {
        let hint = error.hint().unwrap_or_else(|| "NONE".into());
        say(&format!("failed {error:?} | {error} | {hint}"));
    }
}

fn take(store: &SqliteStore, run: &RunId) -> Result<Lease, StoreError> {
    let owner = Owner { host: "elsewhere".into(), pid: 1, birth: String::new() };
    store.acquire(run, &owner, Duration::ZERO, SystemClock::wall().now())
}

fn new_run() -> NewRun {
    NewRun {
        plan: "clerk".into(),
        sources: Vec::new(),
        params: serde_json::Map::new(),
        wiring: None,
        only_prepare: false,
        world_lock: false,
        created: Timestamp(1_000_000),
        by: "ana".into(),
        tool: "0.1.0".into(),
    }
}

/// The run and the number of its events: the one that is there, or a new one.
fn open(directory: &Path) -> Result<(SqliteStore, RunId, u64), StoreError> {
    let store = SqliteStore::open(directory)?;
    let (run, there) = match store.ids()?.into_iter().next() {
        Some(run) => {
            let there = store.read(&run, Seq(1))?.len() as u64;
            (run, there)
        }
        None => (store.create(new_run())?.id, 0),
    };
    Ok((store, run, there))
}

fn write(task: Task, directory: &Path, say: &mut dyn FnMut(&str)) -> Result<(), StoreError> {
    let ana = Actor { name: "ana".into(), automatic: false };
    let mut written = 0;
    // More sessions than it needs: a store that begins anew without a word would never be done.
    for _ in 0..task.until {
        if written >= task.until {
            break;
        }
        let (store, run, there) = open(directory)?;
        written = (0..=LAST).find(|piece| end(*piece) >= there).unwrap();
        let lease = take(&store, &run)?;
        for _ in 0..task.session {
            if written == task.until {
                break;
            }
            say(&format!("writing {}", written + 1));
            store.append(&lease, Seq(end(written)), &piece(written + 1))?;
            written += 1;
            say(&format!("written {written}"));
            if written.is_multiple_of(6) {
                store.order(&run, &ana, &OrderRecord::Continue, Timestamp(1))?;
                say("ordered");
            }
            if task.prank.0 == written {
                play(task.prank.1, directory);
            }
        }
        store.release(&lease)?;
    }
    Ok(())
}

fn play(prank: Prank, directory: &Path) {
    let (database, log) = (directory.join("switchover.db"), directory.join("switchover.db-wal"));
    let aside = directory.with_extension("aside");
    match prank {
        Prank::None => {}
        Prank::Folder => std::fs::remove_dir_all(directory).unwrap(),
        Prank::Moved => std::fs::rename(directory, aside).unwrap(),
        Prank::Database => std::fs::remove_file(database).unwrap(),
        Prank::Log => std::fs::remove_file(log).unwrap(),
        Prank::Replaced => {
            std::fs::copy(&database, &aside).unwrap();
            std::fs::rename(aside, database).unwrap();
        }
    }
}

/// What a clerk was promised up to some moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Promise {
    /// Pieces that are durable.
    pub(super) kept: usize,
    /// Pieces that may be.
    pub(super) begun: usize,
    /// Orders that are.
    pub(super) orders: usize,
}

impl Promise {
    /// Hears what the clerk says.
    pub(super) fn hear(&mut self, line: &str) {
        let number = |text: &str| text.trim().parse().unwrap();
        if let Some(piece) = line.strip_prefix("writing ") {
            self.begun = self.begun.max(number(piece));
        } else if let Some(piece) = line.strip_prefix("written ") {
            self.kept = number(piece);
        } else if line.trim() == "ordered" {
            self.orders += 1;
        }
    }

    pub(super) fn heard(said: &str) -> Self {
        let mut promise = Self::default();
        said.lines().for_each(|line| promise.hear(line));
        promise
    }

    /// How many pieces a store holds, if that and all that is in them may be so. Says what is not so.
    fn holds(self, store: &SqliteStore, run: &RunId) -> Result<usize, String> {
        let events = store.read(run, Seq(1)).map_err(|error| format!("it cannot be read: {error}"))?;
        let there = events.len() as u64;
        let pieces = (self.kept..=self.begun).find(|piece| end(*piece) == there);
        let Some(pieces) = pieces else {
            return Err(format!("there are {there} events; {self:?} is {} or so", end(self.kept)));
        };
        let should = (1..=pieces).flat_map(piece);
        for (stored, should) in events.iter().zip(should) {
            if EventRecord::parse(&stored.body).ok() != Some(should.body) {
                return Err(format!("event {} is another", stored.seq));
            }
        }
        let orders = store.orders_after(run, 0).map_err(|error| format!("no orders: {error}"))?.len();
        // One that was being given may be there as well.
        if !(self.orders..=self.orders + 1).contains(&orders) {
            return Err(format!("there are {orders} orders, not {}", self.orders));
        }
        Ok(pieces)
    }

    /// Looks whether a directory holds what was promised and nothing beyond, and can be gone on with.
    pub(super) fn judge(self, directory: &Path) -> Result<(), String> {
        let opened = open(directory).map_err(|error| format!("it cannot be opened: {error}"))?;
        let (store, run, there) = opened;
        if there == 0 && self.kept > 0 {
            return Err("the run is gone".into());
        }
        let pieces = if there == 0 { 0 } else { self.holds(&store, &run)? };
        let more = take(&store, &run)
            .and_then(|lease| store.append(&lease, Seq(end(pieces)), &piece(pieces + 1)))
            .and_then(|_| store.verify(&run))
            .map_err(|error| format!("it does not go on: {error}"))?;
        if more.events == end(pieces + 1) { Ok(()) } else { Err(format!("{more:?} after one more")) }
    }
}
