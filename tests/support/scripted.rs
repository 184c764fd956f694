//! A service on loopback that gives the answers a test wrote down, one after the other, and remembers what was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// One answer. Where `body` is shorter than `len` says, the connection breaks off.
#[derive(Clone)]
pub(crate) struct Scripted {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) len: usize,
}

impl Scripted {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self { status, headers: Vec::new(), len: body.len(), body }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Sends only the first `sent` bytes.
    pub(crate) fn broken_after(mut self, sent: usize) -> Self {
        self.body.truncate(sent);
        self
    }

    fn send(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        write!(stream, "HTTP/1.1 {} scripted\r\nConnection: close\r\nContent-Length: {}\r\n", self.status, self.len)?;
        for (name, value) in &self.headers {
            write!(stream, "{name}: {value}\r\n")?;
        }
        stream.write_all(b"\r\n")?;
        stream.write_all(&self.body)
    }
}

/// A service that runs until the test process ends.
pub(crate) struct Service {
    pub(crate) endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Service {
    /// Gives `answers` in order, then the last one again and again.
    pub(crate) fn start(answers: Vec<Scripted>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            let last = answers.last().cloned().expect("an answer");
            let mut answers = answers.into_iter();
            for stream in listener.incoming().flatten() {
                let mut stream = stream;
                // A client that only connected asked nothing and uses no answer up.
                let Ok(Some(request)) = read_request(&stream) else { continue };
                seen.lock().expect("no panic").push(request);
                let _ = answers.next().unwrap_or_else(|| last.clone()).send(&mut stream);
            }
        });
        Self { endpoint, requests }
    }

    /// The heads of all requests, in lower case.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }
}

fn read_request(stream: &TcpStream) -> std::io::Result<Option<String>> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line)? {
            0 => return Ok(None),
            _ if line == "\r\n" => break,
            _ => head.push_str(&line.to_ascii_lowercase()),
        }
    }
    let len = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    std::io::copy(&mut reader.take(len), &mut std::io::sink())?;
    Ok(Some(head))
}
