//! Commands that really run, each under a supervisor that really is one; and who outlives whom, in every order of deaths.

use rustix::process::{Pid, Signal, kill_process, test_kill_process_group};
use std::path::Path;
use std::time::Duration;
use switchover::adapter::{Process, Supervision, SystemClock};
use switchover::plan::Timestamp;
use switchover::port::{Call, Clock, Command, Output, ReadProcess, Stop, StopSignal, StopWith, WriteProcess};
use switchover::run::{Fault, FaultKind, Landed};
use tempfile::TempDir;
use tokio::time::timeout;

/// A folder for commands to leave files in.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn process(&self) -> Process {
        let supervision = Supervision {
            program: env!("CARGO_BIN_EXE_switchover").into(),
            traces: self.0.path().join("commands"),
            withheld: &[],
        };
        Process::new(SystemClock::wall(), self.0.path(), supervision)
    }

    async fn run(&self, command: Command) -> Output {
        self.process().run(command, &Stop::default()).await.unwrap()
    }

    fn has(&self, name: &str) -> bool {
        self.0.path().join(name).exists()
    }

    /// The number that a command wrote.
    async fn number(&self, name: &str) -> Pid {
        let mut number = None;
        soon("a number is written", || {
            let text = std::fs::read_to_string(self.0.path().join(name)).unwrap_or_default();
            number = text.strip_suffix('\n').and_then(|text| Pid::from_raw(text.parse().unwrap()));
            number.is_some()
        })
        .await;
        number.unwrap()
    }
}

fn shell(script: &str) -> Command {
    Command {
        argv: ["sh", "-c", script].map(str::to_owned).into(),
        environment: Vec::new(),
        directory: None,
        input: Vec::new(),
        stop: StopWith { signal: StopSignal::Int, grace: Duration::from_secs(20) },
        reads: true,
        timeout: Duration::from_secs(60),
        call: Some(Call { step: "step".into(), token: "call".into(), until: Timestamp(u64::MAX) }),
    }
}

async fn pass(time: Duration) {
    let clock = SystemClock::wall();
    clock.sleep_until(clock.now().after(time)).await;
}

async fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        pass(Duration::from_millis(20)).await;
    }
    panic!("not within ten seconds: {what}");
}

/// It runs; a corpse that nobody has buried does not.
fn lives(id: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.as_raw_nonzero())).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[tokio::test]
async fn a_command_gets_its_input_and_says_its_output() {
    let place = Place::new();
    std::fs::create_dir(place.0.path().join("inner")).unwrap();
    let mut command = shell("basename $PWD; cat; echo $WORD $SWITCHOVER_TOKEN >&2; exit 3");
    command.input = b"hello".into();
    command.environment = vec![("WORD".into(), "secret".into())];
    command.directory = Some("inner".into());
    let (stdout, stderr) = ("inner\nhello".into(), "secret call\n".into());
    assert_eq!(place.run(command).await, Output { code: Some(3), stdout, stderr, stopped: false });
}

#[tokio::test]
async fn a_program_with_a_path_is_meant_from_where_the_command_runs() {
    let place = Place::new();
    std::fs::create_dir(place.0.path().join("inner")).unwrap();
    std::os::unix::fs::symlink("/bin/true", place.0.path().join("inner/program")).unwrap();
    let mut command = shell("");
    command.argv = vec!["./program".into()];
    command.directory = Some("inner".into());
    assert_eq!(place.run(command).await.code, Some(0));
}

#[tokio::test]
async fn every_end_is_told_as_it_was() {
    let place = Place::new();
    for code in [0, 1, 11, 127, 255] {
        let output = place.run(shell(&format!("exit {code}"))).await;
        assert_eq!((output.code, output.stopped), (Some(code), false));
    }
    let output = place.run(shell("kill -KILL $$")).await;
    assert_eq!((output.code, output.stopped), (None, false));
}

#[tokio::test]
async fn input_that_nobody_reads_holds_nothing_up() {
    let mut command = shell("exit 0");
    command.input = vec![b'x'; 1024 * 1024];
    assert_eq!(Place::new().run(command).await.code, Some(0));
}

