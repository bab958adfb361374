//! Commands that a world knows: each sets, undoes or tells one cell. What a real one would do beyond that is not modelled.

use super::common::Common;
use super::ledger::Whose;
use super::world::World;
use super::write::Write;
use crate::plan::Timestamp;
use crate::port::need::Told;
use crate::port::{Command, StopSignal};
use foldhash::quality::FixedState;
use std::hash::{BuildHasher, Hash, Hasher};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// What a command changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// As it was.
    Before,
    /// As the command makes it.
    Desired,
    /// As somebody else made it.
    Foreign,
}

impl Cell {
    /// In one word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Desired => "desired",
            Self::Foreign => "foreign",
        }
    }
}

/// What a command is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Prints the cell's word.
    Prior(Arc<str>),
    /// Sets the cell.
    Run(Arc<str>),
    /// Exits with 0 where the cell is as desired, 10 as before, 12 as somebody else made it.
    Check(Arc<str>),
    /// Sets the cell as it was before.
    Undo(Arc<str>),
    /// Exits with 0 where the cell is as before, 10 as desired, 12 as somebody else made it.
    CheckUndone(Arc<str>),
    /// Changes nothing.
    Does {
        /// Exits with this.
        code: i32,
    },
    /// Tells how things stand.
    Tells {
        /// Where all is well.
        good: Told,
        /// While users are failed; `None`: the same.
        bad: Option<Told>,
    },
}

impl Role {
    /// As the operation of its calls.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Prior(_) => "prior",
            Self::Run(_) => "run",
            Self::Check(_) | Self::CheckUndone(_) => "check",
            Self::Undo(_) => "undo",
            Self::Does { .. } | Self::Tells { .. } => "does",
        }
    }

    /// The cell, and what it sets it to.
    fn sets(&self) -> Option<(&Arc<str>, Cell)> {
        match self {
            Self::Run(cell) => Some((cell, Cell::Desired)),
            Self::Undo(cell) => Some((cell, Cell::Before)),
            _ => None,
        }
    }

    /// Whether it changes something.
    pub(super) fn writes(&self) -> bool {
        self.sets().is_some()
    }

    fn cell(&self) -> Option<&Arc<str>> {
        match self {
            Self::Prior(cell) | Self::Run(cell) | Self::Undo(cell) => Some(cell),
            Self::Check(cell) | Self::CheckUndone(cell) => Some(cell),
            Self::Does { .. } | Self::Tells { .. } => None,
        }
    }
}

/// A command that a world knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What it is for.
    pub role: Role,
    /// How long it takes; what it does is done at its end.
    pub takes: Duration,
    /// It goes on when it is told to end, until its grace is over. Otherwise it ends at once, and has done nothing.
    pub stubborn: bool,
}

impl From<Role> for Program {
    fn from(role: Role) -> Self {
        Self { role, takes: Duration::ZERO, stubborn: false }
    }
}

/// How two cells of one thing stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Same,
    Opposite,
}

/// The other cell, and how it stands to this one.
type Linked = (Arc<str>, Link);

impl Link {
    fn of(self, cell: Cell) -> Cell {
        match (self, cell) {
            (Self::Opposite, Cell::Before) => Cell::Desired,
            (Self::Opposite, Cell::Desired) => Cell::Before,
            (_, cell) => cell,
        }
    }
}

/// How all cells stand, and one number for it, kept as they change: many worlds are compared.
#[derive(Clone, Debug, Default)]
struct Cells {
    /// Where each is in `stand`: worlds differ in how cells stand, and not in which there are.
    places: Arc<BTreeMap<Arc<str>, usize>>,
    stand: Vec<Cell>,
    print: u64,
}

impl Cells {
    fn get(&self, cell: &str) -> Option<Cell> {
        self.stand.get(*self.places.get(cell)?).copied()
    }

    fn set(&mut self, cell: &Arc<str>, to: Cell) {
        self.print = self.print.wrapping_add(self.change(cell, to));
        if let Some(place) = self.places.get(cell) {
            self.stand[*place] = to;
        } else {
            Arc::make_mut(&mut self.places).insert(cell.clone(), self.stand.len());
            self.stand.push(to);
        }
    }

    /// By how much the number would change if this cell stood so: it is a sum over all cells, in any order.
    fn change(&self, cell: &str, to: Cell) -> u64 {
        let print = |stands: Cell| FixedState::default().hash_one((cell, stands.word()));
        print(to).wrapping_sub(self.get(cell).map_or(0, print))
    }
}

