//! A run as JSON lines, whole: another store can take it in, and walks its chain from the first link before it does.
//!
//! One object a line, named by `line`: `run` (the format, and what was pinned: the text that the chain begins with),
//! an `event` each with its place in the chain, the `order`s, which go on being numbered, and an `end` with a digest of all
//! that is before it, so that a part is not taken for the whole.

use super::record::{ActorRecord, OrderRecord};
use super::runs::FORMAT;
use super::{Epoch, OrderEntry, RunId, RunRecord, Seq, StoreError, Stored, chain};
use crate::plan::Timestamp;
use crate::run::Actor;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, Write};

/// All that is stored of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// As it was created.
    pub record: RunRecord,
    /// The same, letter by letter: the chain begins with it.
    pub(super) pinned: String,
    /// Its journal; the chain has been checked.
    pub events: Vec<Stored>,
    /// Its orders.
    pub orders: Vec<OrderEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "line")]
enum Line {
    #[serde(rename = "run")]
    Run { format: u32, pinned: String },
    #[serde(rename = "event")]
    Event { seq: u64, at: u64, epoch: u64, hash: String, event: Json },
    #[serde(rename = "order")]
    Order { id: u64, at: u64, by: ActorRecord, order: OrderRecord },
    #[serde(rename = "end")]
    End { events: u64, head: String, digest: String },
}

/// Why lines are not a run that could be taken in. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum NotExported {
    /// They cannot be read.
    #[error("it cannot be read")]
    Unreadable(#[from] io::Error),
    /// One is not what an export has there.
    #[error("line {line} is not of an export: {reason}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer version exported it, or its chain does not hold.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn not_exported(line: usize, reason: &str) -> NotExported {
    NotExported::Line { line, reason: reason.to_owned() }
}

impl Exported {
    /// The hash of its last event.
    #[must_use]
    pub fn head(&self) -> &str {
        self.events.last().map_or("", |event| &event.hash)
    }

    /// Writes it, one object a line.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut digest = Sha256::new();
        let mut line = |line: &Line| -> io::Result<()> {
            let text = serde_json::to_string(line)?;
            digest.update(&text);
            writeln!(out, "{text}")
        };
        line(&Line::Run { format: self.record.format, pinned: self.pinned.clone() })?;
        for stored in &self.events {
            let Stored { seq, epoch, at, .. } = *stored;
            let event = serde_json::from_str(&stored.body)?;
            let hash = stored.hash.clone();
            line(&Line::Event { seq: seq.0, at: at.0, epoch: epoch.0, hash, event })?;
        }
        for OrderEntry { id, at, by, order } in &self.orders {
            line(&Line::Order { id: *id, at: at.0, by: by.into(), order: order.clone() })?;
        }
        let (events, digest) = (self.events.len() as u64, chain::hex(&digest.finalize()));
        let end = Line::End { events, head: self.head().to_owned(), digest };
        writeln!(out, "{}", serde_json::to_string(&end)?)
    }

    /// Reads what was written, and walks its chain.
    ///
    /// # Errors
    /// See [`NotExported`].
    pub fn read(text: impl BufRead) -> Result<Self, NotExported> {
        let (mut read, mut lines): (Option<Self>, usize) = (None, 0);
        let (mut ended, mut digest) = (false, Sha256::new());
        for text in text.lines() {
            lines += 1;
            let (text, wrong) = (text?, |reason: &str| not_exported(lines, reason));
            let line = serde_json::from_str(&text).map_err(|error| wrong(&error.to_string()))?;
            match (line, &mut read) {
                (_, Some(_)) if ended => return Err(wrong("it comes after the end")),
                (Line::Run { format, pinned }, None) => read = Some(Self::pinned(format, pinned, wrong)?),
                (Line::Event { seq, at, epoch, hash, event }, Some(run)) => {
                    let (seq, epoch, at, body) = (Seq(seq), Epoch(epoch), Timestamp(at), event.to_string());
                    run.events.push(Stored { seq, epoch, at, body, hash });
                }
                (Line::Order { id, at, by, order }, Some(run)) => {
                    let (at, by) = (Timestamp(at), Actor::from(&by));
                    run.orders.push(OrderEntry { id, at, by, order });
                }
                (Line::End { events, head, digest: all }, Some(run)) => {
                    run.check(events, &head)?;
                    if all != chain::hex(&digest.clone().finalize()) {
                        return Err(wrong("the lines before it are not those that were exported"));
                    }
                    ended = true;
                }
                (_, None) => return Err(wrong("an export begins with what was pinned")),
                (Line::Run { .. }, Some(_)) => return Err(wrong("an export is of one run")),
            }
            digest.update(&text);
        }
        read.filter(|_| ended).ok_or_else(|| not_exported(lines + 1, "it is missing, and more may be"))
    }

    fn pinned(format: u32, pinned: String, wrong: impl Fn(&str) -> NotExported) -> Result<Self, NotExported> {
        if format > FORMAT {
            return Err(StoreError::Newer { what: "the export".into(), found: format, known: FORMAT }.into());
        }
        let record = RunRecord::unpin(&pinned, format).map_err(|error| wrong(&error.to_string()))?;
        Ok(Self { record, pinned, events: Vec::new(), orders: Vec::new() })
    }

    fn check(&self, events: u64, head: &str) -> Result<(), StoreError> {
        let broken = |seq, reason: &str| StoreError::Broken {
            run: self.record.id.clone(),
            seq: Seq(seq),
            reason: reason.into(),
        };
        let mut hash = chain::genesis(&self.pinned);
        for (expected, stored) in (1..).zip(&self.events) {
            if stored.seq.0 != expected {
                return Err(broken(expected, "it is missing"));
            }
            hash = chain::link(&hash, expected, stored.epoch.0, stored.at.0, &stored.body);
            if chain::hex(&hash) != stored.hash {
                return Err(broken(expected, chain::BREAK));
            }
        }
        let count = self.events.len() as u64;
        if count == 0 || count != events || head != self.head() {
            return Err(broken(count + 1, "the journal ends before it"));
        }
        Ok(())
    }

    /// The run's name.
    #[must_use]
    pub fn id(&self) -> &RunId {
        &self.record.id
    }
}
