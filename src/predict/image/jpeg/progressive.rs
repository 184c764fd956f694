//! Pictures of several scans: coefficients are collected first, and pixels made of them at the end.

use super::blocks::{Coefficients, Stored};
use super::entropy::{Bits, Window};
use super::frame::Reduced;
use super::huffman::{self, Table};
use super::inverse::{Inverse, ZIGZAG};
use super::output::Output;
use super::scan::{Scan, Tables};
use super::segments::{Segment, Segments, marker, scan_end};
use super::sequential::Huffman;
use super::{MAX_SCANS, Refused};

/// A picture whose scans are being collected.
pub(super) struct Picture<'a> {
    frame: &'a Reduced,
    stored: &'a mut [Stored],
    window: &'a mut Window,
    /// Each component's, as defined at its first scan.
    steps: [Option<[u16; 64]>; 3],
}

/// A scan and where it is in the file.
struct Found<'a> {
    segment: Segment<'a>,
    scan: Scan,
    needed: bool,
}

impl<'a> Picture<'a> {
    pub(super) fn new(frame: &'a Reduced, coefficients: &'a mut Coefficients, window: &'a mut Window) -> Self {
        Self { frame, stored: coefficients.cleared(frame), window, steps: [None; 3] }
    }

    /// Decodes the scans from `first` to the file's end, without those that no pixel depends on.
    pub(super) fn decode(
        &mut self,
        first: Segment,
        segments: &mut Segments,
        tables: &mut Tables,
    ) -> Result<(), Refused> {
        let scans = self.scans(first, *segments)?;
        let mut scans = scans.iter();
        let mut segment = first;
        loop {
            match segment.marker {
                marker::SOS => {
                    let Some(found) = scans.next() else { return Ok(()) };
                    let end = match found.needed {
                        true => self.decode_scan(found, segments.file, tables)?,
                        false => scan_end(segments.file, segment.end()),
                    };
                    segments.skip_to(end);
                }
                marker::EOI => return self.check_complete(&segment),
                _ => tables.take(&segment)?,
            }
            segment = segments.next_segment()?;
        }
    }

    /// All scans of the file; also finds out whether it goes on to its end.
    fn scans<'b>(&self, first: Segment<'b>, mut segments: Segments<'b>) -> Result<Vec<Found<'b>>, Refused> {
        let mut found = Vec::new();
        let mut segment = first;
        while segment.marker != marker::EOI {
            if segment.marker == marker::SOS {
                if found.len() == MAX_SCANS {
                    return Err(Refused::Unsupported("of more than 64 scans"));
                }
                let scan = Scan::of(&segment, self.frame)?;
                found.push(Found { segment, scan, needed: true });
                segments.skip_to(scan_end(segments.file, segment.end()));
            }
            segment = segments.next_segment()?;
        }
        self.mark_needed(&mut found);
        Ok(found)
    }

    /// Not needed is a scan of coefficients that are not kept, unless a needed one refines one of them: how many bits
    /// that takes depends on what is not zero already.
    fn mark_needed(&self, scans: &mut [Found]) {
        let mut refined = [0u64; 3];
        for found in scans.iter_mut().rev().filter(|_| self.frame.progressive) {
            let [first, last] = found.scan.band;
            let band = (u64::MAX >> (63 - last)) & (u64::MAX << first);
            found.needed = found.scan.parts.iter().any(|part| {
                let kept = self.stored[part.component].kept;
                first < kept || refined[part.component] & band != 0
            });
            if found.needed && found.scan.is_refinement() {
                found.scan.parts.iter().for_each(|part| refined[part.component] |= band);
            }
        }
    }

    fn check_complete(&self, end: &Segment) -> Result<(), Refused> {
        match self.steps[..self.stored.len()].iter().all(Option::is_some) {
            true => Ok(()),
            false => Err(end.damaged("the end before every component had a scan")),
        }
    }

    /// Returns where the scan ends.
    fn decode_scan(&mut self, found: &Found, file: &[u8], tables: &Tables) -> Result<usize, Refused> {
        let Found { segment, scan, .. } = found;
        let undefined = || segment.damaged("a scan needs a table that is not defined");
        for part in &scan.parts {
            let table = usize::from(self.frame.components[part.component].sampling.table);
            let steps = &mut self.steps[part.component];
            *steps = Some(steps.or(tables.quantisation[table]).ok_or_else(undefined)?);
        }
        let kinds = Kind::of(scan, self.frame.progressive);
        let wanted = |at| {
            let any = |named: fn(&super::scan::Part) -> usize| scan.parts.iter().any(|part| named(part) == at);
            [kinds.reads_dc() && any(|part| part.dc), kinds.reads_ac() && any(|part| part.ac)]
        };
        let huffman = Huffman::new(tables, wanted, false);
        let mut pass = Pass {
            kind: kinds,
            band: scan.band,
            shift: scan.approximation[1],
            predictions: [0; 3],
            without: 0,
            bits: Bits::new(file, segment.end(), self.window),
        };
        let unread = |part: &super::scan::Part| {
            (kinds.reads_dc() && huffman.dc[part.dc].is_none()) || (kinds.reads_ac() && huffman.ac[part.ac].is_none())
        };
        if scan.parts.iter().any(unread) {
            return Err(undefined());
        }
        let walk = Walk { frame: self.frame, scan, interval: tables.restart_interval };
        walk.blocks(self.stored, &huffman, &mut pass)?;
        pass.bits.finish()
    }

