//! What a scan's header says, and the tables that it names.

use super::Refused;
use super::color::Colors;
use super::frame::{Component, Reduced};
use super::huffman::Definition;
use super::segments::{Segment, marker};

/// Everything defined in the file so far.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// In zigzag order.
    pub(super) quantisation: [Option<[u16; 64]>; 4],
    pub(super) dc: [Option<Definition>; 4],
    pub(super) ac: [Option<Definition>; 4],
    /// MCUs; 0 is none.
    pub(super) restart_interval: usize,
    jfif: bool,
    /// What Adobe's marker says of the colours.
    adobe_transform: Option<u8>,
}

impl Tables {
    /// Takes in what `segment` defines, if anything.
    pub(super) fn take(&mut self, segment: &Segment) -> Result<(), Refused> {
        let taken = match segment.marker {
            marker::DQT => self.take_quantisation(segment.body),
            marker::DHT => self.take_huffman(segment.body),
            marker::DRI => self.take_interval(segment.body),
            marker::APP0 => {
                self.jfif |= segment.body.starts_with(b"JFIF\0");
                Ok(())
            }
            marker::APP14 => {
                if let [b'A', b'd', b'o', b'b', b'e', _, _, _, _, _, _, transform, ..] = segment.body {
                    self.adobe_transform = Some(*transform);
                }
                Ok(())
            }
            marker::DNL => return Err(Refused::Unsupported("whose height follows its first scan")),
            0xC0..=0xCF => Err("a second frame's header"),
            marker::EOI => Err("the end before the picture"),
            _ => Ok(()),
        };
        taken.map_err(|reason| segment.damaged(reason))
    }

    fn take_quantisation(&mut self, mut body: &[u8]) -> Result<(), &'static str> {
        while let [kind, rest @ ..] = body {
            let cut = "a quantisation table is cut off";
            let place =
                self.quantisation.get_mut(usize::from(kind & 15)).ok_or("a quantisation table is not 0 to 3")?;
            let mut steps = [0; 64];
            body = match kind >> 4 {
                0 => {
                    let (bytes, rest) = rest.split_first_chunk::<64>().ok_or(cut)?;
                    steps = bytes.map(u16::from);
                    rest
                }
                1 => {
                    let (bytes, rest) = rest.split_first_chunk::<128>().ok_or(cut)?;
                    for (step, pair) in steps.iter_mut().zip(bytes.chunks_exact(2)) {
                        *step = u16::from_be_bytes([pair[0], pair[1]]);
                    }
                    rest
                }
                _ => return Err("a quantisation table of neither 8 nor 16 bits"),
            };
            *place = Some(steps);
        }
        Ok(())
    }

    fn take_huffman(&mut self, mut body: &[u8]) -> Result<(), &'static str> {
        while let [kind, rest @ ..] = body {
            let tables = match kind >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err("a Huffman table for neither DC nor AC"),
            };
            let place = tables.get_mut(usize::from(kind & 15)).ok_or("a Huffman table is not 0 to 3")?;
            let (definition, rest) = Definition::read(rest)?;
            if kind >> 4 == 0 && !definition.is_of_dc() {
                return Err("a Huffman table for DC has symbols that are not");
            }
            *place = Some(definition);
            body = rest;
        }
        Ok(())
    }

    fn take_interval(&mut self, body: &[u8]) -> Result<(), &'static str> {
        let interval = body.first_chunk().ok_or("a restart interval is cut off")?;
        self.restart_interval = usize::from(u16::from_be_bytes(*interval));
        Ok(())
    }

    /// What the components are, by libjpeg's rules.
    pub(super) fn colors(&self, components: &[Component]) -> Colors {
        let named_rgb = || components.iter().map(|one| one.sampling.id).eq(*b"RGB");
        match (components.len(), self.jfif, self.adobe_transform) {
            (1, _, _) => Colors::Grey,
            (_, false, Some(0)) => Colors::Rgb,
            (_, false, None) if named_rgb() => Colors::Rgb,
            _ => Colors::YCbCr,
        }
    }
}

