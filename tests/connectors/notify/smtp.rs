//! A mail server that speaks SMTP on loopback and keeps every byte that it was given.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::tls;

/// How a server behaves.
#[derive(Clone, Default)]
pub(crate) struct Manner {
    /// Answers to recipients that it does not take.
    pub(crate) refuses: HashMap<String, &'static str>,
    /// What it answers to a sender, if that is no welcome.
    pub(crate) sender: Option<&'static str>,
    /// What it does after a message.
    pub(crate) end: End,
    /// When it encrypts.
    pub(crate) tls: Tls,
    /// The only user whom it knows, with the password; without one it offers no AUTH.
    pub(crate) user: Option<(String, String)>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// It takes the message and says so.
    #[default]
    Takes,
    /// It says this instead.
    Says(&'static str),
    /// It takes the message, and the connection ends before it says so.
    Closes,
    /// It takes the message and never says a word again.
    Hangs,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tls {
    #[default]
    None,
    Starttls,
    Implicit,
}

/// A message as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// The bytes on the line, up to and without the lone dot, dots still doubled.
    pub(crate) line: Vec<u8>,
    /// The message.
    pub(crate) message: Vec<u8>,
    pub(crate) encrypted: bool,
    pub(crate) user: Option<String>,
}

impl Received {
    /// The value of a header, unfolded.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> String {
        let text = String::from_utf8(self.message.clone()).expect("headers are ASCII");
        let head = text.split_once("\r\n\r\n").expect("an empty line ends the headers").0;
        let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let mut values = head.lines().filter_map(|line| line.strip_prefix(&format!("{name}: ")));
        let value = values.next().unwrap_or_else(|| panic!("no {name} in {head}")).to_owned();
        assert_eq!(values.next(), None, "{name} twice");
        value
    }

    pub(crate) fn body(&self) -> &[u8] {
        let at = self.message.windows(4).position(|four| four == b"\r\n\r\n").expect("an empty line ends the headers");
        &self.message[at + 4..]
    }
}

#[derive(Default)]
struct Kept {
    received: Vec<Received>,
    commands: Vec<String>,
}

pub(crate) struct SmtpServer {
    port: u16,
    kept: Arc<Mutex<Kept>>,
    manner: Arc<Mutex<Manner>>,
    took: Arc<Notify>,
}

impl SmtpServer {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            kept: Arc::default(),
            manner: Arc::new(Mutex::new(manner)),
            took: Arc::default(),
        };
        let (kept, manner, took) = (Arc::clone(&server.kept), Arc::clone(&server.manner), Arc::clone(&server.took));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let manner = manner.lock().unwrap().clone();
                let (kept, took) = (Arc::clone(&kept), Arc::clone(&took));
                tokio::spawn(async move {
                    // A client that goes away ends the conversation, no more.
                    let _ = Conversation { manner, kept, took }.hold(stream).await;
                });
            }
        });
        server
    }

    /// The server as an action's input.
    pub(crate) fn input(&self) -> Value {
        json!({ "host": "127.0.0.1", "port": self.port, "tls": "none" })
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.kept.lock().unwrap().received.clone()
    }

    /// Every line that clients said outside of messages.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.kept.lock().unwrap().commands.clone()
    }

    /// Waits for the end of a message.
    pub(crate) async fn takes(&self) {
        self.took.notified().await;
    }
}

struct Conversation {
    manner: Manner,
    kept: Arc<Mutex<Kept>>,
    took: Arc<Notify>,
}

impl Conversation {
    async fn hold(self, stream: TcpStream) -> std::io::Result<()> {
        if self.manner.tls == Tls::Implicit {
            let stream = tls::acceptor().accept(stream).await?;
            self.talk(BufReader::new(stream), true, true).await?;
            return Ok(());
        }
        let plain = self.talk(BufReader::new(stream), false, true).await?;
        if let Some(plain) = plain {
            let stream = tls::acceptor().accept(plain.into_inner()).await?;
            self.talk(BufReader::new(stream), true, false).await?;
        }
        Ok(())
    }

