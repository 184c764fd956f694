//! The markers of a file and what follows them.

use super::Refused;

/// Those with a part in decoding; ITU-T T.81, table B.1.
pub(super) mod marker {
    pub(in super::super) const DHT: u8 = 0xC4;
    pub(in super::super) const RST0: u8 = 0xD0;
    pub(in super::super) const RST7: u8 = 0xD7;
    pub(in super::super) const SOI: u8 = 0xD8;
    pub(in super::super) const EOI: u8 = 0xD9;
    pub(in super::super) const SOS: u8 = 0xDA;
    pub(in super::super) const DQT: u8 = 0xDB;
    pub(in super::super) const DNL: u8 = 0xDC;
    pub(in super::super) const DRI: u8 = 0xDD;
    pub(in super::super) const APP0: u8 = 0xE0;
    pub(in super::super) const APP1: u8 = 0xE1;
    pub(in super::super) const APP14: u8 = 0xEE;
}

/// A marker and its parameters; of [`marker::EOI`] there are none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'a> {
    pub(super) marker: u8,
    /// Of the marker in the file.
    pub(super) at: usize,
    pub(super) body: &'a [u8],
}

impl Segment<'_> {
    pub(super) fn damaged(&self, reason: &'static str) -> Refused {
        Refused::Damaged { at: self.at, reason }
    }

    /// Where the segment ends in the file.
    pub(super) fn end(&self) -> usize {
        self.at + 4 + self.body.len()
    }
}

/// Walks a file from marker to marker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segments<'a> {
    pub(super) file: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    pub(super) fn of(file: &'a [u8]) -> Result<Self, Refused> {
        if !file.starts_with(&[0xFF, marker::SOI]) {
            return Err(Refused::Damaged { at: 0, reason: "it does not begin as a JPEG" });
        }
        Ok(Self::from(file, 2))
    }

    pub(super) fn from(file: &'a [u8], at: usize) -> Self {
        Self { file, at }
    }

    pub(super) fn next_segment(&mut self) -> Result<Segment<'a>, Refused> {
        let ended = || Refused::Damaged { at: self.file.len(), reason: "the file ends between two segments" };
        let rest = self.file.get(self.at..).ok_or_else(ended)?;
        let filled = rest.iter().take_while(|byte| **byte == 0xFF).count();
        let marker = *rest.get(filled).ok_or_else(ended)?;
        if filled == 0 || marker == 0 {
            return Err(Refused::Damaged { at: self.at, reason: "no marker where one is due" });
        }
        let at = self.at + filled - 1;
        let rest = &rest[filled + 1..];
        let body = match (marker, rest) {
            (marker::EOI, _) => &[],
            (0x01 | marker::RST0..=marker::SOI, _) => {
                return Err(Refused::Damaged { at, reason: "a marker that has no place here" });
            }
            (_, [high, low, ..]) => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                let cut =
                    Refused::Damaged { at, reason: "the file ends in a segment, or the segment's length is wrong" };
                rest.get(2..length).ok_or(cut)?
            }
            _ => return Err(ended()),
        };
        let segment = Segment { marker, at, body };
        self.at = if marker == marker::EOI { at + 2 } else { segment.end() };
        Ok(segment)
    }

    /// Goes on behind a scan.
    pub(super) fn skip_to(&mut self, at: usize) {
        self.at = at;
    }

    /// Whether the file goes on to its end marker, with nothing before it that would change the picture.
    pub(super) fn until_end(mut self) -> Result<(), Refused> {
        loop {
            let segment = self.next_segment()?;
            match segment.marker {
                marker::EOI => return Ok(()),
                marker::DNL => return Err(Refused::Unsupported("whose height follows its first scan")),
                marker::SOS => return Err(segment.damaged("a scan of what was decoded before")),
                _ => {}
            }
        }
    }
}

/// Where the entropy-coded bytes from `at` on end: the next marker that is no restart. The file's end if there is none.
pub(super) fn scan_end(file: &[u8], at: usize) -> usize {
    let mut from = at;
    while let Some(found) = file.get(from..).and_then(|rest| memchr::memchr(0xFF, rest)) {
        let marker = from + found;
        match file.get(marker + 1) {
            Some(0x00 | marker::RST0..=marker::RST7) => from = marker + 2,
            Some(0xFF) => from = marker + 1,
            Some(_) => return marker,
            None => break,
        }
    }
    file.len()
}