/// A scan's header.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    pub(super) parts: Vec<Part>,
    /// The first and last coefficient of each block, in zigzag order.
    pub(super) band: [usize; 2],
    /// How many lower bits were left to later scans before this one (0: it is the first), and are after it.
    pub(super) approximation: [u32; 2],
}

/// One component's part in a scan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// Of the component in the frame.
    pub(super) component: usize,
    pub(super) dc: usize,
    pub(super) ac: usize,
}

impl Scan {
    pub(super) fn of(segment: &Segment, frame: &Reduced) -> Result<Self, Refused> {
        let damaged = |reason| Err(segment.damaged(reason));
        let [count, rest @ ..] = segment.body else { return damaged("a scan's header is cut off") };
        if !(1..=3).contains(count) {
            return damaged("a scan of other than 1 to 3 components");
        }
        let Some((lines, [first, last, bits])) = rest.split_at_checked(usize::from(*count) * 2) else {
            return damaged("a scan's header has another length than its components");
        };
        let mut parts: Vec<Part> = Vec::new();
        for line in lines.chunks_exact(2) {
            let component = frame.components.iter().position(|one| one.sampling.id == line[0]);
            let Some(component) = component else { return damaged("a scan of a component that is not in the frame") };
            let [dc, ac] = [line[1] >> 4, line[1] & 15].map(usize::from);
            if dc > 3 || ac > 3 {
                return damaged("a scan's Huffman table is not 0 to 3");
            }
            if parts.iter().any(|part| part.component >= component) {
                return damaged("a scan's components are not in the frame's order");
            }
            parts.push(Part { component, dc, ac });
        }
        // A sequential scan brings all of a block, whatever is written.
        let [first, last, before, after] = match frame.progressive {
            true => [*first, *last, bits >> 4, bits & 15],
            false => [0, 63, 0, 0],
        };
        let (band, approximation) = ([first, last].map(usize::from), [before, after].map(u32::from));
        let scan = Self { parts, band, approximation };
        scan.check(segment, frame)?;
        Ok(scan)
    }

    fn check(&self, segment: &Segment, frame: &Reduced) -> Result<(), Refused> {
        let blocks = |part: &Part| {
            let sampling = frame.components[part.component].sampling;
            sampling.across * sampling.down
        };
        if self.parts.len() > 1 && self.parts.iter().map(blocks).sum::<usize>() > 10 {
            return Err(segment.damaged("an MCU of more than 10 blocks"));
        }
        if !frame.progressive {
            return Ok(());
        }
        let ([first, last], [before, after]) = (self.band, self.approximation);
        let of_dc = first == 0 && last == 0;
        let of_ac = 0 < first && first <= last && last < 64 && self.parts.len() == 1;
        if !of_dc && !of_ac {
            return Err(segment.damaged("a progressive scan of coefficients that do not go together"));
        }
        if after > 13 || (before != 0 && before != after + 1) {
            return Err(segment.damaged("a progressive scan does not refine by one bit"));
        }
        Ok(())
    }

    pub(super) fn is_refinement(&self) -> bool {
        self.approximation[0] != 0
    }
}

/// How far the scans so far have brought each component's coefficients.
#[derive(Debug, Default)]
pub(super) struct Progress([Lowest; 3]);

/// Of each coefficient the lowest bit that is known, once one is.
#[derive(Debug)]
struct Lowest([Option<u32>; 64]);

impl Default for Lowest {
    fn default() -> Self {
        Self([None; 64])
    }
}

impl Progress {
    /// Refuses a scan that does not go on where the ones before it ended: nothing is brought twice, so that a small file
    /// cannot have the whole picture visited time and again.
    pub(super) fn follow(&mut self, scan: &Scan, segment: &Segment) -> Result<(), Refused> {
        let [first, last] = scan.band;
        let [before, after] = scan.approximation;
        let due = scan.is_refinement().then_some(before);
        for part in &scan.parts {
            for lowest in &mut self.0[part.component].0[first..=last] {
                if *lowest != due {
                    return Err(segment.damaged("a scan that does not follow on the ones before it"));
                }
                *lowest = Some(after);
            }
        }
        Ok(())
    }
}
