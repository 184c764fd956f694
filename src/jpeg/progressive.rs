//! Pictures of several scans: coefficients are collected first, and pixels made of them at the end.

use super::blocks::{Coefficients, Stored};
use super::entropy::{Bits, Window};
use super::frame::Reduced;
use super::inverse::{Inverse, ZIGZAG, dequantised};
use super::output::Output;
use super::pass::Pass;
use super::scan::{Progress, Scan, Tables};
use super::segments::{Segment, Segments, marker, scan_end};
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
        let (mut found, mut progress) = (Vec::new(), Progress::default());
        let mut segment = first;
        while segment.marker != marker::EOI {
            if segment.marker == marker::SOS {
                if found.len() == MAX_SCANS {
                    return Err(Refused::Unsupported("of more than 64 scans"));
                }
                let scan = Scan::of(&segment, self.frame)?;
                progress.follow(&scan, &segment)?;
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
        for part in &scan.parts {
            let table = usize::from(self.frame.components[part.component].sampling.table);
            let steps = &mut self.steps[part.component];
            let defined = steps.or(tables.quantisation[table]);
            *steps = Some(defined.ok_or_else(|| segment.damaged("a scan needs a table that is not defined"))?);
        }
        let bits = Bits::new(file, segment.end(), self.window);
        Pass { frame: self.frame, segment, scan, tables, bits }.decode(self.stored)
    }

    /// Makes pixels of everything.
    pub(super) fn write(self, output: &mut Output) {
        let steps = self.steps.map(|steps| steps.unwrap_or([0; 64]));
        let inverses: Vec<Inverse> =
            self.frame.components.iter().map(|one| Inverse::to(one.size, self.frame.avx2)).collect();
        for row in 0..self.frame.mcus[1] {
            for (at, (component, inverse)) in self.frame.components.iter().zip(&inverses).enumerate() {
                let stride = component.stride();
                let stripe = output.stripe(at);
                for y in 0..component.sampling.down {
                    for x in 0..component.padded[0] {
                        let block = (row * component.sampling.down + y) * component.padded[0] + x;
                        let (values, _) = self.stored[at].block(block);
                        let mut pixels_of = [0; 64];
                        let mut last = 0;
                        for (place, value) in values.iter().enumerate().filter(|(_, value)| **value != 0) {
                            pixels_of[usize::from(ZIGZAG[place & 63])] =
                                dequantised(i32::from(*value), steps[at][place & 63]);
                            last = place;
                        }
                        let place = y * component.size[1] * stride + x * component.size[0];
                        inverse.write(&pixels_of, last, &mut stripe[place..], stride);
                    }
                }
            }
            output.end_mcu_row();
        }
    }
}
