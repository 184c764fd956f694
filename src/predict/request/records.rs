//! A body of records, cut into groups of them while it arrives. Memory holds what has arrived and is not yet taken, so
//! that a body may be longer than memory; only one record must fit.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::{memchr, memchr3};

use super::group::{Content, Group, Record};
use super::{Decoded, Envelope, Reads, csv, malformed, record_io};
use crate::bundle::Limits;
use crate::predict::PredictError;

/// A group is no longer than this, in bytes, unless a single record is.
const GROUP_BYTES: usize = 256 << 10;

/// What tells one record from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    JsonLines,
    Csv,
    RecordIo,
}

/// What a body of records may be.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Longest record in bytes.
    pub record_bytes: usize,
    /// Most records; `None` in a batch transform job, which is as long as it is.
    pub records: Option<usize>,
    /// Whether a blank line is a record too, as in a batch transform job, which joins the lines of its answers to those
    /// of its input; elsewhere blank lines are passed over. A job cuts its input into requests, so that in it a CSV
    /// header reaches only one of them: there it is a record as well, and a bad one.
    pub every_line: bool,
}

/// Cuts a body into groups of records.
#[derive(Debug)]
pub struct Records {
    framing: Framing,
    terms: Terms,
    buffer: BytesMut,
    scan: Scan,
    header: Header,
    /// Cut ahead of the groups, and their length in bytes.
    ready: VecDeque<Record>,
    ready_bytes: usize,
    /// Records in groups so far.
    count: usize,
    /// Lines, or framed records, cut so far, blank ones too.
    lines: usize,
    ended: bool,
}

/// How far the search for the present record's end has come.
#[derive(Debug, Clone, Copy, Default)]
struct Scan {
    at: usize,
    quoted: bool,
    /// Where quotes were closed last.
    closed: Option<usize>,
}

/// What is known of a CSV body's first line.
#[derive(Debug, Clone)]
pub(super) enum Header {
    Unread,
    Absent,
    Names(csv::Names),
    /// A record, and a bad one.
    Refused,
}

impl Records {
    pub(super) fn new(framing: Framing, terms: Terms) -> Self {
        let (buffer, scan, header) = (BytesMut::new(), Scan::default(), Header::Unread);
        let (ready, ready_bytes) = (VecDeque::new(), 0);
        Self { framing, terms, buffer, scan, header, ready, ready_bytes, count: 0, lines: 0, ended: false }
    }

    /// Whether no Accept header means lines: CSV in is JSON out where nothing else was asked for.
    pub fn envelope(&self) -> Envelope {
        match self.framing {
            Framing::JsonLines | Framing::RecordIo => Envelope::Lines,
            Framing::Csv => Envelope::Predictions,
        }
    }

    /// Takes at most so many records, whatever was said before.
    pub fn bound(&mut self, most: usize) {
        self.terms.records = Some(self.terms.records.map_or(most, |records| records.min(most)));
    }

    /// The next part of the body.
    pub fn push(&mut self, part: &[u8]) {
        self.buffer.extend_from_slice(part);
    }

    /// The body is whole.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Bytes that have arrived and are in no group yet.
    pub fn waiting(&self) -> usize {
        self.buffer.len() + self.ready_bytes
    }

    /// Cuts what is there, as far as records are bounded: too many of them are refused before one is answered.
    ///
    /// # Errors
    /// As [`Records::next_group`].
    pub fn cut_ahead(&mut self) -> Result<(), PredictError> {
        let Some(limit) = self.terms.records else { return Ok(()) };
        while self.ready.len() <= limit {
            let Some(record) = self.cut()? else { return Ok(()) };
            self.ready_bytes += record.text.len();
            self.ready.push_back(record);
        }
        self.count += self.ready.len();
        self.check_count()
    }

    /// How many records are left, once all of them were cut ahead.
    pub fn left(&self) -> Option<usize> {
        (self.ended && self.buffer.is_empty()).then_some(self.ready.len())
    }

    /// At most `most` records of those that are there; `None` when more must arrive first, or the body is at its end.
    ///
    /// # Errors
    /// A record is too long, there are too many, the framing is broken: the request fails as a whole.
    pub fn next_group(&mut self, most: usize) -> Result<Option<Group>, PredictError> {
        let first = self.count;
        let (mut records, mut bytes) = (Vec::new(), 0);
        while records.len() < most && bytes < GROUP_BYTES {
            let Some(record) = self.next_record()? else { break };
            bytes += record.text.len();
            self.count += 1;
            records.push(record);
        }
        self.check_count()?;
        if records.is_empty() {
            return Ok(None);
        }
        let (count, framing, header) = (records.len(), self.framing, self.header.clone());
        Ok(Some(Group { first, count, content: Content::Text { framing, records, header } }))
    }

    /// A body without a single record is none.
    ///
    /// # Errors
    /// As [`PredictError::EmptyBody`] or, for CSV of blank lines, as malformed.
    pub fn check_some(&self) -> Result<(), PredictError> {
        match self.framing {
            _ if self.count > 0 => Ok(()),
            Framing::Csv if self.lines > 0 => Err(malformed("CSV", "no rows")),
            Framing::JsonLines | Framing::Csv | Framing::RecordIo => Err(PredictError::EmptyBody),
        }
    }

    fn next_record(&mut self) -> Result<Option<Record>, PredictError> {
        match self.ready.pop_front() {
            Some(record) => {
                self.ready_bytes -= record.text.len();
                Ok(Some(record))
            }
            None => self.cut(),
        }
    }