#[tokio::test]
async fn the_beginning_of_the_output_and_the_end_of_the_errors_are_kept() {
    let output = Place::new().run(shell("seq 1 200000; seq 1 200000 >&2")).await;
    assert_eq!(output.code, Some(0));
    assert_eq!(output.stdout.len(), 64 * 1024);
    assert!(output.stdout.starts_with("1\n2\n"));
    assert_eq!(output.stderr.len(), 4 * 1024);
    assert!(output.stderr.ends_with("200000\n"));
}

#[tokio::test]
async fn a_command_that_closes_its_output_is_still_waited_for() {
    let place = Place::new();
    let output = place.run(shell("exec >&- 2>&- <&-; sleep 0.3; exit 4")).await;
    assert_eq!(output.code, Some(4));
}

#[tokio::test]
async fn time_sends_the_stop_signal_first() {
    let mut command = shell("trap 'echo cleaned; exit 7' INT; echo up; while :; do sleep 0.05; done");
    command.timeout = Duration::from_millis(300);
    let output = Place::new().run(command).await;
    assert_eq!((output.code, &*output.stdout, output.stopped), (Some(7), "up\ncleaned\n", true));
}

#[tokio::test]
async fn what_ignores_its_signal_is_killed_with_all_that_it_started() {
    let place = Place::new();
    let mut command = shell("trap '' INT; (trap '' INT; sleep 1.5; echo > alive) & sleep 60");
    command.timeout = Duration::from_millis(200);
    command.stop.grace = Duration::from_millis(200);
    let output = place.run(command).await;
    assert_eq!((output.code, output.stopped), (None, true));
    pass(Duration::from_secs(2)).await;
    assert!(!place.has("alive"), "a grandchild lived on");
}

#[tokio::test]
async fn what_is_left_in_the_background_ends_with_the_command() {
    let place = Place::new();
    assert_eq!(place.run(shell("sleep 60 & echo $! > id")).await.code, Some(0));
    assert!(!lives(place.number("id").await));
}

#[tokio::test]
async fn what_is_stopped_may_use_all_of_its_grace_and_speak() {
    // The one in front ends at once; the one behind it has work to do, and is not told twice.
    let behind = "n=0; trap 'n=$((n+1))' TERM; while [ $n = 0 ]; do sleep 0.05; done; sleep 0.8; echo $n";
    let place = Place::new();
    let mut command = shell(&format!("({behind}) & trap 'exit 5' TERM; wait"));
    command.stop.signal = StopSignal::Term;
    command.timeout = Duration::from_millis(300);
    let output = place.run(command).await;
    assert_eq!((output.code, &*output.stdout, output.stopped), (Some(5), "1\n", true));
}

#[tokio::test]
async fn a_session_of_its_own_is_left_alone_and_holds_nothing_up() {
    let place = Place::new();
    let running = timeout(
        Duration::from_secs(10),
        place.run(shell("setsid sh -c 'echo $$ > id; exec sleep 60' & sleep 0.3")),
    );
    assert_eq!(running.await.unwrap().code, Some(0));
    let id = place.number("id").await;
    assert!(lives(id));
    assert_eq!(place.process().left_of("step").unwrap(), None);
    kill_process(id, Signal::KILL).unwrap();
}

#[tokio::test]
async fn no_terminal_is_in_reach() {
    let place = Place::new();
    // Of its own group, in a session that is not ours.
    let output =
        place.run(shell("cut -d' ' -f5,6 /proc/$$/stat; echo $$; (: < /dev/tty) 2>&-; echo $?")).await;
    let words: Vec<&str> = output.stdout.split_whitespace().collect();
    let own = std::fs::read_to_string("/proc/self/stat").unwrap();
    let session = own.rsplit(')').next().unwrap().split_whitespace().nth(3).unwrap();
    assert_eq!(words[0], words[2], "{words:?}");
    assert_ne!(words[1], session, "{words:?}");
    assert_ne!(words[3], "0", "it would be stopped where it asks: {words:?}");
}

