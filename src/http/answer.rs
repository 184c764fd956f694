//! Items to answers: each group on one inference thread, the groups of a request spread over all of them, in order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt as _, stream};

use crate::bundle::BadRecords;
use crate::predict::request::{Decoded, Envelope, Group};
use crate::predict::response::{self, Format, LineFormat};
use crate::predict::{Answer, Answered, PredictError, Request, Response};

use super::admission::Room;
use super::error::Failure;
use super::inference::{self, Done, Thread, Ticket};
use super::source::Source;
use super::work::{SharedWork, Stages, Tally};

/// What is wanted of a group.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    /// A line for each item, of a bad one too, if the bundle wants that.
    Lines(LineFormat, BadRecords),
    /// The answers; a bad item fails the request.
    Answers,
}

/// What a group came to.
pub(super) struct Piece {
    pub(super) content: Content,
    /// The first item that has an error in the place of an answer.
    pub(super) failed: Option<Failure>,
    stages: Stages,
    tally: Tally,
}

pub(super) enum Content {
    /// Lines with line ends between them, and none at the end.
    Lines(Vec<u8>),
    Answers(Vec<Answer>),
}

/// What reading a whole body came to.
pub(super) enum Whole {
    /// The few items it has were answered on the same thread.
    Answered(Response),
    /// To be spread; with the room that the body took.
    Many(Decoded, Option<Room>),
}

impl Piece {
    /// Items that have an answer.
    pub(super) fn answered(&self) -> u64 {
        self.tally.answered
    }
}

/// The answer to a whole body as one JSON document.
pub(super) async fn document(ticket: &Arc<Ticket>, work: &SharedWork, request: Request) -> Result<Response, Failure> {
    let threads = ticket.shared.config.threads;
    match whole(ticket, work, request, None, Format::Json).await? {
        Whole::Answered(response) => Ok(response),
        Whole::Many(Decoded { items, envelope }, room) => {
            gather(ticket, work, Source::items(items, room, threads), envelope, Format::Json).await
        }
    }
}

/// All answers of `source` in one document.
pub(super) async fn gather(
    ticket: &Arc<Ticket>,
    work: &SharedWork,
    mut source: Source,
    envelope: Envelope,
    format: Format,
) -> Result<Response, Failure> {
    if let Some((group, room)) = source.only(ticket.hosted.group_size()).await? {
        source.note(&mut work.borrow_mut());
        return document_of(ticket, work, group, room, envelope, format).await;
    }
    let mut pieces = Box::pin(spread(Arc::clone(ticket), work.clone(), source, Wanted::Answers));
    let mut answers = Vec::new();
    while let Some(piece) = pieces.next().await {
        let Content::Answers(some) = piece?.content else { return Err(Failure::Internal) };
        answers.extend(some);
    }
    encode(ticket, work, answers, envelope, format).await
}

/// Answers a group that is all there is, and writes the document, on one thread.
async fn document_of(
    ticket: &Arc<Ticket>,
    work: &SharedWork,
    group: Group,
    room: Option<Room>,
    envelope: Envelope,
    format: Format,
) -> Result<Response, Failure> {
    let job = move |thread: &mut Thread<'_>| {
        let _held_until_done = room;
        write_document(thread, group, &envelope, format)
    };
    let Done { result, queued } = inference::run(ticket, job).await?;
    let (response, stages, tally) = noted(result, queued, work)?;
    work.borrow_mut().add(queued, stages, tally);
    Ok(response)
}

/// A group's answers as a document, with what they cost.
fn write_document(
    thread: &mut Thread<'_>,
    group: Group,
    envelope: &Envelope,
    format: Format,
) -> Result<(Response, Stages, Tally), Failure> {
    let piece = answer_group(thread, group, Wanted::Answers)?;
    let Content::Answers(answers) = piece.content else { return Err(Failure::Internal) };
    let begun = Instant::now();
    let response = response::encode(&answers, envelope, format)?;
    Ok((response, Stages { encode: begun.elapsed(), ..piece.stages }, piece.tally))
}

/// A job that failed has waited, too.
fn noted<T>(result: Result<T, Failure>, queued: Duration, work: &SharedWork) -> Result<T, Failure> {
    result.inspect_err(|_| work.borrow_mut().add(queued, Stages::default(), Tally::default()))
}

/// Reads a body, which takes `room`, on an inference thread, and answers it there if there are no more items than a
/// thread takes at a time.
pub(super) async fn whole(
    ticket: &Arc<Ticket>,
    work: &SharedWork,
    request: Request,
    room: Option<Room>,
    format: Format,
) -> Result<Whole, Failure> {
    let job = move |thread: &mut Thread<'_>| {
        let begun = Instant::now();
        let Decoded { items, envelope } = thread.hosted.model.engine.read(&request)?;
        let stages = Stages { decode: begun.elapsed(), ..Stages::default() };
        // The items hold what they need of it.
        drop(request);
        if response::line_format(format, &envelope).is_some() || items.len() > thread.hosted.group_size() {
            return Ok((Whole::Many(Decoded { items, envelope }, room), stages, Tally::default()));
        }
        let (response, answered, tally) = write_document(thread, Group::of(0, items), &envelope, format)?;
        drop(room);
        let decode = stages.decode + answered.decode;
        Ok((Whole::Answered(response), Stages { decode, ..answered }, tally))
    };
    let Done { result, queued } = inference::run(ticket, job).await?;
    let (whole, stages, tally) = noted(result, queued, work)?;
    work.borrow_mut().add(queued, stages, tally);
    Ok(whole)
}

