//! One scan of a picture of several: ITU-T T.81, annex G, and what of annex F has its components in scans of their own.

use super::Refused;
use super::blocks::Stored;
use super::entropy::Bits;
use super::frame::Reduced;
use super::huffman::{self, Table};
use super::scan::{Part, Scan, Tables};
use super::segments::Segment;
use super::sequential::Huffman;

/// A scan about to be decoded.
pub(super) struct Pass<'a> {
    pub(super) frame: &'a Reduced,
    pub(super) segment: &'a Segment<'a>,
    pub(super) scan: &'a Scan,
    pub(super) tables: &'a Tables,
    pub(super) bits: Bits<'a>,
}

/// What a scan brings of each block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// All of it.
    Sequential,
    FirstDc,
    RefinedDc,
    FirstAc,
    RefinedAc,
}

impl Kind {
    fn of(scan: &Scan, progressive: bool) -> Self {
        match (progressive, scan.band[0], scan.is_refinement()) {
            (false, _, _) => Self::Sequential,
            (true, 0, false) => Self::FirstDc,
            (true, 0, true) => Self::RefinedDc,
            (true, _, false) => Self::FirstAc,
            (true, _, true) => Self::RefinedAc,
        }
    }

    /// Which tables its symbols are in: those for DC, those for AC.
    fn reads(self) -> [bool; 2] {
        match self {
            Self::Sequential => [true, true],
            Self::FirstDc => [true, false],
            Self::RefinedDc => [false, false],
            Self::FirstAc | Self::RefinedAc => [false, true],
        }
    }
}

/// One component's part in a scan.
struct Lane<'a> {
    dc: Option<&'a Table>,
    ac: Option<&'a Table>,
    stored: &'a mut Stored,
    /// Blocks in an MCU, across and down.
    mcu: [usize; 2],
    /// Blocks in a row.
    row: usize,
    band: [usize; 2],
    /// Lower bits that are left to later scans.
    shift: u32,
    prediction: i32,
    /// Blocks to come that bring nothing new.
    without: u32,
}

