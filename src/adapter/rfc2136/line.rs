//! One connection to a primary server: what is asked is signed, and what is answered is believed if it is.
//!
//! Over TCP: no answer is too long for it, and nobody but the server can answer.

use super::key::{Key, Signed};
use hickory_proto::op::{Message, MessageType};
use hickory_proto::rr::TSigVerifier;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// On the wall clock: to connect, and for the answers to what is asked at once.
const CONNECT: Duration = Duration::from_secs(3);
const ANSWERS: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It was not sent.
    Unsent(String),
    /// It may have been read, and no answer came that can be believed.
    Silent(String),
    /// The server does not take the key.
    Key(String),
}

/// A connection.
pub(super) struct Line<'k> {
    stream: TcpStream,
    key: &'k Key,
}

/// A message that is not answered yet.
struct Open {
    id: u16,
    verifier: TSigVerifier,
    answer: Option<Message>,
}

impl<'k> Line<'k> {
    pub(super) async fn open(server: SocketAddr, key: &'k Key) -> Result<Self, Trouble> {
        let late = |_| Trouble::Unsent(format!("no connection within {} s", CONNECT.as_secs()));
        let stream = timeout(CONNECT, TcpStream::connect(server)).await.map_err(late)?;
        let stream = stream.map_err(|error| Trouble::Unsent(format!("no connection: {error}")))?;
        // What is asked is written whole; nothing is gained by waiting for more.
        let _ = stream.set_nodelay(true);
        Ok(Self { stream, key })
    }

    /// Sends one message.
    pub(super) async fn ask(&mut self, message: Message, signed: Signed) -> Result<Message, Trouble> {
        let mut answers = self.ask_all(vec![message], signed).await?;
        answers.pop().ok_or_else(|| Trouble::Silent("it did not answer".into()))
    }

    /// Sends messages at once; their answers in the same order.
    pub(super) async fn ask_all(
        &mut self,
        messages: Vec<Message>,
        signed: Signed,
    ) -> Result<Vec<Message>, Trouble> {
        let first = messages.first().map_or(0, |message| message.metadata.id);
        let (mut bytes, mut open) = (Vec::new(), Vec::new());
        for (place, mut message) in (0..).zip(messages) {
            message.metadata.id = first.wrapping_add(place);
            let verifier = self.key.sign(&mut message, signed)?;
            let unsent = |error: String| Trouble::Unsent(format!("it cannot be sent: {error}"));
            let wire = message.to_vec().map_err(|error| unsent(error.to_string()))?;
            let length = u16::try_from(wire.len()).map_err(|_| unsent("it is longer than 64 KiB".into()))?;
            bytes.extend(length.to_be_bytes());
            bytes.extend(wire);
            open.push(Open { id: message.metadata.id, verifier, answer: None });
        }
        let late = |_| Trouble::Silent(format!("no answer within {} s", ANSWERS.as_secs()));
        timeout(ANSWERS, self.converse(&bytes, &mut open, signed)).await.map_err(late)??;
        Ok(open.into_iter().filter_map(|open| open.answer).collect())
    }

    async fn converse(&mut self, bytes: &[u8], open: &mut [Open], signed: Signed) -> Result<(), Trouble> {
        let broken = |error: std::io::Error| Trouble::Silent(format!("the connection broke: {error}"));
        self.stream.write_all(bytes).await.map_err(broken)?;
        for _ in 0..open.len() {
            let mut wire = vec![0; usize::from(self.stream.read_u16().await.map_err(broken)?)];
            self.stream.read_exact(&mut wire).await.map_err(broken)?;
            let id = wire.first_chunk::<2>().map(|id| u16::from_be_bytes(*id));
            let asked = open.iter_mut().find(|open| Some(open.id) == id && open.answer.is_none());
            let stray = || Trouble::Silent("it answers what nobody asked".into());
            let asked = asked.ok_or_else(stray)?;
            let answer = self.key.believe(&wire, &mut asked.verifier, signed)?;
            if answer.metadata.message_type != MessageType::Response {
                return Err(stray());
            }
            asked.answer = Some(answer);
        }
        Ok(())
    }
}