/// All commands of a world.
#[derive(Clone, Debug, Default)]
pub(super) struct Commands {
    programs: Arc<BTreeMap<Vec<String>, Program>>,
    cells: Common<Cells>,
    /// Cells of one thing: what one of them is, the other is too, or is not.
    linked: Arc<BTreeMap<Arc<str>, Linked>>,
    alive: Vec<Alive>,
    started: u64,
}

/// A command under way that may change something.
#[derive(Clone, Debug)]
struct Alive {
    id: u64,
    step: Option<Arc<str>>,
    ends: Timestamp,
    /// What it does at its end, unless it is cut short.
    does: Option<Write>,
    by: Whose,
    /// Puts it back so much later.
    reverted: Option<Duration>,
    /// How long it goes on when it is told to end; `None`: nobody can tell it.
    grace: Option<Duration>,
}

/// How a command is under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Conduct {
    /// It takes so much longer.
    pub(super) longer: Duration,
    /// It does nothing.
    pub(super) idle: bool,
    /// Nobody can stop it.
    pub(super) orphan: bool,
    /// Puts back what it did so much later.
    pub(super) reverted: Option<Duration>,
}

impl Commands {
    /// When commands under way end.
    pub(super) fn ends(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.alive.iter().map(|alive| alive.ends)
    }

    /// As [`Ledger::situation`](super::Ledger::situation).
    pub(super) fn situation(&self, now: Timestamp, hash: &mut impl Hasher) {
        for alive in &self.alive {
            (&alive.step, alive.ends.since(now).as_secs(), alive.grace).hash(hash);
            (alive.reverted, format!("{:?}", alive.does)).hash(hash);
        }
    }

    /// Who watched over them is dead: all are told to end.
    pub(super) fn forsake(&mut self, now: Timestamp) {
        self.alive.iter_mut().for_each(|alive| alive.told_to_end(now));
    }
}

/// Whether a text is one that a pattern stands for.
fn like(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(first) else { return false };
    let Some((middle, last)) = rest.rsplit_once('*') else { return left.ends_with(rest) };
    for part in middle.split('*') {
        match left.split_once(part) {
            Some((_, behind)) => left = behind,
            None => return false,
        }
    }
    left.ends_with(last)
}

impl Alive {
    fn told_to_end(&mut self, now: Timestamp) {
        let Some(last) = self.grace.map(|grace| now.after(grace)) else { return };
        if last < self.ends {
            (self.ends, self.does) = (last, None);
        }
        // It was told once; a second word changes nothing.
        self.grace = None;
    }
}

impl World {
    /// From now on the world knows a command, and the cell that it is about.
    pub fn knows(&mut self, argv: Vec<String>, program: impl Into<Program>) {
        let (program, commands) = (program.into(), &mut self.ledger.commands);
        if let Some(cell) = program.role.cell().filter(|cell| commands.cells.get(cell).is_none()) {
            commands.cells.set(cell, Cell::Before);
        }
        // One command of two steps is about one thing.
        match commands.programs.get(&argv).and_then(|known| Some((known.role.sets()?, program.role.sets()?)))
        {
            Some(((first, one), (second, other))) if first != second => {
                let link = if one == other { Link::Same } else { Link::Opposite };
                let (first, second) = (first.clone(), second.clone());
                let stands = commands.cells.get(&first).unwrap_or(Cell::Before);
                commands.cells.set(&second, link.of(stands));
                Arc::make_mut(&mut commands.linked).insert(first.clone(), (second.clone(), link));
                Arc::make_mut(&mut commands.linked).insert(second, (first, link));
            }
            _ => drop(Arc::make_mut(&mut commands.programs).entry(argv).or_insert(program)),
        }
    }

    /// How all cells stand, by their names.
    pub fn cells(&self) -> impl Iterator<Item = (&Arc<str>, Cell)> {
        let cells = &self.ledger.commands.cells;
        cells.places.iter().map(|(cell, place)| (cell, cells.stand[*place]))
    }

    /// How a cell stands. `None`: no command is about it.
    #[must_use]
    pub fn cell(&self, cell: &str) -> Option<Cell> {
        self.ledger.commands.cells.get(cell)
    }

    /// Writes how all cells stand into a hash; these as if they stood so.
    pub fn cells_situation(&self, but: &[Arc<str>], as_if: Cell, hash: &mut impl Hasher) {
        let cells = &self.ledger.commands.cells;
        let changes = but.iter().map(|cell| cells.change(cell, as_if));
        changes.fold(cells.print, u64::wrapping_add).hash(hash);
    }

    /// Whether what sets this cell sets no other one.
    #[must_use]
    pub fn stands_alone(&self, cell: &str) -> bool {
        !self.ledger.commands.linked.contains_key(cell)
    }