impl Pass<'_> {
    /// Returns where the scan ends.
    pub(super) fn decode(mut self, stored: &mut [Stored]) -> Result<usize, Refused> {
        let kind = Kind::of(self.scan, self.frame.progressive);
        let [dc, ac] = kind.reads();
        let any = |at: usize, named: fn(&Part) -> usize| self.scan.parts.iter().any(|part| named(part) == at);
        let wanted = |at| [dc && any(at, |part| part.dc), ac && any(at, |part| part.ac)];
        let huffman = Huffman::new(self.tables, wanted, false);
        let unread = |part: &Part| (dc && huffman.dc[part.dc].is_none()) || (ac && huffman.ac[part.ac].is_none());
        if self.scan.parts.iter().any(unread) {
            return Err(self.segment.damaged("a scan needs a table that is not defined"));
        }
        let lanes = &mut self.lanes(&huffman, stored);
        match kind {
            Kind::Sequential => self.walk(lanes, Lane::sequential)?,
            Kind::FirstDc => self.walk(lanes, Lane::first_dc)?,
            Kind::RefinedDc => self.walk(lanes, Lane::refined_dc)?,
            Kind::FirstAc => self.walk(lanes, Lane::first_ac)?,
            Kind::RefinedAc => self.walk(lanes, Lane::refined_ac)?,
        }
        self.bits.finish()
    }

    fn lanes<'b>(&self, huffman: &'b Huffman, stored: &'b mut [Stored]) -> Vec<Lane<'b>> {
        let parts = &self.scan.parts;
        let of = |at: usize| parts.iter().find(|part| part.component == at);
        let all = stored.iter_mut().enumerate().filter_map(|(at, stored)| Some((of(at)?, stored)));
        let lane = |(part, stored): (&Part, &'b mut Stored)| {
            let component = &self.frame.components[part.component];
            let sampling = component.sampling;
            Lane {
                dc: huffman.dc[part.dc].as_ref(),
                ac: huffman.ac[part.ac].as_ref(),
                stored,
                // A single component's blocks are in no MCU.
                mcu: if parts.len() == 1 { [1, 1] } else { [sampling.across, sampling.down] },
                row: component.padded[0],
                band: self.scan.band,
                shift: self.scan.approximation[1],
                prediction: 0,
                without: 0,
            }
        };
        all.map(lane).collect()
    }

    /// Calls `decode` for every block, in the file's order.
    #[inline(always)]
    fn walk<'b>(
        &mut self,
        lanes: &mut [Lane<'b>],
        decode: impl Fn(&mut Lane<'b>, &mut Bits, usize) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let [columns, rows] = match &self.scan.parts[..] {
            [only] => self.frame.components[only.component].blocks,
            _ => self.frame.mcus,
        };
        let interval = self.tables.restart_interval;
        let (mut left, mut restarts) = (interval, 0);
        for row in 0..rows {
            for column in 0..columns {
                if interval > 0 {
                    if left == 0 {
                        lanes.iter_mut().for_each(|lane| (lane.prediction, lane.without) = (0, 0));
                        self.bits.restart(restarts)?;
                        restarts += 1;
                        left = interval;
                    }
                    left -= 1;
                }
                self.bits.next_mcu()?;
                for lane in lanes.iter_mut() {
                    let [across, down] = lane.mcu;
                    for y in 0..down {
                        for x in 0..across {
                            decode(lane, &mut self.bits, (row * down + y) * lane.row + column * across + x)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// A table that is missing was refused before.
impl Lane<'_> {
    #[inline(always)]
    fn sequential(&mut self, bits: &mut Bits, block: usize) -> Result<(), Refused> {
        let (Some(dc), Some(ac)) = (self.dc, self.ac) else { return Ok(()) };
        let (values, _) = self.stored.block(block);
        let needed = values.len() - 1;
        let put = |at: usize, value: i32| {
            if let Some(kept) = values.get_mut(at) {
                *kept = value as i16;
            }
        };
        huffman::block(bits, (dc, ac), &mut self.prediction, needed, put).map(|_| ())
    }

    #[inline(always)]
    fn first_dc(&mut self, bits: &mut Bits, block: usize) -> Result<(), Refused> {
        let Some(dc) = self.dc else { return Ok(()) };
        bits.refill();
        let symbol = dc.symbol(bits)?;
        self.prediction = self.prediction.wrapping_add(bits.value(symbol.total(), symbol.size()));
        bits.consume(symbol.total());
        *self.stored.first(block) = (self.prediction << self.shift) as i16;
        Ok(())
    }

    #[inline(always)]
    fn refined_dc(&mut self, bits: &mut Bits, block: usize) -> Result<(), Refused> {
        bits.refill();
        *self.stored.first(block) |= (bits.take(1) << self.shift) as i16;
        Ok(())
    }

    #[inline(always)]
    fn first_ac(&mut self, bits: &mut Bits, block: usize) -> Result<(), Refused> {
        let Some(ac) = self.ac else { return Ok(()) };
        if self.without > 0 {
            self.without -= 1;
            return Ok(());
        }
        let (values, nonzero) = self.stored.block(block);
        let [mut at, last] = self.band;
        while at <= last {
            bits.refill();
            let symbol = ac.symbol(bits)?;
            let value = bits.value(symbol.total(), symbol.size());
            bits.consume(symbol.total());
            if symbol.size() == 0 && symbol.run() < 15 {
                self.without = blocks_without(bits, symbol.run()) - 1;
                return Ok(());
            }
            at += symbol.run();
            if symbol.size() > 0 {
                if at > 63 {
                    return Err(bits.bad_code());
                }
                *nonzero |= 1 << at;
                if let Some(kept) = values.get_mut(at) {
                    *kept = (value << self.shift) as i16;
                }
            }
            at += 1;
        }
        Ok(())
    }

    #[inline(always)]
    fn refined_ac(&mut self, bits: &mut Bits, block: usize) -> Result<(), Refused> {
        let Some(ac) = self.ac else { return Ok(()) };
        let (values, nonzero) = self.stored.block(block);
        let [mut at, last] = self.band;
        if self.without == 0 {
            while at <= last {
                bits.refill();
                let symbol = ac.symbol(bits)?;
                let negative = bits.value(symbol.total(), symbol.size()) < 0;
                bits.consume(symbol.total());
                if symbol.size() == 0 && symbol.run() < 15 {
                    self.without = blocks_without(bits, symbol.run());
                    break;
                }
                let stop = zero_behind(symbol.run(), *nonzero, [at, last]);
                correct(bits, values, *nonzero & from(at) & !from(stop), self.shift);
                if symbol.size() > 0 && stop <= last {
                    *nonzero |= 1 << stop;
                    if let Some(kept) = values.get_mut(stop) {
                        *kept = if negative { -1 << self.shift } else { 1 << self.shift };
                    }
                }
                at = stop + 1;
            }
        }
        if self.without > 0 {
            correct(bits, values, *nonzero & from(at) & !from(last + 1), self.shift);
            self.without -= 1;
        }
        Ok(())
    }
}

/// The end of so many blocks, this one included.
#[inline(always)]
fn blocks_without(bits: &mut Bits, length: usize) -> u32 {
    bits.refill();
    (1 << length) + bits.take(length as u32)
}

/// Coefficients from `at` on.
#[inline(always)]
fn from(at: usize) -> u64 {
    if at > 63 { 0 } else { u64::MAX << at }
}

/// The coefficient in `at..=last` that is zero and that `zeros` others precede; behind `last` if there is none.
#[inline(always)]
fn zero_behind(zeros: usize, nonzero: u64, [at, last]: [usize; 2]) -> usize {
    let mut free = from(at) & !from(last + 1) & !nonzero;
    for _ in 0..zeros {
        free &= free.wrapping_sub(1);
    }
    if free == 0 { last + 1 } else { free.trailing_zeros() as usize }
}

/// Reads the next lower bit of each coefficient in `nonzero`.
#[inline(always)]
fn correct(bits: &mut Bits, values: &mut [i16], nonzero: u64, shift: u32) {
    let mut left = nonzero;
    while left != 0 {
        let at = left.trailing_zeros() as usize;
        let Some(kept) = values.get_mut(at) else { break };
        left &= left - 1;
        bits.refill();
        let step = (bits.take(1) << shift) as i16;
        if *kept & step == 0 {
            *kept = if *kept < 0 { kept.wrapping_sub(step) } else { kept.wrapping_add(step) };
        }
    }
    let mut unread = left.count_ones();
    while unread > 0 {
        bits.refill();
        let length = unread.min(31);
        bits.consume(length);
        unread -= length;
    }
}