    fn cut(&mut self) -> Result<Option<Record>, PredictError> {
        while let Some(length) = self.record_end()? {
            let text = self.buffer.split_to(length).freeze();
            self.scan = Scan::default();
            self.lines += 1;
            if !self.is_passed_over(&text)? {
                return Ok(Some(Record { text, line: self.lines }));
            }
        }
        Ok(None)
    }

    /// Whether a line is none of the records: a blank one, a header.
    fn is_passed_over(&mut self, line: &[u8]) -> Result<bool, PredictError> {
        match self.framing {
            Framing::RecordIo => Ok(false),
            _ if !self.terms.every_line && line.trim_ascii().is_empty() => Ok(true),
            Framing::JsonLines => Ok(false),
            Framing::Csv => self.takes_as_header(line),
        }
    }

    /// Whether `record` is the header, which is no record then.
    fn takes_as_header(&mut self, record: &[u8]) -> Result<bool, PredictError> {
        if !matches!(self.header, Header::Unread) {
            return Ok(false);
        }
        self.header = Header::Absent;
        match csv::Lines::new().header(record) {
            Ok(Some(_)) if self.terms.every_line => self.header = Header::Refused,
            Ok(Some(names)) => self.header = Header::Names(names),
            Ok(None) => {}
            // In a job it is a bad record as any other.
            Err(_) if self.terms.every_line => {}
            Err(error) => return Err(error),
        }
        Ok(matches!(self.header, Header::Names(_)))
    }

    /// Length of the first record, its line end included; `None` while its end is not there.
    fn record_end(&mut self) -> Result<Option<usize>, PredictError> {
        if self.buffer.is_empty() {
            return Ok(None);
        }
        let end = match self.framing {
            Framing::JsonLines => self.line_end(),
            Framing::Csv => self.csv_end(),
            Framing::RecordIo => self.frame_end()?,
        };
        let end = end.or_else(|| self.ended.then_some(self.buffer.len()));
        if end.unwrap_or(self.buffer.len()) > self.terms.record_bytes {
            let place = self.count + self.ready.len();
            let reason = format!("record {place} is longer than {} bytes", self.terms.record_bytes);
            return Err(malformed(self.name(), reason));
        }
        Ok(end)
    }

    /// Single records come without their framing; once it is there, all are framed.
    fn frame_end(&mut self) -> Result<Option<usize>, PredictError> {
        if self.lines == 0 && (self.buffer.len() < 4 && !self.ended || !record_io::is_framed(&self.buffer)) {
            return Ok(None);
        }
        match record_io::length(&self.buffer, &mut self.scan.at, self.ended)? {
            None if self.ended => Err(malformed("RecordIO", format!("record {} does not end", self.lines))),
            end => Ok(end),
        }
    }

    fn line_end(&mut self) -> Option<usize> {
        let end = memchr(b'\n', &self.buffer[self.scan.at..]).map(|place| self.scan.at + place + 1);
        self.scan.at = self.buffer.len();
        end
    }

    /// As [`Records::line_end`], but for line ends within quotes; a carriage return alone ends a line too.
    fn csv_end(&mut self) -> Option<usize> {
        if self.lines == 0 && csv::without_mark(&self.buffer).len() < self.buffer.len() {
            self.buffer.advance(self.buffer.len() - csv::without_mark(&self.buffer).len());
            self.scan = Scan::default();
        }
        // A job is cut at its line ends, whatever they stand in, and its answers are joined to it by them.
        if self.terms.every_line {
            return self.line_end();
        }
        while let Some(place) = memchr3(b'"', b'\n', b'\r', &self.buffer[self.scan.at..]) {
            let at = self.scan.at + place;
            match self.buffer[at] {
                b'"' if self.scan.quoted => (self.scan.quoted, self.scan.closed) = (false, Some(at)),
                // Quotes open at the beginning of a cell; two of them within quotes are one that is meant.
                b'"' => {
                    let doubled = at.checked_sub(1).is_some_and(|before| self.scan.closed == Some(before));
                    self.scan.quoted = at == 0 || self.buffer[at - 1] == b',' || doubled;
                }
                _ if self.scan.quoted => {}
                b'\r' if self.buffer.get(at + 1) == Some(&b'\n') => return Some(at + 2),
                // Whether a line feed follows is not known yet.
                b'\r' if at + 1 == self.buffer.len() && !self.ended => {
                    self.scan.at = at;
                    return None;
                }
                _ => return Some(at + 1),
            }
            self.scan.at = at + 1;
        }
        self.scan.at = self.buffer.len();
        None
    }

    /// What is there already is counted along, so that who sent it whole is told how many there are.
    fn check_count(&mut self) -> Result<(), PredictError> {
        let Some(limit) = self.terms.records.filter(|limit| self.count > *limit) else { return Ok(()) };
        while self.cut()?.is_some() {
            self.count += 1;
        }
        Err(PredictError::TooManyItems { found: self.count, limit })
    }

    fn name(&self) -> &'static str {
        match self.framing {
            Framing::JsonLines => "JSON",
            Framing::Csv => "CSV",
            Framing::RecordIo => "RecordIO",
        }
    }
}

/// All records of a body that is there whole.
pub(super) fn whole(framing: Framing, body: &Bytes, reads: Reads, limits: &Limits) -> Result<Decoded, PredictError> {
    let terms = Terms { record_bytes: usize::MAX, records: Some(limits.items()), every_line: false };
    let mut records = Records::new(framing, terms);
    records.push(body);
    records.end();
    let mut items = Vec::new();
    while let Some(group) = records.next_group(usize::MAX)? {
        items.extend(group.read(reads, limits));
    }
    records.check_some()?;
    Ok(Decoded { items, envelope: records.envelope() })
}
