//! A request's items in groups, each of which one inference thread answers.

use std::vec;

use crate::predict::request::{Group, ReadItem, Records};

use super::admission::Room;
use super::body::Incoming;
use super::error::Failure;

/// A body of records is taken up when so much of it is there, or its end: who sends slowly keeps no place for it.
pub(super) const TAKEN_UP: usize = 1 << 20;

/// Where groups come from.
pub(super) enum Source {
    /// A document that was read, with the room that its body took.
    Items { items: vec::IntoIter<ReadItem>, first: usize, _room: Option<Room> },
    /// Records, cut from a body while it arrives.
    Records(Box<Arriving>),
}

pub(super) struct Arriving {
    records: Records,
    incoming: Incoming,
    ended: bool,
}

impl Source {
    pub(super) fn items(items: Vec<ReadItem>, room: Option<Room>) -> Self {
        Self::Items { items: items.into_iter(), first: 0, _room: room }
    }

    /// Waits until the body is worth being taken up.
    pub(super) async fn records(records: Records, incoming: Incoming) -> Result<Self, Failure> {
        let mut arriving = Arriving { records, incoming, ended: false };
        while !arriving.ended && arriving.records.waiting() < TAKEN_UP {
            arriving.receive().await?;
        }
        Ok(Self::Records(Box::new(arriving)))
    }

    /// At most `most` items, with the room that their text takes.
    pub(super) async fn next(&mut self, most: usize) -> Result<Option<(Group, Option<Room>)>, Failure> {
        match self {
            Self::Items { items, first, .. } => {
                let some: Vec<ReadItem> = items.by_ref().take(most).collect();
                let place = std::mem::replace(first, *first + some.len());
                Ok((!some.is_empty()).then(|| (Group::of(place, some), None)))
            }
            Self::Records(arriving) => arriving.next(most).await,
        }
    }

    /// Bytes of the body that arrived, where it is still arriving.
    pub(super) fn received(&self) -> Option<usize> {
        match self {
            Self::Items { .. } => None,
            Self::Records(arriving) => Some(arriving.incoming.received),
        }
    }
}

impl Arriving {
    async fn receive(&mut self) -> Result<(), Failure> {
        match self.incoming.part().await? {
            Some(part) => self.records.push(&part),
            None => {
                self.ended = true;
                self.records.end();
            }
        }
        Ok(())
    }

    async fn next(&mut self, most: usize) -> Result<Option<(Group, Option<Room>)>, Failure> {
        loop {
            if let Some(group) = self.records.next_group(most)? {
                let room = self.incoming.room.split(self.records.waiting());
                return Ok(Some((group, Some(room))));
            }
            if self.ended {
                self.records.check_some()?;
                return Ok(None);
            }
            self.receive().await?;
        }
    }
}
