//! The bits of a scan: stuffing is removed a piece of the file at a time, then 64 bits are at hand.

use super::Refused;
use super::segments::marker;

/// Bytes of the file that are held without their stuffing.
const WINDOW: usize = 1 << 15;
/// More than any MCU takes: 10 blocks of 64 symbols of 31 bits.
const MCU_BYTES: usize = 4096;
/// Zeros behind a scan's last byte, so that reading past it is found out a block later, not at each bit.
const PADDING: usize = MCU_BYTES + 16;

/// The held bytes, kept from one scan to the next.
#[derive(Debug, Default)]
pub(super) struct Window(Vec<u8>);

/// Reads one scan of `file`.
///
/// Of `bits` the upper `count` are those that come next; below them there may be more, but never others.
pub(super) struct Bits<'a> {
    file: &'a [u8],
    /// What of the file was not moved to the window yet.
    at: usize,
    window: &'a mut Vec<u8>,
    /// The window's bytes that are in `bits`.
    taken: usize,
    bits: u64,
    count: u32,
    /// Length of the window without padding, once a marker or the file's end is reached.
    end: Option<usize>,
}

impl<'a> Bits<'a> {
    pub(super) fn new(file: &'a [u8], at: usize, Window(window): &'a mut Window) -> Self {
        window.clear();
        let mut bits = Self { file, at, window, taken: 0, bits: 0, count: 0, end: None };
        bits.slide();
        bits
    }

    /// To be called before each MCU: refuses a scan that has ended, and sees to the bits of one more MCU.
    #[inline]
    pub(super) fn next_mcu(&mut self) -> Result<(), Refused> {
        match self.end {
            None if self.taken + MCU_BYTES > self.window.len() => self.slide(),
            None => {}
            Some(_) => self.check_end()?,
        }
        Ok(())
    }

    /// Refuses a scan of which more was read than there is.
    #[inline]
    pub(super) fn check_end(&self) -> Result<(), Refused> {
        match self.end {
            Some(end) if self.taken * 8 > end * 8 + self.count as usize => Err(self.ended()),
            _ => Ok(()),
        }
    }

    #[cold]
    fn ended(&self) -> Refused {
        let reason = match self.at < self.file.len() {
            true => "a scan ends before its picture",
            false => "the file ends in a scan",
        };
        Refused::Damaged { at: self.at, reason }
    }

    #[cold]
    pub(super) fn bad_code(&self) -> Refused {
        let unread = self.window.len().saturating_sub(self.taken);
        let reason = "a code near here is in no table, or leads out of its block";
        Refused::Damaged { at: self.at.saturating_sub(unread), reason }
    }

    /// Passes the restart marker of number `index`, where the bits have to have ended.
    pub(super) fn restart(&mut self, index: usize) -> Result<(), Refused> {
        self.check_end()?;
        while self.end.is_none() {
            self.taken = self.window.len(); // more bytes than the interval needs: legal, though nobody writes them
            self.slide();
        }
        let due = marker::RST0 + (index % 8) as u8;
        if self.file.get(self.at..self.at + 2) != Some(&[0xFF, due]) {
            return Err(Refused::Damaged { at: self.at, reason: "no restart marker where one is due" });
        }
        self.at += 2;
        (self.taken, self.bits, self.count, self.end) = (0, 0, 0, None);
        self.window.clear();
        self.slide();
        Ok(())
    }

    /// Where the marker behind the scan is.
    pub(super) fn finish(mut self) -> Result<usize, Refused> {
        self.check_end()?;
        while self.end.is_none() {
            self.taken = self.window.len();
            self.slide();
        }
        Ok(self.at)
    }

    /// Moves on in the file, by at least a byte unless the scan ends.
    #[cold]
    fn slide(&mut self) {
        self.window.drain(..self.taken.min(self.window.len()));
        self.taken = 0;
        while self.window.len() < WINDOW {
            let rest = self.file.get(self.at..).unwrap_or_default();
            let piece = &rest[..rest.len().min(WINDOW - self.window.len())];
            let plain = memchr::memchr(0xFF, piece).unwrap_or(piece.len());
            self.window.extend_from_slice(&piece[..plain]);
            self.at += plain;
            match rest.get(plain..) {
                Some([0xFF, 0x00, ..]) => {
                    self.window.push(0xFF);
                    self.at += 2;
                }
                Some([0xFF, 0xFF, ..]) => self.at += 1, // fills up to a marker
                Some([0xFF]) => self.end_at(self.file.len()),
                Some([0xFF, ..]) | Some([]) | None => self.end_at(self.at),
                Some(_) => {}
            }
            if self.end.is_some() {
                return;
            }
        }
    }

    fn end_at(&mut self, at: usize) {
        self.at = at;
        self.end = Some(self.window.len());
        self.window.resize(self.window.len() + PADDING, 0);
    }

    /// Sees to it that 32 bits or more are at hand.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        if self.count >= 32 {
            return;
        }
        let next = match self.window.get(self.taken..).and_then(|rest| rest.first_chunk()) {
            Some(bytes) => u64::from_be_bytes(*bytes),
            None => 0, // behind the padding
        };
        self.bits |= next >> self.count;
        self.taken = self.taken.wrapping_add(((63 - self.count) >> 3) as usize);
        self.count |= 56;
    }

    /// The next `LENGTH` bits.
    #[inline(always)]
    pub(super) fn peek<const LENGTH: u32>(&self) -> usize {
        (self.bits >> (64 - LENGTH)) as usize
    }

    /// Skips up to 31 bits of those at hand.
    #[inline(always)]
    pub(super) fn consume(&mut self, length: u32) {
        self.bits <<= length & 31;
        self.count = self.count.wrapping_sub(length);
    }

    /// Reads up to 16 bits of those at hand.
    #[inline(always)]
    pub(super) fn take(&mut self, length: u32) -> u32 {
        let bits = (self.bits >> 1 >> (63 - (length & 31))) as u32;
        self.consume(length);
        bits
    }

    /// The number of `size` bits that ends `total` bits from here, as T.81 figure F.12 extends it.
    #[inline(always)]
    pub(super) fn value(&self, total: u32, size: u32) -> i32 {
        let (total, size) = (total & 31, size & 15);
        let bits = (self.bits << (total.wrapping_sub(size) & 31) >> 1 >> (63 - size)) as i32;
        let negative = (self.bits << (total.wrapping_sub(size) & 31)) as i64 >= 0;
        // A size of 0 has no bits: its value is 0 either way.
        bits.wrapping_sub(if negative { (1 << size) - 1 } else { 0 })
    }
}
