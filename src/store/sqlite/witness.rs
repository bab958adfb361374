//! How long each journal has been, kept beside the database: one file a run, written after each append.
//!
//! The chain finds what was changed, but not that the end is missing: a flipped bit in the database's log makes all that
//! follows it look as if it had never been written. A witness is written only once its event is durable, and not synced
//! itself. So it may say less than there is, after a power loss; never more. If it does, the journal was cut.

use crate::store::RunId;
use crate::store::chain::{self, Hash};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// What was seen of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Witness {
    /// Its last event then.
    pub(super) seq: u64,
    /// Of that event, in hexadecimal.
    pub(super) hash: String,
}

#[derive(Debug)]
pub(super) struct Witnesses {
    folder: PathBuf,
    /// Of the run that was written last.
    open: Mutex<Option<(RunId, File)>>,
}

impl Witness {
    fn line(&self, run: &RunId) -> String {
        let Self { seq, hash } = self;
        format!("{seq:020} {hash} {}\n", check(run, *seq, hash))
    }

    /// What is torn or rotten says nothing.
    fn parse(run: &RunId, line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (seq, hash) = (words.next()?.parse().ok()?, words.next()?.to_owned());
        (words.next()? == check(run, seq, &hash)).then_some(Self { seq, hash })
    }
}

fn check(run: &RunId, seq: u64, hash: &str) -> String {
    let sum =
        Sha256::new().chain_update(&*run.0).chain_update(seq.to_be_bytes()).chain_update(hash).finalize();
    chain::hex(&sum[..8])
}

impl Witnesses {
    pub(super) fn in_directory(directory: &std::path::Path) -> Self {
        Self { folder: directory.join("heads"), open: Mutex::new(None) }
    }

    /// All runs that were ever written, by their files.
    pub(super) fn runs(&self) -> Vec<RunId> {
        let names = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        names.filter_map(|entry| Some(RunId(entry.file_name().into_string().ok()?.into()))).collect()
    }

    pub(super) fn of(&self, run: &RunId) -> Option<Witness> {
        Witness::parse(run, &fs::read_to_string(self.folder.join(&*run.0)).ok()?)
    }

    /// The run is about to be removed on purpose.
    pub(super) fn forget(&self, run: &RunId) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).take_if(|(of, _)| of == run);
        let _ = fs::remove_file(self.folder.join(&*run.0));
    }

    /// The journal is so long now, durably. One that cannot be written is missed only if the journal is damaged too.
    pub(super) fn saw(&self, run: &RunId, seq: u64, hash: &Hash) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.as_ref().is_none_or(|(of, _)| of != run) {
            let _ = fs::create_dir(&self.folder);
            let file =
                File::options().write(true).create(true).truncate(false).open(self.folder.join(&*run.0));
            *open = file.ok().map(|file| (run.clone(), file));
        }
        if let Some((_, file)) = &*open {
            let _ = file.write_all_at(Witness { seq, hash: chain::hex(hash) }.line(run).as_bytes(), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_a_witness_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let witnesses = Witnesses::in_directory(directory.path());
        let [one, other] = ["one", "other"].map(|name| RunId(name.into()));
        let seen = |run| witnesses.of(run).map(|witness| witness.seq);
        for (run, seq) in [(&one, 1), (&other, 2), (&one, 3)] {
            witnesses.saw(run, seq, &[9; 32]);
        }
        assert_eq!((seen(&one), seen(&other)), (Some(3), Some(2)));
        // One that was removed and is taken in again has one again.
        witnesses.forget(&one);
        assert_eq!((seen(&one), seen(&other)), (None, Some(2)));
        witnesses.saw(&one, 1, &[9; 32]);
        assert_eq!(seen(&one), Some(1));
    }

    #[test]
    fn no_flipped_bit_makes_a_witness_say_something_else() {
        let run = RunId("01M8HAM4137N8S39VQX167MWDC".into());
        let witness = Witness { seq: 7, hash: chain::hex(&[9; 32]) };
        let line = witness.line(&run);
        assert_eq!(Witness::parse(&run, &line), Some(witness.clone()));
        assert_eq!(Witness::parse(&RunId("other".into()), &line), None);
        for bit in 0..line.len() * 8 {
            let mut bytes = line.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let read = String::from_utf8(bytes).ok().and_then(|line| Witness::parse(&run, &line));
            assert!(read.is_none_or(|read| read == witness), "bit {bit}");
        }
        for length in 0..line.len() - 1 {
            assert_eq!(Witness::parse(&run, &line[..length]), None);
        }
    }
}
