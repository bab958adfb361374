//! The tool while it runs: at a terminal of its own or without one, and whoever reads what it says.

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process_group};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Somebody who reads until they go away.
struct Reader {
    wanted: Arc<AtomicBool>,
    heard: Arc<Mutex<String>>,
    thread: JoinHandle<()>,
}

impl Reader {
    fn of(source: OwnedFd) -> Self {
        fcntl_setfl(&source, OFlags::NONBLOCK).unwrap();
        let (wanted, heard) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new(String::new())));
        let (wants, hears) = (wanted.clone(), heard.clone());
        let thread = std::thread::spawn(move || {
            let (mut source, mut buffer) = (File::from(source), [0; 4096]);
            while wants.load(Ordering::Relaxed) {
                match source.read(&mut buffer) {
                    Ok(length @ 1..) => {
                        hears.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    _ => break,
                }
            }
        });
        Self { wanted, heard, thread }
    }

    fn go_away(self) {
        self.wanted.store(false, Ordering::Relaxed);
        self.thread.join().unwrap();
    }

    fn heard(&self) -> String {
        self.heard.lock().unwrap().replace('\r', "")
    }
}

/// How it is started.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    /// How it writes.
    pub(super) output: &'static str,
    /// At a terminal of this name.
    pub(super) terminal: Option<&'static str>,
    /// As `nohup` does it.
    pub(super) ignores_hang_ups: bool,
}

/// The tool, in a group of its own as a shell would start it.
pub(super) struct Tool {
    child: Child,
    /// At a terminal there is one reader of all.
    out: Option<Reader>,
    err: Option<Reader>,
    keys: Option<File>,
}

impl Tool {
    /// Starts it; its output is piped unless it has a terminal.
    pub(super) fn start(mut command: Command, how: How) -> Self {
        if let Some(name) = how.terminal {
            return Self::at_a_terminal(command.env("TERM", name));
        }
        if how.ignores_hang_ups {
            command = by_way_of(&["sh", "-c", "trap '' HUP; exec \"$0\" \"$@\""], &command);
        }
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.process_group(0).spawn().unwrap();
        let out = Reader::of(child.stdout.take().unwrap().into());
        let err = Reader::of(child.stderr.take().unwrap().into());
        Self { child, out: Some(out), err: Some(err), keys: None }
    }

    /// `setsid` opens a session that the terminal controls, in which the tool is the group at the front.
    fn at_a_terminal(command: &Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let line = || {
            let line = rustix::fs::open(&*name, OFlags::RDWR | OFlags::NOCTTY, rustix::fs::Mode::empty());
            Stdio::from(line.unwrap())
        };
        // What is pressed throws nothing away that was said, and does not stand in it.
        let mut modes = tcgetattr(&master).unwrap();
        modes.local_modes.insert(LocalModes::NOFLSH);
        modes.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&master, OptionalActions::Now, &modes).unwrap();
        let mut session = by_way_of(&["setsid", "--ctty"], command);
        let child = session.stdin(line()).stdout(line()).stderr(line()).spawn().unwrap();
        let keys = File::from(master.try_clone().unwrap());
        Self { child, out: Some(Reader::of(master)), err: None, keys: Some(keys) }
    }

    /// Whether there is a terminal to be had.
    pub(super) fn can_have_a_terminal() -> bool {
        Command::new("setsid").arg("--version").output().is_ok_and(|output| output.status.success())
    }

    /// Ctrl-C at its terminal; the signal without one.
    pub(super) fn interrupt(&mut self) {
        match &mut self.keys {
            Some(keys) => keys.write_all(b"\x03").unwrap(),
            None => self.signal(Signal::INT),
        }
    }

    /// To all of its group. One that has ended hears nothing.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = kill_process_group(Pid::from_child(&self.child), signal);
    }

    /// Whoever read its result, or all that it says, goes away. So does its terminal.
    pub(super) fn nobody_reads(&mut self, nothing_at_all: bool) {
        self.keys = None;
        self.out.take().unwrap().go_away();
        if nothing_at_all && let Some(err) = self.err.take() {
            err.go_away();
        }
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Its exit code, as a shell tells it, once all that it said is read.
    pub(super) fn ended(&mut self) -> Option<i32> {
        let readers = [&self.out, &self.err].into_iter().flatten();
        if !readers.into_iter().all(|reader| reader.thread.is_finished()) {
            return None;
        }
        let status = self.child.try_wait().unwrap()?;
        Some(status.code().unwrap_or_else(|| 128 + status.signal().unwrap()))
    }

    /// What it said: what stood last on the screen comes last.
    pub(super) fn said(&self) -> String {
        let heard = |reader: &Option<Reader>| reader.as_ref().map(Reader::heard).unwrap_or_default();
        heard(&self.err) + &heard(&self.out)
    }
}

/// The same, started by another program.
fn by_way_of(program: &[&str], command: &Command) -> Command {
    let mut started = Command::new(program[0]);
    started.args(&program[1..]).arg(command.get_program()).args(command.get_args());
    started.current_dir(command.get_current_dir().unwrap()).env_clear();
    started.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    started
}

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
