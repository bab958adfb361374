//! Commands that really run.

use super::*;
use crate::adapter::SystemClock;
use crate::port::StopWith;
use crate::run::FaultKind;

fn process() -> Process {
    Process::new(Arc::new(SystemClock::wall()), Path::new("/"))
}

fn shell(script: &str) -> Command {
    Command {
        argv: ["sh", "-c", script].map(str::to_owned).into(),
        environment: Vec::new(),
        directory: None,
        input: Vec::new(),
        stop: StopWith { signal: "INT".into(), grace: Duration::from_secs(20) },
        reads: true,
        timeout: Duration::from_secs(60),
    }
}

async fn run(command: Command) -> Output {
    process().run(command, &Stop::default()).await.unwrap()
}

#[tokio::test]
async fn a_command_gets_its_input_and_says_its_output() {
    let mut command = shell("pwd; cat; echo $WORD >&2; exit 3");
    command.input = b"hello".into();
    command.environment = vec![("WORD".into(), "secret".into())];
    command.directory = Some("tmp".into());
    let output = run(command).await;
    let expected =
        Output { code: Some(3), stdout: "/tmp\nhello".into(), stderr: "secret\n".into(), stopped: false };
    assert_eq!(output, expected);
}

#[tokio::test]
async fn input_that_nobody_reads_holds_nothing_up() {
    let mut command = shell("exit 0");
    command.input = vec![b'x'; 1024 * 1024];
    assert_eq!(run(command).await.code, Some(0));
}

#[tokio::test]
async fn the_beginning_of_the_output_and_the_end_of_the_errors_are_kept() {
    let output = run(shell("seq 1 200000; seq 1 200000 >&2")).await;
    assert_eq!(output.code, Some(0));
    assert_eq!(output.stdout.len(), STDOUT_LIMIT);
    assert!(output.stdout.starts_with("1\n2\n"));
    assert_eq!(output.stderr.len(), STDERR_LIMIT);
    assert!(output.stderr.ends_with("200000\n"));
}

#[tokio::test]
async fn time_sends_the_stop_signal_first() {
    let mut command = shell("trap 'echo cleaned; exit 7' INT; echo up; while :; do sleep 0.05; done");
    command.timeout = Duration::from_millis(300);
    let output = run(command).await;
    assert_eq!((output.code, &*output.stdout, output.stopped), (Some(7), "up\ncleaned\n", true));
}

#[tokio::test]
async fn what_ignores_its_signal_is_killed_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alive");
    let script = format!("trap '' INT; (trap '' INT; sleep 1.5; echo > {}) & sleep 60", file.display());
    let mut command = shell(&script);
    command.timeout = Duration::from_millis(200);
    command.stop.grace = Duration::from_millis(200);
    let output = run(command).await;
    assert_eq!((output.code, output.stopped), (None, true));
    std::thread::sleep(Duration::from_secs(2));
    assert!(!file.exists(), "a grandchild lived on");
}

#[tokio::test]
async fn what_is_left_in_the_background_ends_with_the_command() {
    let output = run(shell("sleep 60 & echo $!")).await;
    assert_eq!(output.code, Some(0));
    let id: i32 = output.stdout.trim().parse().unwrap();
    let id = Pid::from_raw(id).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.as_raw_nonzero())).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
}

#[tokio::test]
async fn the_run_can_end_a_command() {
    let stop = Stop::default();
    let running = process();
    let work = running.run(shell("echo up; sleep 60"), &stop);
    let asking = async {
        std::thread::sleep(Duration::from_millis(200));
        stop.ask();
    };
    let (output, ()) = tokio::join!(work, asking);
    assert!(output.unwrap().stopped);
    let fault = running.run(shell("exit 0"), &stop).await.unwrap_err();
    assert_eq!((fault.kind, fault.landed), (FaultKind::Transient, crate::run::Landed::No));
}

#[tokio::test]
async fn what_cannot_start_says_so() {
    let mut command = shell("");
    command.argv = vec!["./no-such-program".into()];
    let fault = process().query(command).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Permanent);
    assert!(fault.message.contains("no-such-program"), "{fault}");
    let mut command = shell("exit 0");
    command.stop.signal = "STOPP".into();
    assert!(process().query(command).await.unwrap_err().message.contains("not a signal"));
}

#[tokio::test]
async fn what_nobody_waits_for_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stopped");
    let script = format!("trap 'echo > {}; exit' INT; while :; do sleep 0.05; done", file.display());
    let running = process();
    let stop = Stop::default();
    assert!(timeout(Duration::from_millis(500), running.run(shell(&script), &stop)).await.is_err());
    for _ in 0..200 {
        if file.exists() {
            return;
        }
        timeout(Duration::from_millis(50), std::future::pending::<()>()).await.unwrap_err();
    }
    panic!("it was not told to stop");
}