    /// Makes pixels of everything.
    pub(super) fn write(self, output: &mut Output) {
        let steps = self.steps.map(|steps| steps.unwrap_or([0; 64]).map(f32::from));
        let inverses: Vec<Inverse> = self.frame.components.iter().map(|one| Inverse::to(one.size)).collect();
        for row in 0..self.frame.mcus[1] {
            for (at, (component, inverse)) in self.frame.components.iter().zip(&inverses).enumerate() {
                let stride = component.stride();
                let stripe = output.stripe(at);
                for y in 0..component.sampling.down {
                    for x in 0..component.padded[0] {
                        let block = (row * component.sampling.down + y) * component.padded[0] + x;
                        let (values, _) = self.stored[at].block(block);
                        let mut coefficients = [0.0; 64];
                        let mut last = 0;
                        for (place, value) in values.iter().enumerate().filter(|(_, value)| **value != 0) {
                            coefficients[usize::from(ZIGZAG[place & 63])] = f32::from(*value) * steps[at][place & 63];
                            last = place;
                        }
                        let place = y * component.size[1] * stride + x * component.size[0];
                        inverse.write(&coefficients, last, &mut stripe[place..], stride);
                    }
                }
            }
            output.end_mcu_row();
        }
    }
}

/// The order of a scan's blocks.
struct Walk<'a> {
    frame: &'a Reduced,
    scan: &'a Scan,
    interval: usize,
}

impl Walk<'_> {
    fn blocks(&self, stored: &mut [Stored], huffman: &Huffman, pass: &mut Pass) -> Result<(), Refused> {
        let [columns, rows] = match &self.scan.parts[..] {
            [only] => self.frame.components[only.component].blocks,
            _ => self.frame.mcus,
        };
        let (mut left, mut restarts) = (self.interval, 0);
        for row in 0..rows {
            for column in 0..columns {
                if self.interval > 0 {
                    if left == 0 {
                        pass.restart(restarts)?;
                        restarts += 1;
                        left = self.interval;
                    }
                    left -= 1;
                }
                pass.bits.next_mcu()?;
                self.mcu([column, row], stored, huffman, pass)?;
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn mcu(
        &self,
        [column, row]: [usize; 2],
        stored: &mut [Stored],
        huffman: &Huffman,
        pass: &mut Pass,
    ) -> Result<(), Refused> {
        for part in &self.scan.parts {
            let component = &self.frame.components[part.component];
            let tables = (huffman.dc[part.dc].as_ref(), huffman.ac[part.ac].as_ref());
            let [across, down] = match self.scan.parts.len() {
                1 => [1, 1], // a single component's blocks are in no MCU
                _ => [component.sampling.across, component.sampling.down],
            };
            for y in 0..down {
                for x in 0..across {
                    let block = (row * down + y) * component.padded[0] + column * across + x;
                    let (values, nonzero) = stored[part.component].block(block);
                    pass.block(part.component, tables, values, nonzero)?;
                }
            }
        }
        Ok(())
    }
}

/// What a scan brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// All of a block.
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

    fn reads_dc(self) -> bool {
        matches!(self, Self::Sequential | Self::FirstDc)
    }

    fn reads_ac(self) -> bool {
        matches!(self, Self::Sequential | Self::FirstAc | Self::RefinedAc)
    }
}

/// A scan on its way through the picture; ITU-T T.81, annex G.
struct Pass<'a> {
    kind: Kind,
    band: [usize; 2],
    /// Lower bits that are left to later scans.
    shift: u32,
    predictions: [i32; 3],
    /// Blocks to come that bring nothing new.
    without: u32,
    bits: Bits<'a>,
}

