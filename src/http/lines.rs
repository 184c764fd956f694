//! Answers that have a line each: gathered into one body, or sent as they come.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt;
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::mpsc;

use super::answer::{Content, Piece};
use super::error::Failure;
use super::inference::Ticket;
use super::work::SharedWork;

/// Parts of a stream that may wait for the client to take them.
const PARTS_AHEAD: usize = 4;

/// Between a stream's last line and its break: actix closes the connection then without writing what still waits.
const LAST_LINE: Duration = Duration::from_millis(100);

/// How lines are to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// As one body without a line end at the end.
    Whole,
    /// As one body, in which every item may be an error: a batch transform job joins the lines to its input's.
    Batch,
    /// As they come, each with its line end: Accept named JSON Lines.
    Stream,
}

/// The body of an answer.
pub(super) enum Body {
    Whole(Vec<u8>),
    Stream(Pin<Box<dyn Stream<Item = Result<Bytes, Broken>>>>),
}

/// A stream that broke off: the connection is closed without the end that tells a whole one.
#[derive(Debug, thiserror::Error)]
#[error("the stream broke off")]
pub(super) struct Broken;

/// Takes pieces until there is an answer to give: at the first one for a stream, else at the end, or when more bytes wait
/// than a body may have. A request none of whose items has an answer fails as its first does, but for a batch's.
pub(super) async fn deliver(
    ticket: &Arc<Ticket>,
    work: &SharedWork,
    pieces: impl Stream<Item = Result<Piece, Failure>> + 'static,
    delivery: Delivery,
) -> Result<Body, Failure> {
    let mut pieces = Box::pin(pieces);
    let (mut lines, mut answered, mut failed) = (Lines::new(delivery), 0, None);
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        answered += piece.answered();
        failed = failed.or(lines.add(piece)?);
        let begins = delivery == Delivery::Stream && answered > 0;
        if begins || lines.text.len() > ticket.shared.config.max_body {
            return Ok(Body::Stream(send(Arc::clone(ticket), work.clone(), lines, pieces)));
        }
    }
    match failed {
        Some(failure) if answered == 0 && delivery != Delivery::Batch => Err(failure),
        Some(_) | None => Ok(Body::Whole(lines.text)),
    }
}

/// Lines that wait to be sent.
struct Lines {
    text: Vec<u8>,
    delivery: Delivery,
    any: bool,
}

impl Lines {
    fn new(delivery: Delivery) -> Self {
        Self { text: Vec::new(), delivery, any: false }
    }

    /// Adds a group's lines; answers with the first of its failures.
    fn add(&mut self, piece: Piece) -> Result<Option<Failure>, Failure> {
        let Content::Lines(text) = piece.content else { return Err(Failure::Internal) };
        self.add_text(text);
        Ok(piece.failed)
    }

    fn add_text(&mut self, text: Vec<u8>) {
        match self.delivery {
            Delivery::Stream => {
                self.text.extend_from_slice(&text);
                self.text.push(b'\n');
            }
            Delivery::Whole | Delivery::Batch if self.any => {
                self.text.push(b'\n');
                self.text.extend_from_slice(&text);
            }
            Delivery::Whole | Delivery::Batch => self.text = text,
        }
        self.any = true;
    }

    fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.text).into()
    }
}

type Pieces = Pin<Box<dyn Stream<Item = Result<Piece, Failure>>>>;

/// Sends what there is and what comes, on a task of its own: a client that does not take it must not keep the request
/// alive, and one that is gone ends it.
fn send(
    ticket: Arc<Ticket>,
    work: SharedWork,
    mut lines: Lines,
    mut pieces: Pieces,
) -> Pin<Box<dyn Stream<Item = Result<Bytes, Broken>>>> {
    let (sender, mut receiver) = mpsc::channel(PARTS_AHEAD);
    let client = Client { sender, patience: ticket.shared.config.client_timeout };
    rt::spawn(async move {
        loop {
            if !client.takes(Ok(lines.take())).await {
                return;
            }
            let next = ticket.shared.before_cut(async { pieces.next().await.transpose() }).await;
            let added = match next {
                Ok(None) => return,
                Ok(Some(piece)) => lines.add(piece).map(drop),
                Err(failure) => Err(failure),
            };
            if let Err(failure) = added {
                work.borrow_mut().broken = Some(failure.status_and_code().1);
                lines.add_text(failure.line().into_bytes());
                if client.takes(Ok(lines.take())).await {
                    tokio::time::sleep(LAST_LINE).await;
                    client.takes(Err(Broken)).await;
                }
                return;
            }
        }
    });
    Box::pin(stream::poll_fn(move |context| receiver.poll_recv(context)))
}

struct Client {
    sender: mpsc::Sender<Result<Bytes, Broken>>,
    patience: Duration,
}

impl Client {
    /// Whether the client took it; one that is gone, or has not read for so long, does not.
    async fn takes(&self, part: Result<Bytes, Broken>) -> bool {
        matches!(tokio::time::timeout(self.patience, self.sender.send(part)).await, Ok(Ok(())))
    }
}
