//! One process of the tool in virtual time: the driver's desk and hands, without its runtime.
//!
//! It begins what is due, gives each piece of work its turn when its moment comes, and hands out what was answered.
//! Not here: what follows from an answer, and what is recorded (`scene`).

use crate::driver::{Desk, Fate, Hands, Piece, Turn, Unsettled, only_waits};
use crate::plan::Timestamp;
use crate::run::{Due, Input, Run, Work};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// A turn of work that waits for the world in the middle of a call. Only one thread at a time has it.
type Waiting = Mutex<Pin<Box<dyn Future<Output = (Piece, Turn)> + Send>>>;

/// A piece of work under way.
enum Flight {
    /// Its next turn begins at `piece.from`.
    Between(Piece),
    /// In the middle of a call.
    Inside(Due, crate::port::Stop, Waiting),
}

impl Flight {
    fn due(&self) -> &Due {
        match self {
            Self::Between(piece) => &piece.due,
            Self::Inside(due, ..) => due,
        }
    }
}

/// A process.
pub(super) struct Process {
    desk: Desk,
    flights: Vec<Flight>,
    /// The work under way is what the run calls for, of all work or only of writes: nothing has happened since.
    reconciled: Option<bool>,
}

/// What a turn did while it lasted, for whoever keeps an eye on it.
pub(super) trait Watched {
    /// This work had a turn.
    fn turned(&mut self, work: Work);
}

impl Process {
    pub(super) fn new(desk: Desk) -> Self {
        Self { desk, flights: Vec::new(), reconciled: None }
    }

    /// Facts were recorded, and this is what they tell.
    pub(super) fn learn(&mut self, desk: &Desk) {
        self.desk = desk.clone();
        self.reconciled = None;
    }

    /// The same process in another world. `None`: it is in the middle of a call, and no future can be copied.
    pub(super) fn fork(&self) -> Option<Self> {
        let piece = |flight: &Flight| match flight {
            Flight::Between(piece) => Some(Flight::Between(piece.fork())),
            Flight::Inside(..) => None,
        };
        let flights = self.flights.iter().map(piece).collect::<Option<_>>()?;
        Some(Self { desk: self.desk.clone(), flights, reconciled: self.reconciled })
    }

    /// A call is under way, or about to be sent.
    pub(super) fn is_writing(&self) -> bool {
        self.flights.iter().any(|flight| flight.due().work.writes())
    }

    /// Nothing more happens without a human: all there is under way waits for somebody to act.
    pub(super) fn waits_for_a_human(&self, run: &Run) -> bool {
        self.flights.iter().all(|flight| only_waits(flight.due().work, run))
    }

    /// Work that has seen something which is not over: reads that failed, changes not believed yet.
    pub(super) fn troubles(&self) -> impl Iterator<Item = (Work, Unsettled)> + '_ {
        self.flights.iter().filter_map(|flight| match flight {
            Flight::Between(piece) => {
                let trouble = piece.trouble();
                (trouble != Unsettled::default()).then_some((piece.due.work, trouble))
            }
            Flight::Inside(due, ..) => Some((due.work, (0, true, 0, 0, None))),
        })
    }

    /// Makes the work under way what the run calls for. `only_writes`: nothing new is looked at.
    pub(super) fn reconcile(&mut self, run: &Run, only_writes: bool, now: Timestamp) {
        if self.reconciled.replace(only_writes) == Some(only_writes) {
            return;
        }
        let agenda = self.desk.agenda(run, only_writes);
        self.flights.retain(|flight| {
            let fate = agenda.fate(flight.due());
            if fate == Fate::Stop {
                match flight {
                    Flight::Between(piece) => piece.stop.ask(),
                    Flight::Inside(_, stop, _) => stop.ask(),
                }
            }
            fate != Fate::Drop
        });
        for due in agenda.not_begun(self.flights.iter().map(Flight::due)) {
            let piece = self.desk.piece(run, due, now);
            self.flights.push(Flight::Between(piece));
        }
    }

    /// When a turn is due next; what is in the middle of a call waits on the world's clock.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let moment = |flight: &Flight| match flight {
            Flight::Between(piece) => Some(piece.from),
            Flight::Inside(..) => None,
        };
        self.flights.iter().filter_map(moment).min().filter(|moment| *moment < Timestamp::NEVER)
    }

    /// Gives everything that is due its turn, in the order in which it was begun.
    pub(super) fn turns(
        &mut self,
        hands: &Arc<Hands>,
        now: Timestamp,
        watched: &mut impl Watched,
    ) -> Vec<Input> {
        let mut answered = Vec::new();
        let room = Vec::with_capacity(self.flights.len());
        for flight in std::mem::replace(&mut self.flights, room) {
            match flight {
                Flight::Between(piece) if piece.from > now => self.flights.push(Flight::Between(piece)),
                Flight::Between(mut piece) => {
                    let (due, stop, hands) = (piece.due, piece.stop.clone(), hands.clone());
                    let turn: Waiting = Mutex::new(Box::pin(async move {
                        let turn = hands.turn(&mut piece).await;
                        (piece, turn)
                    }));
                    answered.extend(self.poll(due, stop, turn, now));
                    watched.turned(due.work);
                }
                Flight::Inside(due, stop, turn) => {
                    answered.extend(self.poll(due, stop, turn, now));
                    watched.turned(due.work);
                }
            }
        }
        answered
    }

    fn poll(
        &mut self,
        due: Due,
        stop: crate::port::Stop,
        mut turn: Waiting,
        now: Timestamp,
    ) -> Option<Input> {
        let inside = turn.get_mut().unwrap_or_else(PoisonError::into_inner);
        match inside.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => self.flights.push(Flight::Inside(due, stop, turn)),
            Poll::Ready((mut piece, Turn::Again(at, _))) => {
                // Time passes between two looks, whatever a look says.
                piece.from = at.max(Timestamp(now.0 + 1));
                self.flights.push(Flight::Between(piece));
            }
            Poll::Ready((mut piece, Turn::Never)) => {
                piece.from = Timestamp::NEVER;
                self.flights.push(Flight::Between(piece));
            }
            Poll::Ready((_, Turn::Answered(input))) => {
                self.desk.heard(&due);
                self.reconciled = None;
                return Some(input);
            }
        }
        None
    }
}
