//! The processes: each emulator is started once for all tests of this process, on a free port of loopback, and ends with it.

use crate::tests::contract::servers::{find, free};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tests::contract) enum Emulator {
    Moto,
    Ministack,
}

/// How often it is asked whether it answers, ten times a second: this machine may be busy.
const TRIES: u32 = 900;

/// Becomes the program, and leaves somebody behind who ends it once nobody holds the other end of standard input: whoever
/// started it is gone then, however that came. It has a second to take away what it left in the folder for such things.
const UNTIL_WE_END: &str =
    r#"exec 3<&0; (cat <&3 >/dev/null; kill $$; sleep 1; kill -9 $$) & exec "$@" </dev/null 3<&-"#;

/// One that runs.
struct Server {
    address: SocketAddr,
    /// Holds its standard input.
    _child: Child,
}

static MOTO: OnceLock<Result<Server, String>> = OnceLock::new();
static MINISTACK: OnceLock<Result<Server, String>> = OnceLock::new();

impl Emulator {
    /// Where it answers. None, said aloud, where there is no such program.
    pub(super) fn server(self, what: &str) -> Option<SocketAddr> {
        let (program, started) = match self {
            Self::Moto => ("moto_server", &MOTO),
            Self::Ministack => ("ministack", &MINISTACK),
        };
        let path = find(program, what)?;
        match started.get_or_init(|| self.start(&path)) {
            Ok(server) => Some(server.address),
            Err(told) => panic!("{program} does not answer; it told:\n{told}"),
        }
    }

    fn command(self, program: &Path, address: SocketAddr) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", UNTIL_WE_END, "sh"]).arg(program);
        let port = address.port().to_string();
        match self {
            Self::Moto => command
                .args(["-H", "127.0.0.1", "-p", &port])
                // Tasks of a service that run, at once; otherwise none ever does.
                .env("MOTO_ECS_SERVICE_RUNNING", "2"),
            // Unless told otherwise it listens on all addresses, and for devices on one more port of all of them.
            Self::Ministack => command
                .env("BIND_HOST", "127.0.0.1")
                .env("GATEWAY_PORT", &port)
                .env("IOT_MTLS_ENABLED", "0")
                .env("SFTP_ENABLED", "0")
                .env("DOCKER_HOST", "unix:///nonexistent")
                .env("SERVICES", "route53,ecs,elbv2,cloudwatch,logs,sts,ec2,ssm,iam"),
        };
        command
    }

    fn start(self, program: &Path) -> Result<Server, String> {
        let address = free();
        let mut told = tempfile::tempfile().unwrap();
        let mut child = self
            .command(program, address)
            .stdin(Stdio::piped())
            .stdout(told.try_clone().unwrap())
            .stderr(told.try_clone().unwrap())
            .spawn()
            .unwrap();
        for _ in 0..TRIES {
            if child.try_wait().unwrap().is_some() {
                return Err(all_of(&mut told));
            }
            if answers(address) {
                return Ok(Server { address, _child: child });
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        Err(all_of(&mut told))
    }
}

fn all_of(told: &mut File) -> String {
    let mut text = String::new();
    told.seek(SeekFrom::Start(0)).unwrap();
    told.read_to_string(&mut text).unwrap();
    text
}

fn answers(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut begin = [0; 5];
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").is_ok()
        && stream.read_exact(&mut begin).is_ok()
        && begin == *b"HTTP/"
}