impl Pass<'_> {
    fn restart(&mut self, index: usize) -> Result<(), Refused> {
        (self.predictions, self.without) = ([0; 3], 0);
        self.bits.restart(index)
    }

    #[inline(always)]
    fn block(
        &mut self,
        component: usize,
        tables: (Option<&Table>, Option<&Table>),
        values: &mut [i16],
        nonzero: &mut u64,
    ) -> Result<(), Refused> {
        match (self.kind, tables) {
            (Kind::Sequential, (Some(dc), Some(ac))) => {
                let needed = values.len() - 1;
                let put = |at: usize, value: i32| {
                    if let Some(kept) = values.get_mut(at) {
                        *kept = value as i16;
                    }
                };
                huffman::block(&mut self.bits, (dc, ac), &mut self.predictions[component], needed, put).map(|_| ())
            }
            (Kind::FirstDc, (Some(dc), _)) => {
                self.bits.refill();
                let symbol = dc.symbol(&self.bits)?;
                let prediction = &mut self.predictions[component];
                *prediction = prediction.wrapping_add(self.bits.value(symbol.total(), symbol.size()));
                self.bits.consume(symbol.total());
                values[0] = (*prediction << self.shift) as i16;
                Ok(())
            }
            (Kind::RefinedDc, _) => {
                self.bits.refill();
                values[0] |= (self.bits.take(1) << self.shift) as i16;
                Ok(())
            }
            (Kind::FirstAc, (_, Some(ac))) => self.first_ac(ac, values, nonzero),
            (Kind::RefinedAc, (_, Some(ac))) => self.refined_ac(ac, values, nonzero),
            _ => Ok(()), // a table is missing: refused before
        }
    }

    #[inline(always)]
    fn first_ac(&mut self, ac: &Table, values: &mut [i16], nonzero: &mut u64) -> Result<(), Refused> {
        if self.without > 0 {
            self.without -= 1;
            return Ok(());
        }
        let [mut at, last] = self.band;
        while at <= last {
            self.bits.refill();
            let symbol = ac.symbol(&self.bits)?;
            let value = self.bits.value(symbol.total(), symbol.size());
            self.bits.consume(symbol.total());
            if symbol.size() == 0 && symbol.run() < 15 {
                self.without = self.blocks_without(symbol.run()) - 1;
                return Ok(());
            }
            at += symbol.run();
            if symbol.size() > 0 {
                if at > 63 {
                    return Err(self.bits.bad_code());
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

    /// The end of so many blocks, this one included.
    #[inline(always)]
    fn blocks_without(&mut self, length: usize) -> u32 {
        self.bits.refill();
        (1 << length) + self.bits.take(length as u32)
    }

    #[inline(always)]
    fn refined_ac(&mut self, ac: &Table, values: &mut [i16], nonzero: &mut u64) -> Result<(), Refused> {
        let [mut at, last] = self.band;
        if self.without == 0 {
            while at <= last {
                self.bits.refill();
                let symbol = ac.symbol(&self.bits)?;
                let negative = self.bits.value(symbol.total(), symbol.size()) < 0;
                self.bits.consume(symbol.total());
                if symbol.size() == 0 && symbol.run() < 15 {
                    self.without = self.blocks_without(symbol.run());
                    break;
                }
                at = self.refine([at, last], symbol.run(), values, *nonzero);
                if symbol.size() > 0 && at <= last {
                    *nonzero |= 1 << at;
                    if let Some(kept) = values.get_mut(at) {
                        *kept = if negative { -1 << self.shift } else { 1 << self.shift };
                    }
                }
                at += 1;
            }
        }
        if self.without > 0 {
            if at <= last {
                self.correct(*nonzero & (u64::MAX << at) & (u64::MAX >> (63 - last)), values);
            }
            self.without -= 1;
        }
        Ok(())
    }

    /// Refines from coefficient `at` up to the zero that `zeros` others precede, and returns its place.
    #[inline(always)]
    fn refine(&mut self, [at, last]: [usize; 2], zeros: usize, values: &mut [i16], nonzero: u64) -> usize {
        if at > last {
            return at;
        }
        let band = (u64::MAX << at) & (u64::MAX >> (63 - last));
        let mut free = band & !nonzero;
        for _ in 0..zeros {
            free &= free.wrapping_sub(1);
        }
        let stop = if free == 0 { last + 1 } else { free.trailing_zeros() as usize };
        let before = if stop > 63 { u64::MAX } else { (1 << stop) - 1 };
        self.correct(band & nonzero & before, values);
        stop
    }

    /// Reads the next lower bit of each coefficient that is in `nonzero`.
    #[inline(always)]
    fn correct(&mut self, nonzero: u64, values: &mut [i16]) {
        let mut left = nonzero;
        while left != 0 {
            let at = left.trailing_zeros() as usize;
            let Some(kept) = values.get_mut(at) else { break };
            left &= left - 1;
            self.bits.refill();
            let step = (self.bits.take(1) << self.shift) as i16;
            if *kept & step == 0 {
                *kept = if *kept < 0 { kept.wrapping_sub(step) } else { kept.wrapping_add(step) };
            }
        }
        let mut unread = left.count_ones();
        while unread > 0 {
            self.bits.refill();
            let length = unread.min(31);
            self.bits.consume(length);
            unread -= length;
        }
    }
}
