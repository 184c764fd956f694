//! Some of a request's items, and how they are read out of their records on an inference thread.

use bytes::Bytes;

use super::records::{Framing, Header};
use super::{Item, ReadItem, Reads, csv, images, json, malformed, open_inference, record_io, rows};
use crate::bundle::Limits;
use crate::predict::PredictError;

/// Some of a request's items, answered together on one inference thread.
#[derive(Debug)]
pub struct Group {
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Items(Vec<ReadItem>),
    /// Whole records, not yet read.
    Text {
        framing: Framing,
        records: Vec<Record>,
        header: Header,
    },
}

/// A record as it came, with its line end or framing.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) text: Bytes,
    /// Its line in the body, from 1.
    pub(super) line: usize,
}

impl Group {
    /// Items that were read already, the first of which is the `first`th of its request.
    pub fn of(first: usize, items: Vec<ReadItem>) -> Self {
        Self { first, count: items.len(), content: Content::Items(items) }
    }

    /// Its first item's place in the request, from 0.
    pub fn first(&self) -> usize {
        self.first
    }

    /// How many items it has.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Its items, in order: of a bad record, why it is none.
    pub fn read(self, reads: Reads, limits: &Limits) -> Vec<ReadItem> {
        let (framing, records, header) = match self.content {
            Content::Items(items) => return items,
            Content::Text { framing, records, header } => (framing, records, header),
        };
        let mut reading = Reading { reads, limits, names: rows::Names::default(), csv: csv::Lines::new(), header };
        let places = records.into_iter().enumerate();
        places.map(|(place, record)| reading.item(framing, &record, self.first + place)).collect()
    }
}

/// What the records of a group are read with.
struct Reading<'a> {
    reads: Reads,
    limits: &'a Limits,
    names: rows::Names,
    csv: csv::Lines,
    header: Header,
}

impl Reading<'_> {
    fn item(&mut self, framing: Framing, Record { text, line }: &Record, item: usize) -> ReadItem {
        match framing {
            Framing::JsonLines => self.line(text.trim_ascii(), item).map_err(|error| json::on_line(*line, error)),
            Framing::Csv => self.row(text, item),
            Framing::RecordIo if self.reads == Reads::Images => record_io::image(text),
            Framing::RecordIo => record_io::row(text, item),
        }
    }

    fn row(&mut self, record: &[u8], item: usize) -> Result<Item, PredictError> {
        match &self.header {
            Header::Names(names) => self.csv.row(record, item, Some(names)),
            Header::Refused if item == 0 => Err(malformed(
                "CSV",
                "row 0 is a header: in a batch transform job, which it reaches only one request of, columns are read in \
                 the manifest's order",
            )),
            Header::Unread | Header::Absent | Header::Refused => self.csv.row(record, item, None),
        }
    }

    fn line(&self, text: &[u8], item: usize) -> Result<Item, PredictError> {
        match self.reads {
            _ if text.is_empty() => Err(malformed("JSON", "it is empty")),
            Reads::Images => images::line(text, item, self.limits),
            Reads::Rows => rows::line(text, &self.names, self.limits),
            Reads::Tensors => open_inference::line(text, self.limits),
        }
    }
}
