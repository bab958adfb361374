//! What a process did to the files of a folder, in order, as `strace` saw it. Knows nothing of what is in the files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Calls that change files, or make changes last. One that is missing here shows as an event that was lost.
const CALLS: &str =
    "openat,mkdir,write,pwrite64,ftruncate,fsync,fdatasync,unlink,unlinkat,rename,renameat,renameat2";
/// Longer than anything whose content matters: the room that is set aside holds nothing.
const LONGEST: usize = 1 << 20;

/// One thing that was done. Paths are of the folder.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Deed {
    /// A folder was made.
    Made(PathBuf),
    /// A file was opened that is created if it is not there.
    Opened(PathBuf),
    /// So many bytes were written at a place.
    Wrote(PathBuf, u64, Vec<u8>),
    /// A file was cut, or made longer.
    Cut(PathBuf, u64),
    /// A file or folder was synced.
    Synced(PathBuf),
    /// That failed: what was to be synced is taken for synced from then on, and is not.
    NotSynced(PathBuf),
    /// A name was removed.
    Removed(PathBuf),
    /// The process said a line.
    Said(String),
}

/// Says whether processes may be watched here; if not, why.
pub(super) fn is_possible() -> Result<(), String> {
    let tried = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    match tried {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            Err(format!("strace may not trace: {}", String::from_utf8_lossy(&output.stderr).trim()))
        }
        Err(error) => Err(format!("there is no strace: {error}")),
    }
}

/// The same command, watched; its deeds end up in `log`. `more` are options of strace.
pub(super) fn watched(command: &Command, log: &Path, more: &[String]) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-y", "-xx", "-e", "signal=none"]);
    // What stops at few calls only has no signals injected.
    if !more.iter().any(|option| option.starts_with("--inject")) {
        strace.arg("--seccomp-bpf");
    }
    strace.args(["-s", &LONGEST.to_string(), "-e", &format!("trace={CALLS}"), "-o"]).arg(log).args(more);
    strace.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        strace.current_dir(folder);
    }
    strace
}

/// What is in a log about the files below a folder, and what was said.
pub(super) fn read(log: &Path, folder: &Path) -> Vec<Deed> {
    let text = std::fs::read_to_string(log).unwrap();
    let mut reader = Reader { folder, begun: BTreeMap::new(), places: BTreeMap::new() };
    let mut deeds: Vec<Deed> = text.lines().filter_map(|line| reader.line(line)).collect();
    // Calls that the end of the process cut short may have been carried out.
    let open: Vec<String> = std::mem::take(&mut reader.begun).into_values().collect();
    deeds.extend(open.iter().filter_map(|line| reader.call(&format!("{line}) = ?"))));
    deeds
}

struct Reader<'f> {
    folder: &'f Path,
    /// Calls that are under way, by thread.
    begun: BTreeMap<String, String>,
    /// Where files are written that are written in sequence.
    places: BTreeMap<PathBuf, u64>,
}

/// Text between two signs, and what follows.
fn between(text: &str, open: char, close: char) -> Option<(&str, &str)> {
    text.split_once(open)?.1.split_once(close)
}

/// `\x2f\x74` as bytes.
fn bytes(text: &str) -> Vec<u8> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    text.as_bytes().chunks_exact(4).map(|four| digit(four[2]) << 4 | digit(four[3])).collect()
}

impl Reader<'_> {
    fn line(&mut self, line: &str) -> Option<Deed> {
        let (thread, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        if let Some(begun) = call.strip_suffix(" <unfinished ...>") {
            self.begun.insert(thread.into(), begun.into());
            return None;
        }
        if let Some((_, rest)) = call.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            let begun = self.begun.remove(thread)?;
            return self.call(&format!("{begun}{rest}"));
        }
        self.call(call)
    }

    fn ours(&self, hex: &str) -> Option<PathBuf> {
        let path = PathBuf::from(OsString::from_vec(bytes(hex)));
        path.strip_prefix(self.folder).ok().map(Path::to_owned)
    }

    /// `openat(AT_FDCWD<…>, "…", O_RDWR|O_CREAT, 0644) = 11<…>`
    fn call(&mut self, call: &str) -> Option<Deed> {
        let (name, arguments) = call.split_once('(')?;
        let (_, result) = call.rsplit_once(" = ")?;
        let failed = result.starts_with('-');
        if failed && !name.ends_with("sync") {
            return None;
        }
        match name {
            "openat" => {
                let (path, rest) = between(arguments, '"', '"')?;
                let path = self.ours(path)?;
                self.places.insert(path.clone(), 0);
                assert!(!rest.contains("O_TRUNC"), "a file is emptied as it is opened: {call}");
                rest.contains("O_CREAT").then_some(Deed::Opened(path))
            }
            "mkdir" => Some(Deed::Made(self.ours(between(arguments, '"', '"')?.0)?)),
            "unlink" => Some(Deed::Removed(self.ours(between(arguments, '"', '"')?.0)?)),
            "unlinkat" => {
                let (path, _) = between(arguments, '"', '"')?;
                assert!(self.ours(path).is_none(), "nobody knows what this does to a disk: {call}");
                None
            }
            "fsync" | "fdatasync" => {
                let path = self.named(arguments)?;
                // One that was cut short has promised nothing.
                (result != "?").then_some(if failed { Deed::NotSynced(path) } else { Deed::Synced(path) })
            }
            "ftruncate" => {
                let path = self.named(arguments)?;
                let (_, length) = call.rsplit_once(") = ")?.0.rsplit_once(", ")?;
                Some(Deed::Cut(path, length.parse().unwrap()))
            }
            "write" | "pwrite64" => self.wrote(name, arguments, result),
            other => {
                let ours = arguments.split('"').skip(1).step_by(2).find_map(|part| self.ours(part));
                assert!(ours.is_none(), "nobody knows what {other} does to a disk: {call}");
                None
            }
        }
    }

    /// The file that a descriptor stands for, unless it has no name any more.
    fn named(&self, arguments: &str) -> Option<PathBuf> {
        let (path, rest) = between(arguments, '<', '>')?;
        if rest.starts_with("(deleted)") { None } else { self.ours(path) }
    }

    fn wrote(&mut self, name: &str, arguments: &str, result: &str) -> Option<Deed> {
        let (hex, rest) = between(arguments, '"', '"')?;
        if arguments.starts_with("1<") {
            return Some(Deed::Said(String::from_utf8(bytes(hex)).ok()?));
        }
        let path = self.named(arguments)?;
        let mut numbers = rest.trim_start_matches("...").trim_start_matches(", ").split([',', ')']);
        let mut number = || numbers.next().and_then(|number| number.trim().parse::<u64>().ok());
        let length = number().unwrap();
        let mut content = bytes(hex);
        content.resize(usize::try_from(length).unwrap(), 0);
        if let Ok(written) = result.split(' ').next().unwrap().parse() {
            content.truncate(written);
        }
        let place = self.places.entry(path.clone()).or_default();
        let at = if name == "write" { *place } else { number().unwrap() };
        if name == "write" {
            *place += content.len() as u64;
        }
        Some(Deed::Wrote(path, at, content))
    }
}