#[tokio::test]
async fn the_run_can_end_a_command() {
    let (place, stop) = (Place::new(), Stop::default());
    let running = place.process();
    let work = running.run(shell("echo up > up; sleep 60"), &stop);
    let asking = async {
        soon("it is up", || place.has("up")).await;
        stop.ask();
    };
    let (output, ()) = tokio::join!(work, asking);
    assert!(output.unwrap().stopped);
    let fault = running.run(shell("exit 0"), &stop).await.unwrap_err();
    assert_eq!((fault.kind, fault.landed), (FaultKind::Transient, Landed::No));
}

#[tokio::test]
async fn what_cannot_start_says_so() {
    let place = Place::new();
    let mut command = shell("");
    command.argv = vec!["./no-such-program".into()];
    let fault = place.process().query(command).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Permanent);
    assert!(fault.message.contains("cannot start `./no-such-program`: No such file"), "{fault}");
    let mut command = shell("exit 0");
    command.directory = Some("no/such/folder".into());
    let fault = place.process().run(command, &Stop::default()).await.unwrap_err();
    assert!(fault.message.contains("cannot start `sh`: No such file"), "{fault}");
    assert_eq!(place.process().left_of("step").unwrap(), None);
}

#[tokio::test]
async fn what_nobody_waits_for_is_stopped() {
    let place = Place::new();
    let running = place.process();
    let stop = Stop::default();
    let mut work = Box::pin(
        running.run(shell("trap 'echo > stopped; exit' INT; echo > up; while :; do sleep 0.05; done"), &stop),
    );
    tokio::select! {
        _ = &mut work => panic!("it ended"),
        () = soon("it is up", || place.has("up")) => {}
    }
    drop(work);
    soon("it was told to stop", || place.has("stopped")).await;
}

