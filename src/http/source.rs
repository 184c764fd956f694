//! A request's items in groups, each of which one inference thread answers.

use std::vec;

use crate::predict::request::{Group, ReadItem, Records};

use super::admission::Room;
use super::body::Incoming;
use super::error::Failure;
use super::work::Work;

/// A body of records is taken up when so much of it is there, or its end: who sends slowly keeps no place for it.
pub(super) const TAKEN_UP: usize = 1 << 20;

/// Where groups come from.
pub(super) enum Source {
    /// A document that was read, with the room that its body took.
    Items { items: vec::IntoIter<ReadItem>, first: usize, share: usize, _room: Option<Room> },
    /// Records, cut from a body while it arrives.
    Records(Box<Arriving>),
}

pub(super) struct Arriving {
    records: Records,
    incoming: Incoming,
    ended: bool,
}

impl Source {
    /// No group is larger than a thread's share, so that each of `threads` has one.
    pub(super) fn items(items: Vec<ReadItem>, room: Option<Room>, threads: usize) -> Self {
        let share = items.len().div_ceil(threads.max(1)).max(1);
        Self::Items { items: items.into_iter(), first: 0, share, _room: room }
    }

    /// Waits until the body is worth being taken up.
    pub(super) async fn records(records: Records, incoming: Incoming) -> Result<Self, Failure> {
        let mut arriving = Arriving { records, incoming, ended: false };
        while !arriving.ended && arriving.records.waiting() < TAKEN_UP {
            arriving.receive().await?;
        }
        if arriving.ended {
            arriving.records.cut_ahead()?;
        }
        Ok(Self::Records(Box::new(arriving)))
    }

    /// All items as one group, where they are there and no more than `most`.
    pub(super) async fn only(&mut self, most: usize) -> Result<Option<(Group, Option<Room>)>, Failure> {
        match self {
            Self::Records(arriving) if arriving.records.left().is_some_and(|left| (1..=most).contains(&left)) => {
                arriving.next(most).await
            }
            Self::Items { .. } | Self::Records(_) => Ok(None),
        }
    }

    /// At most `most` items, with the room that their text takes.
    pub(super) async fn next(&mut self, most: usize) -> Result<Option<(Group, Option<Room>)>, Failure> {
        match self {
            Self::Items { items, first, share, .. } => {
                let some: Vec<ReadItem> = items.by_ref().take(most.min(*share)).collect();
                let place = std::mem::replace(first, *first + some.len());
                Ok((!some.is_empty()).then(|| (Group::of(place, some), None)))
            }
            Self::Records(arriving) => arriving.next(most).await,
        }
    }

    /// Notes how much of the body has arrived.
    pub(super) fn note(&self, work: &mut Work) {
        match self {
            Self::Items { .. } => work.received = true,
            Self::Records(arriving) => (work.bytes_in, work.received) = (arriving.incoming.received, arriving.ended),
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
