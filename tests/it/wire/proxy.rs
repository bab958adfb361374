//! Stands between the tool and the API of a sandbox, and troubles one call on its way. Requests and answers are whole
//! bytes: what the SDK meets here it would meet of a network, a proxy or a load balancer.

use crate::stage::World;
use serde_json::{Value as Json, json};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How late a call lands whose connection was cut: long after its loss is known, long before its deadline.
const LATE: Duration = Duration::from_millis(250);
/// How long an answer takes that is too slow: longer than any call may take, at the pace of these tests.
const SLOW: Duration = Duration::from_secs(4);

/// What happens to a call on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Whoever asks may not do this; it does not land.
    Refused,
    /// Too many calls; it does not land.
    Throttled,
    /// A server in front says that nobody is there; it does not land.
    Unavailable,
    /// The connection closes; it does not land.
    CutBefore,
    /// The connection closes, and it lands a moment later.
    LandsLate,
    /// It lands, and the connection closes.
    CutAfter,
    /// It lands, and the connection closes in the middle of the answer.
    CutWithin,
    /// It lands, and the answer comes when nobody waits for it any more.
    TooSlow,
    /// It lands, and the answer is of something else.
    Garbage,
    /// It lands, and the server says that it has failed.
    Failed,
}

impl Trouble {
    pub(super) const ALL: [Self; 10] = [
        Self::Refused,
        Self::Throttled,
        Self::Unavailable,
        Self::CutBefore,
        Self::LandsLate,
        Self::CutAfter,
        Self::CutWithin,
        Self::TooSlow,
        Self::Garbage,
        Self::Failed,
    ];

    /// `lands-late`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::CutBefore => "cut-before",
            Self::LandsLate => "lands-late",
            Self::CutAfter => "cut-after",
            Self::CutWithin => "cut-within",
            Self::TooSlow => "too-slow",
            Self::Garbage => "garbage",
            Self::Failed => "failed",
        }
    }
}

/// A call that writes, by its number among its kind, from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Call {
    pub(super) operation: String,
    pub(super) number: usize,
}

#[derive(Default)]
struct Seen {
    /// Calls that write, as they came.
    came: Vec<Call>,
    /// Those of them that the world has accepted.
    landed: Vec<String>,
    /// The trouble came to pass.
    troubled: bool,
}

/// The way to a sandbox; closed when it is dropped.
pub(super) struct Wire {
    control: SocketAddr,
    listeners: [SocketAddr; 2],
    seen: Arc<Mutex<Seen>>,
    closed: Arc<AtomicBool>,
}

impl Wire {
    /// To this world; with one call in trouble.
    pub(super) fn to(world: &World, trouble: Option<(Call, Trouble)>) -> Self {
        let wiring = world.ask("GET", "/wiring", None);
        let upstream = address(wiring["aws_endpoint"].as_str().unwrap());
        let (seen, closed) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let shared = seen.clone();
        let calls = listen(&closed, move |stream| carry(stream, upstream, trouble.as_ref(), &shared));
        let mut told = wiring;
        told["aws_endpoint"] = json!(format!("http://{calls}"));
        // Only `/wiring` is asked here: it names the sandbox's own interface for all else.
        let control = listen(&closed, move |stream| tell(stream, &told));
        Self { control, listeners: [calls, control], seen, closed }
    }

    /// Stands for the sandbox's own interface.
    pub(super) fn control(&self) -> String {
        format!("http://{}", self.control)
    }

    /// Calls that write, as they came.
    pub(super) fn came(&self) -> Vec<Call> {
        self.seen.lock().unwrap().came.clone()
    }

    /// Operations that landed, in their alphabetical order.
    pub(super) fn landed(&self) -> Vec<String> {
        let mut landed = self.seen.lock().unwrap().landed.clone();
        landed.sort();
        landed
    }

    pub(super) fn was_troubled(&self) -> bool {
        self.seen.lock().unwrap().troubled
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        // Whoever waits for a connection has to see it.
        self.listeners.iter().for_each(|address| drop(TcpStream::connect(address)));
    }
}

fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap()
}

/// Whatever goes wrong with a connection, its client knows.
fn listen(
    closed: &Arc<AtomicBool>,
    each: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (closed, each) = (closed.clone(), Arc::new(each));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if closed.load(Ordering::Relaxed) {
                return;
            }
            let each = each.clone();
            thread::spawn(move || each(stream));
        }
    });
    address
}

/// Whether an operation only looks, by what it is called.
pub(super) fn reads(operation: &str) -> bool {
    ["Describe", "Filter", "Get", "List"].iter().any(|verb| operation.starts_with(verb))
}

