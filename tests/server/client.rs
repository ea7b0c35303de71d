//! A client of HTTP/1.1 that shows every byte: requests, answers, and streams of events.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// Longest time that an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of a refusal.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A header, if there is one.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// A request on its way.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub headers: Vec<(&'a str, String)>,
    pub body: Vec<u8>,
}

impl<'a> Request<'a> {
    pub fn new(method: &'a str, path: &'a str) -> Self {
        Self { method, path, headers: Vec::new(), body: Vec::new() }
    }

    pub fn with(mut self, name: &'a str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.with("Content-Type", "application/json")
    }

    /// Sends it to an address; gives what comes back after the request was written.
    fn sent(&self, address: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(address).expect("the daemon listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
        let mut head = format!("{} {} HTTP/1.1\r\nConnection: close\r\n", self.method, self.path);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("Host: {address}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", self.body.len()));
        // A daemon that has refused the head may hang up before the body is through.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&self.body));
        BufReader::new(stream)
    }

    /// Sends it and reads the whole answer.
    pub fn ask(&self, address: &str) -> Answer {
        let mut reader = self.sent(address);
        let (status, head, chunked) = head_of(&mut reader);
        let mut body = Vec::new();
        if chunked {
            while let Some(chunk) = chunk_of(&mut reader) {
                body.extend(chunk);
            }
        } else {
            let _ = reader.read_to_end(&mut body);
        }
        Answer { status, head, body: String::from_utf8_lossy(&body).into_owned() }
    }

    /// Sends it and leaves the answer to the caller, head and all.
    pub fn stream(&self, address: &str) -> impl Read + Send + use<> {
        self.sent(address)
    }

    /// Sends it and reads events as they come.
    pub fn follow(&self, address: &str) -> Events {
        let mut reader = self.sent(address);
        let (status, head, chunked) = head_of(&mut reader);
        assert!(status == 200 && chunked, "{head}");
        Events { reader, text: String::new() }
    }
}

fn head_of(reader: &mut BufReader<TcpStream>) -> (u16, String, bool) {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        let read = reader.read_line(&mut line).expect("an answer in time");
        if read == 0 || line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    (status.unwrap_or_else(|| panic!("no answer: {head:?}")), head, chunked)
}

/// The next chunk; `None` at the end, in order or torn.
fn chunk_of(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let size = usize::from_str_radix(line.trim(), 16).ok().filter(|&size| size > 0)?;
    let mut chunk = vec![0; size + 2];
    reader.read_exact(&mut chunk).ok()?;
    chunk.truncate(size);
    Some(chunk)
}

/// A stream of events.
pub struct Events {
    reader: BufReader<TcpStream>,
    text: String,
}

impl Iterator for Events {
    type Item = (String, Value);

    /// The next event, comments left out; `None` when the stream is over.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(at) = self.text.find("\n\n") {
                let event: String = self.text.drain(..at + 2).collect();
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                if let (Some(kind), Some(data)) = (field("event: "), field("data: ")) {
                    return Some((kind.to_owned(), serde_json::from_str(data).expect("events are JSON")));
                }
                continue;
            }
            self.text.push_str(std::str::from_utf8(&chunk_of(&mut self.reader)?).expect("events are text"));
        }
    }
}