    /// Talks until the client leaves; returns the stream if it asked for TLS.
    async fn talk<S>(
        &self,
        mut stream: BufReader<S>,
        encrypted: bool,
        greets: bool,
    ) -> std::io::Result<Option<BufReader<S>>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if greets {
            say(&mut stream, "220 mail.example ESMTP").await?;
        }
        let (mut from, mut to, mut user) = (String::new(), Vec::new(), None);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(None);
            }
            let line = line.trim_end_matches("\r\n").to_owned();
            self.kept.lock().unwrap().commands.push(line.clone());
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match word {
                "EHLO" => {
                    let mut offers = vec!["mail.example", "8BITMIME", "SMTPUTF8"];
                    if self.manner.tls == Tls::Starttls && !encrypted {
                        offers.push("STARTTLS");
                    }
                    if self.manner.user.is_some() {
                        offers.push("AUTH PLAIN");
                    }
                    let last = offers.len() - 1;
                    let lines = offers
                        .iter()
                        .enumerate()
                        .map(|(ix, offer)| format!("250{}{offer}", if ix == last { ' ' } else { '-' }));
                    say(&mut stream, &lines.collect::<Vec<_>>().join("\r\n")).await?;
                }
                "STARTTLS" => {
                    say(&mut stream, "220 go on").await?;
                    return Ok(Some(stream));
                }
                "AUTH" => {
                    let (known, password) = self.manner.user.clone().unwrap();
                    let right = tls::base64(format!("\0{known}\0{password}").as_bytes());
                    if rest == format!("PLAIN {right}") {
                        user = Some(known);
                        say(&mut stream, "235 welcome").await?;
                    } else {
                        // As rude as servers are: it repeats what it was told.
                        say(&mut stream, &format!("535 5.7.8 not you: {line}")).await?;
                    }
                }
                "MAIL" => {
                    from = rest.to_owned();
                    say(&mut stream, self.manner.sender.unwrap_or("250 2.1.0 ok")).await?;
                }
                "RCPT" => {
                    let address = rest.trim_start_matches("TO:<").trim_end_matches('>').to_owned();
                    say(&mut stream, self.manner.refuses.get(&address).unwrap_or(&"250 2.1.5 ok")).await?;
                    to.push(address);
                }
                "DATA" => {
                    say(&mut stream, "354 end with a dot").await?;
                    let line = data(&mut stream).await?;
                    let refused = matches!(self.manner.end, End::Says(_));
                    if !refused {
                        let (from, to, user) = (std::mem::take(&mut from), std::mem::take(&mut to), user.clone());
                        let message = unstuffed(&line);
                        let received = Received { from, to, line, message, encrypted, user };
                        self.kept.lock().unwrap().received.push(received);
                    }
                    self.took.notify_one();
                    match self.manner.end {
                        End::Takes => say(&mut stream, "250 2.0.0 queued as 4711").await?,
                        End::Says(words) => say(&mut stream, words).await?,
                        End::Closes => return Ok(None),
                        End::Hangs => std::future::pending().await,
                    }
                }
                "QUIT" => {
                    say(&mut stream, "221 bye").await?;
                    return Ok(None);
                }
                _ => say(&mut stream, "502 what?").await?,
            }
        }
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, words: &str) -> std::io::Result<()> {
    stream.write_all(format!("{words}\r\n").as_bytes()).await?;
    stream.flush().await
}

/// Reads up to the lone dot, which is not part of it.
async fn data<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let from = all.len();
        if stream.read_until(b'\n', &mut all).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        assert!(all.ends_with(b"\r\n"), "a line that does not end as SMTP says");
        assert!(all.len() - from <= 1_000, "a line longer than SMTP allows");
        if &all[from..] == b".\r\n" {
            all.truncate(from);
            return Ok(all);
        }
    }
}

/// Takes the second dot off lines that begin with one.
fn unstuffed(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in line.split_inclusive(|&byte| byte == b'\n') {
        out.extend_from_slice(piece.strip_prefix(b".").unwrap_or(piece));
    }
    out
}