    /// Sets a cell, as whoever acts now.
    pub fn set_cell(&mut self, cell: &Arc<str>, to: Cell, now: Timestamp) {
        let linked = self.ledger.commands.linked.get(cell).cloned();
        let both = [Some((cell.clone(), to)), linked.map(|(other, link)| (other, link.of(to)))];
        for (cell, to) in both.into_iter().flatten() {
            if self.cell(&cell) != Some(to) {
                self.ledger.commands.cells.set(&cell, to);
                self.ledger.note(now, format!("command {cell}"), to.word());
            }
        }
    }

    /// The command of these words; `*` in what is known stands for any text.
    pub(super) fn program(&self, argv: &[String]) -> Option<Program> {
        let programs = &self.ledger.commands.programs;
        let fits = |known: &Vec<String>| {
            known.len() == argv.len() && known.iter().zip(argv).all(|(known, word)| like(known, word))
        };
        let alike = || programs.iter().find(|(known, _)| fits(known)).map(|(_, program)| program);
        programs.get(argv).or_else(alike).cloned()
    }

    /// The exit code and the output of a command that comes to its end now.
    pub(super) fn tells(&self, role: &Role) -> (i32, String) {
        let cell = role.cell().and_then(|cell| self.cell(cell)).unwrap_or(Cell::Before);
        match (role, cell) {
            (Role::Prior(_), cell) => (0, format!("{}\n", cell.word())),
            (Role::Check(_) | Role::CheckUndone(_), Cell::Foreign) => (12, String::new()),
            (Role::Check(_), Cell::Before) | (Role::CheckUndone(_), Cell::Desired) => (10, String::new()),
            (Role::Check(_) | Role::CheckUndone(_) | Role::Run(_) | Role::Undo(_), _) => (0, String::new()),
            (Role::Does { code }, _) => (*code, String::new()),
            (Role::Tells { good, bad }, _) => {
                let told = bad.as_ref().filter(|_| self.fails_users(self.now)).unwrap_or(good);
                (told.code, told.stdout.clone())
            }
        }
    }

    /// A command is started; returns what names it, and when it will end.
    pub(super) fn start_command(
        &mut self,
        program: &Program,
        command: &Command,
        number: u64,
        conduct: Conduct,
        now: Timestamp,
    ) -> (u64, Timestamp) {
        let commands = &mut self.ledger.commands;
        commands.started += 1;
        let does = program.role.sets().filter(|_| !conduct.idle);
        let heeds = !program.stubborn || command.stop.signal == StopSignal::Kill;
        let grace = if heeds { Duration::ZERO } else { command.stop.grace };
        let ends = now.after(program.takes + conduct.longer);
        commands.alive.push(Alive {
            id: commands.started,
            step: command.call.as_ref().map(|call| call.step.as_str().into()),
            ends,
            does: does.map(|(cell, to)| Write::Set { cell: cell.clone(), to }),
            by: if conduct.orphan { Whose::Late(number) } else { Whose::Ours(number) },
            reverted: conduct.reverted,
            grace: (!conduct.orphan).then_some(grace),
        });
        let id = commands.started;
        if ends <= now {
            self.end_commands(now);
        }
        (id, ends)
    }

    /// A command is told to end; returns when it will. `None`: it has ended.
    pub(super) fn stop_command(&mut self, id: u64, now: Timestamp) -> Option<Timestamp> {
        let alive = self.ledger.commands.alive.iter_mut().find(|alive| alive.id == id)?;
        alive.told_to_end(now);
        let ends = alive.ends;
        if ends <= now {
            self.end_commands(now);
        }
        Some(ends)
    }

    /// What is alive of a command that was started for a call of this step.
    pub(super) fn alive(&self, step: &str) -> Option<u64> {
        let own = |alive: &&Alive| alive.step.as_deref() == Some(step);
        self.ledger.commands.alive.iter().find(own).map(|alive| alive.id)
    }

    /// Commands whose time has come end, and what they do is done.
    pub(super) fn end_commands(&mut self, now: Timestamp) {
        let due = |alive: &mut Alive| alive.ends <= now;
        let mut ended: Vec<Alive> = self.ledger.commands.alive.extract_if(.., due).collect();
        ended.sort_by_key(|alive| (alive.ends, alive.id));
        for alive in ended {
            let Some(write) = alive.does else { continue };
            let back = alive.reverted.and_then(|after| Some((alive.ends.after(after), self.before(&write)?)));
            // A cell refuses nothing.
            let _ = self.write(&write, alive.by, alive.ends);
            if let Some((at, back)) = back {
                self.ledger.hold(at, back, Whose::Somebody);
            }
        }
    }
}
