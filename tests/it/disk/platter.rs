//! A disk that loses its power: what was synced is there, names only once their folder was synced, and of the rest
//! nothing, everything, or any part, in pieces of a sector or a page.

use super::Dice;
use super::tape::Deed;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What it does with orders to sync.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sync {
    /// It syncs.
    Honest,
    /// Nothing, as with `synchronous=OFF`.
    Never,
    /// The log only before it is copied to the database, as with `synchronous=NORMAL`.
    AtCheckpoints,
    /// Files, and no names: as if no folder were ever synced.
    NoNames,
}

/// What of the unsynced is there afterwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kept {
    Nothing,
    Everything,
    /// Any part.
    Part(u64),
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

/// Something that may have a name. Folders have no content.
#[derive(Clone, Debug, Default)]
struct Thing {
    folder: bool,
    synced: Vec<u8>,
    unsynced: Vec<Change>,
}

/// What a name stands for: on the disk, and what was done to it since.
#[derive(Clone, Debug, Default)]
struct Name {
    synced: Option<usize>,
    unsynced: Vec<Option<usize>>,
}

impl Name {
    fn now(&self) -> Option<usize> {
        self.unsynced.last().copied().unwrap_or(self.synced)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Platter {
    sync: Sync,
    things: Vec<Thing>,
    names: BTreeMap<PathBuf, Name>,
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(length) => content.resize(usize::try_from(*length).unwrap(), 0),
        Change::Write(at, bytes) => {
            let at = usize::try_from(*at).unwrap();
            if content.len() < at + bytes.len() {
                content.resize(at + bytes.len(), 0);
            }
            content[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }
}

/// The pieces of a write that the disk moves as one.
fn pieces(at: u64, bytes: &[u8], size: u64) -> Vec<(u64, &[u8])> {
    let (mut all, mut at, mut rest) = (Vec::new(), at, bytes);
    while !rest.is_empty() {
        let length = usize::try_from(size - at % size).unwrap().min(rest.len());
        let (piece, after) = rest.split_at(length);
        all.push((at, piece));
        (at, rest) = (at + length as u64, after);
    }
    all
}

impl Platter {
    /// Everything in a folder is on it.
    pub(super) fn holding(folder: &Path, sync: Sync) -> Self {
        let mut platter = Self { sync, things: Vec::new(), names: BTreeMap::new() };
        platter.load(folder, Path::new(""));
        platter
    }

    fn load(&mut self, root: &Path, inner: &Path) {
        for entry in fs::read_dir(root.join(inner)).unwrap() {
            let path = inner.join(entry.unwrap().file_name());
            let folder = root.join(&path).is_dir();
            let synced = if folder { Vec::new() } else { fs::read(root.join(&path)).unwrap() };
            let thing = self.thing(Thing { folder, synced, unsynced: Vec::new() });
            self.names.insert(path.clone(), Name { synced: Some(thing), unsynced: Vec::new() });
            if folder {
                self.load(root, &path);
            }
        }
    }

    fn thing(&mut self, thing: Thing) -> usize {
        self.things.push(thing);
        self.things.len() - 1
    }

    fn named(&mut self, path: &Path) -> Option<&mut Thing> {
        let place = self.names.get(path)?.now()?;
        Some(&mut self.things[place])
    }

    fn name(&mut self, path: &Path, folder: bool) {
        if self.named(path).is_none() {
            let thing = self.thing(Thing { folder, ..Thing::default() });
            self.names.entry(path.to_owned()).or_default().unsynced.push(Some(thing));
        }
    }

    /// Does what was done. `next` is what was done to files after it.
    pub(super) fn take(&mut self, deed: &Deed, next: Option<&Deed>) {
        match deed {
            Deed::Made(path) => self.name(path, true),
            Deed::Opened(path) => self.name(path, false),
            Deed::Removed(path) => {
                if let Some(name) = self.names.get_mut(path) {
                    name.unsynced.push(None);
                }
            }
            Deed::Wrote(path, at, bytes) => self.change(path, Change::Write(*at, bytes.clone())),
            Deed::Cut(path, length) => self.change(path, Change::Length(*length)),
            Deed::Synced(path) if self.obeys(path, next) => self.flush(path),
            Deed::NotSynced(path) => {
                if let Some(thing) = self.named(path) {
                    thing.unsynced.clear();
                }
            }
            Deed::Synced(_) | Deed::Said(_) => {}
        }
    }

    fn change(&mut self, path: &Path, change: Change) {
        if let Some(thing) = self.named(path) {
            thing.unsynced.push(change);
        }
    }

    fn obeys(&mut self, path: &Path, next: Option<&Deed>) -> bool {
        let log = path.to_string_lossy().ends_with("-wal");
        let folder = path.as_os_str().is_empty() || self.named(path).is_some_and(|thing| thing.folder);
        match self.sync {
            Sync::Honest => true,
            Sync::Never => false,
            Sync::NoNames => !folder,
            Sync::AtCheckpoints => {
                let copies = |deed: &Deed| matches!(deed, Deed::Wrote(path, ..) | Deed::Cut(path, _) if path.extension().is_some_and(|e| e == "db"));
                !log || next.is_some_and(copies)
            }
        }
    }

    fn flush(&mut self, path: &Path) {
        for (_, name) in self.names.iter_mut().filter(|(inner, _)| inner.parent() == Some(path)) {
            if let Some(now) = name.unsynced.pop() {
                *name = Name { synced: now, unsynced: Vec::new() };
            }
        }
        if let Some(thing) = self.named(path) {
            for change in std::mem::take(&mut thing.unsynced) {
                apply(&mut thing.synced, &change);
            }
        }
    }

    /// What is found once power is back, put into an empty folder.
    pub(super) fn after_power_loss(&self, kept: Kept, into: &Path) {
        let mut dice = Dice::new(if let Kept::Part(seed) = kept { seed } else { 0 });
        let mut contents: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        // In the order of their paths: folders come before what is in them.
        for (path, name) in &self.names {
            let steps = match kept {
                Kept::Nothing => 0,
                Kept::Everything => name.unsynced.len(),
                Kept::Part(_) => dice.below(name.unsynced.len() + 1),
            };
            let stands_for = steps.checked_sub(1).map_or(name.synced, |last| name.unsynced[last]);
            let Some(place) = stands_for else { continue };
            let target = into.join(path);
            if !target.parent().unwrap().is_dir() {
                continue;
            }
            let thing = &self.things[place];
            if thing.folder {
                fs::create_dir(&target).unwrap();
            } else {
                let content =
                    contents.entry(place).or_insert_with(|| thing.after_power_loss(kept, &mut dice));
                fs::write(&target, content).unwrap();
            }
        }
    }
}

impl Thing {
    fn after_power_loss(&self, kept: Kept, dice: &mut Dice) -> Vec<u8> {
        let mut content = self.synced.clone();
        // Now few survive, now most.
        let odds = 1 + dice.below(7);
        for change in &self.unsynced {
            match (kept, change) {
                (Kept::Nothing, _) => {}
                (Kept::Everything, change) => apply(&mut content, change),
                (Kept::Part(_), Change::Length(_)) => {
                    if dice.below(8) < odds {
                        apply(&mut content, change);
                    }
                }
                (Kept::Part(_), Change::Write(at, bytes)) => {
                    let size = [512, 4096, u64::MAX / 2][dice.below(3)];
                    for (at, piece) in pieces(*at, bytes, size) {
                        if dice.below(8) < odds {
                            apply(&mut content, &Change::Write(at, piece.into()));
                        }
                    }
                }
            }
        }
        content
    }
}
