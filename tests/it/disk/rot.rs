//! Files that rot: a real journal, as database and as log, is cut at every byte, and one bit is flipped in every byte.
//! What is read of it then is what was written, or an error that says so.

use super::course::Scene;
use super::{HANDS, Wanted, at_once, folder, found_out, proved};
use std::path::Path;
use switchover::plan::Timestamp;
use switchover::store::{self, RunId, RunRecord, Seq, SqliteStore, Store, Stored};

/// Files of a state directory, and what they say.
struct Journal {
    name: &'static str,
    /// The database, then its log.
    files: Vec<(&'static str, Vec<u8>)>,
    witness: Vec<u8>,
    run: RunId,
    record: RunRecord,
    events: Vec<Stored>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Damage {
    Cut,
    Flip,
}

/// Which way it is read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reader {
    /// As the product does.
    Ours,
    /// As if nobody had seen how long it was.
    NoWitness,
    /// As if events were not chained.
    NoChain,
}

impl Journal {
    /// Of a run that was killed after its last event but so many: all is in the log; or that ended: nothing is.
    fn of(name: &'static str, killed: bool) -> Self {
        let scene = Scene::new();
        let faults = if killed { "kill-after-append=7" } else { "" };
        let output = scene.command(&["run"]).env("SWITCHOVER_FAULTS", faults).output().unwrap();
        assert_eq!(output.status.code().is_none(), killed, "{}", String::from_utf8_lossy(&output.stderr));
        let state = scene.state();
        let there = |file: &&str| state.join(file).exists();
        let files = ["switchover.db", "switchover.db-wal"].into_iter().filter(there);
        let files: Vec<_> = files.map(|file| (file, std::fs::read(state.join(file)).unwrap())).collect();
        assert_eq!(files.len() == 2, killed, "the log is removed at the end, and only then");
        let store = SqliteStore::open_to_read(&state).unwrap();
        let run = store::find(&store, "latest").unwrap();
        let witness = std::fs::read(state.join("heads").join(&*run.0)).unwrap();
        let (record, events) = (store.run(&run).unwrap(), store.read(&run, Seq(1)).unwrap());
        assert!(events.len() >= 7);
        Self { name, files, witness, run, record, events }
    }

    fn len(&self) -> usize {
        self.files.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    fn damaged(&self, damage: Damage, byte: usize, into: &Path, reader: Reader) {
        let mut before = 0;
        for (name, bytes) in &self.files {
            let mut bytes = bytes.clone();
            if let Some(place) = byte.checked_sub(before).filter(|place| *place < bytes.len()) {
                match damage {
                    Damage::Cut => bytes.truncate(place),
                    Damage::Flip => bytes[place] ^= 1 << (place % 8),
                }
            }
            before += self.files.iter().find(|(other, _)| other == name).unwrap().1.len();
            std::fs::write(into.join(name), bytes).unwrap();
        }
        if reader == Reader::Ours {
            std::fs::create_dir(into.join("heads")).unwrap();
            std::fs::write(into.join("heads").join(&*self.run.0), &self.witness).unwrap();
        }
    }

    /// Whether it is read as it was written, where it should be; else it is told that it is damaged.
    fn trial(&self, damage: Damage, byte: usize, reader: Reader) -> Result<bool, String> {
        let folder = folder();
        self.damaged(damage, byte, folder.path(), reader);
        if reader == Reader::NoChain {
            return self.unchained(folder.path()).map(|()| true);
        }
        let read = SqliteStore::open_to_read(folder.path()).and_then(|store| {
            store.runs(Timestamp(1))?;
            Ok((store.run(&self.run)?, store.read(&self.run, Seq(1))?))
        });
        match read {
            Ok((record, _)) if record != self.record => Err("the run is another".into()),
            Ok((_, events)) if events != self.events => Err(format!("{} events", events.len())),
            Ok(_) => Ok(true),
            Err(error) if error.hint().is_none() => Err(format!("nobody says what to do: {error}")),
            // As good as gone: and that is told as well, for there was a run.
            Err(_) => Ok(false),
        }
    }

    /// Whether events would be taken for what was written that are not.
    fn unchained(&self, folder: &Path) -> Result<(), String> {
        let read = || -> rusqlite::Result<Vec<(u64, String)>> {
            let connection = rusqlite::Connection::open(folder.join("switchover.db"))?;
            let mut query = connection.prepare("SELECT at, body FROM events WHERE run = ? ORDER BY seq")?;
            let rows = query.query_map([&*self.run.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        };
        let Ok(read) = read() else { return Ok(()) };
        let written: Vec<_> = self.events.iter().map(|event| (event.at.0, event.body.clone())).collect();
        if read.len() == written.len() && read != written {
            Err("an event is another".into())
        } else {
            Ok(())
        }
    }

    fn name(&self, damage: Damage, byte: usize) -> String {
        format!("rot/{}/{damage:?}-{byte}", self.name).to_lowercase()
    }

    fn trials(&self, damage: Damage, bytes: &[usize], reader: Reader) -> Vec<(String, Result<bool, String>)> {
        at_once(HANDS, bytes, |byte| (self.name(damage, byte), self.trial(damage, byte, reader)))
    }
}

#[test]
fn files_rot() {
    let wanted = Wanted::read();
    let journals = [Journal::of("log", true), Journal::of("database", false)];
    for (damage, suite) in [(Damage::Cut, "cut at every byte"), (Damage::Flip, "a bit flipped in every byte")]
    {
        let (mut good, mut shorter, mut unchained) = (Vec::new(), Vec::new(), Vec::new());
        for journal in &journals {
            let bytes = wanted.choose(suite, journal.len(), 700, |byte| journal.name(damage, byte));
            good.extend(journal.trials(damage, &bytes, Reader::Ours));
            if !wanted.is_named() {
                // A part shows it.
                let few: Vec<usize> = bytes.iter().copied().step_by(1 + bytes.len() / 2000).collect();
                shorter.extend(journal.trials(damage, &few, Reader::NoWitness));
                unchained.extend(journal.trials(damage, &few, Reader::NoChain));
            }
        }
        if good.is_empty() {
            continue;
        }
        proved(suite, &good);
        // Whoever refuses everything would lose nothing either.
        let is_read = good.iter().any(|(_, ended)| *ended == Ok(true));
        assert!(is_read || wanted.is_named(), "{suite}: nothing was read as it was written");
        if !wanted.is_named() {
            found_out(&format!("{suite}, and no witness of its length"), &shorter);
            if damage == Damage::Flip {
                found_out(&format!("{suite}, and no chain"), &unchained);
            }
        }
    }
}