#[tokio::test]
async fn while_anything_lives_it_is_found_by_its_step() {
    let place = Place::new();
    let running = place.process();
    let stop = Stop::default();
    let looking = async {
        let id = place.number("id").await;
        let left = place.process().left_of("step").unwrap().unwrap();
        assert_eq!(left, format!("process group {}", id.as_raw_nonzero()));
        assert_eq!(place.process().left_of("another").unwrap(), None);
        stop.ask();
    };
    let work =
        running.run(shell("trap 'sleep 0.3; exit' INT; echo $$ > id; while :; do sleep 0.05; done"), &stop);
    let (output, ()) = tokio::join!(work, looking);
    assert!(output.unwrap().stopped);
    assert_eq!(place.process().left_of("step").unwrap(), None);
    assert_eq!(place.0.path().join("commands").read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn what_was_looked_for_when_its_time_was_over_never_begins() {
    let place = Place::new();
    let (script, supervisor) = (place.0.path().join("slow"), env!("CARGO_BIN_EXE_switchover"));
    let text = format!(
        "#!/bin/sh\necho > ordered; while [ ! -e go ]; do sleep 0.02; done; exec {supervisor} \"$@\"\n"
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let supervision = Supervision { program: script, traces: place.0.path().join("commands"), withheld: &[] };
    let slow = Process::new(SystemClock::wall(), place.0.path(), supervision);
    let stop = Stop::default();
    let mut command = shell("echo > began");
    command.call.as_mut().unwrap().until = SystemClock::wall().now().after(Duration::from_secs(3));
    let looking = async {
        soon("it is ordered", || place.has("ordered")).await;
        assert_eq!(place.process().left_of("step").unwrap().as_deref(), Some("it is about to begin"));
        soon("its time is over", || place.process().left_of("step").unwrap().is_none()).await;
        assert_eq!(place.run(shell("echo > another")).await.code, Some(0), "nor does it hold others up");
        std::fs::write(place.0.path().join("go"), "").unwrap();
    };
    let (fault, ()) = tokio::join!(slow.run(command, &stop), looking);
    let fault = fault.unwrap_err();
    assert_eq!((fault.kind, fault.landed), (FaultKind::Transient, Landed::No), "{fault}");
    assert!(fault.message.contains("it is no longer waited for"), "{fault}");
    assert!(!place.has("began") && place.has("another"));
}

#[tokio::test]
async fn nothing_begins_once_the_time_of_its_call_is_over() {
    let place = Place::new();
    let mut command = shell("echo > began");
    command.call.as_mut().unwrap().until = SystemClock::wall().now();
    let fault = lost(&place, command).await;
    assert_eq!((fault.kind, fault.landed), (FaultKind::Blind, Landed::No), "{fault}");
    assert!(fault.message.contains("was over before `sh` could start"), "{fault}");
    assert!(!place.has("began"));
    assert_eq!(place.process().left_of("step").unwrap(), None);
}

async fn lost(place: &Place, command: Command) -> Fault {
    place.process().run(command, &Stop::default()).await.unwrap_err()
}

#[tokio::test]
async fn signals_for_everybody_leave_a_supervisor_alone() {
    let place = Place::new();
    // What a service manager does: all processes of the service hear it.
    let script =
        "trap '' HUP INT TERM; for s in HUP INT TERM QUIT; do kill -$s $PPID; done; sleep 0.3; exit 6";
    assert_eq!(place.run(shell(script)).await.code, Some(6));
}

#[tokio::test]
async fn a_supervisor_that_is_killed_takes_its_command_with_it() {
    let place = Place::new();
    let script = "trap 'echo > stopped; exit' INT; echo $$ > id; sleep 0.3; kill -KILL $PPID; while :; do sleep 0.05; done";
    let fault = lost(&place, shell(script)).await;
    assert_eq!((fault.kind, fault.landed), (FaultKind::Transient, Landed::Maybe), "{fault}");
    assert!(place.has("stopped"));
    let mut command =
        shell("trap '' INT; echo $$ > id; sleep 0.3; kill -KILL $PPID; while :; do sleep 0.05; done");
    std::fs::remove_file(place.0.path().join("id")).unwrap();
    command.stop.grace = Duration::from_millis(200);
    lost(&place, command).await;
    let id = place.number("id").await;
    assert!(!lives(id));
    assert_eq!(place.process().left_of("step").unwrap(), None);
}

#[tokio::test]
async fn a_command_without_us_and_its_supervisor_is_noticed() {
    let place = Place::new();
    let script = "trap '' INT; echo $$ > id; echo $PPID > supervisor; while :; do sleep 0.05; done";
    let running = place.process();
    let stop = Stop::default();
    let mut work = Box::pin(running.run(shell(script), &stop));
    let supervisor = tokio::select! {
        _ = &mut work => panic!("it ended"),
        id = place.number("supervisor") => id,
    };
    kill_process(supervisor, Signal::KILL).unwrap();
    drop(work);
    let id = place.number("id").await;
    soon("its supervisor is dead", || !lives(supervisor)).await;
    assert!(place.process().left_of("step").unwrap().is_some());
    kill_process(id, Signal::KILL).unwrap();
    soon("nothing is left", || place.process().left_of("step").unwrap().is_none()).await;
    assert!(test_kill_process_group(id).is_err() || !lives(id));
}

#[tokio::test]
async fn in_a_world_that_runs_faster_a_command_has_less_time() {
    use switchover::port::WorldTime;
    let place = Place::new();
    let supervision = Supervision {
        program: env!("CARGO_BIN_EXE_switchover").into(),
        traces: place.0.path().into(),
        withheld: &[],
    };
    let clock = SystemClock::scaled(WorldTime { origin: Timestamp(0), scale: 600 });
    let process = Process::new(clock, Path::new("/"), supervision);
    let mut command = shell("trap '' INT; while :; do sleep 0.05; done");
    // Half a second each, on the wall.
    command.timeout = Duration::from_mins(5);
    command.stop.grace = Duration::from_mins(5);
    let output = timeout(Duration::from_secs(30), process.query(command)).await.unwrap().unwrap();
    assert_eq!((output.code, output.stopped), (None, true));
}