/// Groups of `source` in order, one at work on each inference thread and one that waits for it. Dropped, it begins no more
/// of them.
pub(super) fn spread(
    ticket: Arc<Ticket>,
    work: SharedWork,
    source: Source,
    wanted: Wanted,
) -> impl Stream<Item = Result<Piece, Failure>> {
    let under_way = ticket.shared.config.groups_under_way();
    let (hosted, received) = (Arc::clone(&ticket.hosted), work.clone());
    let groups = stream::try_unfold(source, move |mut source| {
        let (most, received) = (hosted.group_size(), received.clone());
        async move {
            let next = source.next(most).await;
            source.note(&mut received.borrow_mut());
            Ok::<_, Failure>(next?.map(|group| (group, source)))
        }
    });
    let answered = groups.map(move |group| {
        let (ticket, work) = (Arc::clone(&ticket), work.clone());
        async move {
            let (group, room) = group?;
            let job = move |thread: &mut Thread<'_>| {
                let _held_until_done = room;
                answer_group(thread, group, wanted)
            };
            let Done { result, queued } = inference::run(&ticket, job).await?;
            let mut piece = noted(result, queued, &work)?;
            work.borrow_mut().add(queued, piece.stages, piece.take_tally());
            Ok(piece)
        }
    });
    answered.buffered(under_way)
}

/// Writes the answers of a document on an inference thread.
async fn encode(
    ticket: &Arc<Ticket>,
    work: &SharedWork,
    answers: Vec<Answer>,
    envelope: Envelope,
    format: Format,
) -> Result<Response, Failure> {
    let job = move |_: &mut Thread<'_>| {
        let begun = Instant::now();
        let response = response::encode(&answers, &envelope, format)?;
        Ok((response, Stages { encode: begun.elapsed(), ..Stages::default() }))
    };
    let Done { result, queued } = inference::run(ticket, job).await?;
    let (response, stages) = result?;
    work.borrow_mut().add(queued, stages, Tally::default());
    Ok(response)
}

impl Piece {
    /// What is not needed again but for how many have an answer.
    fn take_tally(&mut self) -> Tally {
        let answered = self.tally.answered;
        std::mem::replace(&mut self.tally, Tally { answered, ..Tally::default() })
    }
}

/// One group's work on its thread.
fn answer_group(thread: &mut Thread<'_>, group: Group, wanted: Wanted) -> Result<Piece, Failure> {
    let begun = Instant::now();
    let Answered { answers, images } = thread.answer(group);
    let run = begun.elapsed().saturating_sub(images.decoding);
    let mut tally = Tally { megapixels: images.megapixels, ..Tally::default() };
    let begun = Instant::now();
    let (content, failed) = match wanted {
        Wanted::Lines(format, bad) => write_lines(answers, format, bad, &mut tally)?,
        Wanted::Answers => (Content::Answers(all(answers, &mut tally)?), None),
    };
    let stages = Stages { decode: images.decoding, run, encode: begun.elapsed(), ..Stages::default() };
    Ok(Piece { content, failed, stages, tally })
}

fn all(answers: Vec<Result<Answer, PredictError>>, tally: &mut Tally) -> Result<Vec<Answer>, Failure> {
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    answers.iter().for_each(|answer| count(answer, tally));
    Ok(answers)
}

fn write_lines(
    answers: Vec<Result<Answer, PredictError>>,
    format: LineFormat,
    bad: BadRecords,
    tally: &mut Tally,
) -> Result<(Content, Option<Failure>), Failure> {
    let (mut text, mut failed) = (Vec::new(), None);
    for (place, answer) in answers.into_iter().enumerate() {
        if place > 0 {
            text.push(b'\n');
        }
        match answer {
            Ok(answer) => {
                format.write(&mut text, &answer)?;
                count(&answer, tally);
            }
            Err(error) if bad == BadRecords::Fail || matches!(error, PredictError::Abandoned) => {
                return Err(error.into());
            }
            Err(error) => {
                let failure = Failure::Predict(error);
                format.write_document(&mut text, &failure.line());
                tally.failed += 1;
                failed.get_or_insert(failure);
            }
        }
    }
    Ok((Content::Lines(text), failed))
}

fn count(answer: &Answer, tally: &mut Tally) {
    tally.answered += 1;
    for class in answer.classes() {
        // Few classes, many items: a name is copied once.
        match tally.classes.get_mut(class) {
            Some(count) => *count += 1,
            None => drop(tally.classes.insert(class.to_owned(), 1)),
        }
    }
}