/// A request, whole.
struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &mut TcpStream) -> io::Result<Self> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 16 << 10];
        loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&bytes[..end + 2]).into_owned();
                let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
                while bytes.len() < end + 4 + length {
                    let read = stream.read(&mut buffer)?;
                    if read == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    bytes.extend_from_slice(&buffer[..read]);
                }
                return Ok(Self { head, body: bytes.split_off(end + 4) });
            }
            let read = stream.read(&mut buffer)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes.extend_from_slice(&buffer[..read]);
        }
    }

    /// What it calls, if that writes.
    fn writes(&self) -> Option<String> {
        let line = self.head.lines().next().unwrap_or_default();
        let form = || {
            Some(String::from_utf8_lossy(&self.body).strip_prefix("Action=")?.split('&').next()?.to_owned())
        };
        let operation = match header(&self.head, "x-amz-target") {
            Some(target) => target.rsplit('.').next()?.to_owned(),
            None if line.starts_with("POST") && line.contains("/rrset") => "ChangeResourceRecordSets".into(),
            None if line.starts_with("POST / ") => form()?,
            None => return None,
        };
        (!reads(&operation)).then_some(operation)
    }

    /// Its whole answer, from where it was going.
    fn forward(&self, upstream: SocketAddr) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(upstream)?;
        // One request a connection: the answer is all that comes.
        let mut bytes = format!("{}connection: close\r\n\r\n", self.head).into_bytes();
        bytes.extend_from_slice(&self.body);
        stream.write_all(&bytes)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}

fn answer(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A refusal, in the form of the protocol that was spoken.
fn refusal(request: &Request, code: &str, status: &str) -> Vec<u8> {
    if header(&request.head, "x-amz-target").is_some() {
        return answer(
            status,
            "application/x-amz-json-1.1",
            &json!({"__type": code, "message": "in trouble on its way"}).to_string(),
        );
    }
    // The older protocols have the same codes without this ending.
    let code = code.trim_end_matches("Exception");
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>in trouble on its way</Message></Error>\
         <RequestId>1</RequestId></ErrorResponse>"
    );
    answer(status, "text/xml", &body)
}

fn tell(mut stream: TcpStream, wiring: &Json) -> io::Result<()> {
    Request::read(&mut stream)?;
    stream.write_all(&answer("200 OK", "application/json", &wiring.to_string()))
}

fn carry(
    mut stream: TcpStream,
    upstream: SocketAddr,
    trouble: Option<&(Call, Trouble)>,
    seen: &Mutex<Seen>,
) -> io::Result<()> {
    let request = Request::read(&mut stream)?;
    let Some(operation) = request.writes() else { return stream.write_all(&request.forward(upstream)?) };
    let struck = {
        let mut seen = seen.lock().unwrap();
        let number = 1 + seen.came.iter().filter(|call| call.operation == operation).count();
        let call = Call { operation: operation.clone(), number };
        let struck = trouble.filter(|(troubled, _)| *troubled == call).map(|(_, trouble)| *trouble);
        seen.came.push(call);
        seen.troubled |= struck.is_some();
        struck
    };
    let land = || {
        let answer = request.forward(upstream)?;
        if answer.starts_with(b"HTTP/1.1 2") {
            seen.lock().unwrap().landed.push(operation.clone());
        }
        io::Result::Ok(answer)
    };
    let answered = match struck {
        None => land()?,
        Some(Trouble::Refused) => refusal(&request, "AccessDeniedException", "403 Forbidden"),
        Some(Trouble::Throttled) => refusal(&request, "ThrottlingException", "400 Bad Request"),
        Some(Trouble::Unavailable) => {
            answer("503 Service Unavailable", "text/html", "<h1>nobody is there</h1>")
        }
        Some(Trouble::CutBefore) => return stream.shutdown(Shutdown::Both),
        Some(Trouble::LandsLate) => {
            stream.shutdown(Shutdown::Both)?;
            thread::sleep(LATE);
            return land().map(drop);
        }
        Some(Trouble::CutAfter) => {
            land()?;
            return stream.shutdown(Shutdown::Both);
        }
        Some(Trouble::CutWithin) => {
            let mut answer = land()?;
            // Its body is as long as it says, and half of that is missing; an empty one ends within its head.
            answer.truncate(answer.len() - answer.len() / 4);
            answer
        }
        Some(Trouble::TooSlow) => {
            let answer = land()?;
            thread::sleep(SLOW);
            answer
        }
        Some(Trouble::Garbage) => {
            land()?;
            answer("200 OK", "application/octet-stream", "\u{0}<]{ \"of something else")
        }
        Some(Trouble::Failed) => {
            land()?;
            refusal(&request, "InternalFailure", "500 Internal Server Error")
        }
    };
    stream.write_all(&answered)
}
