//! The frame's header, and how large everything becomes at a scale.

use super::avx2::Avx2;
use super::blocks::Stored;
use super::output::Upsampled;
use super::segments::{Segment, marker};
use super::{Limits, Refused};

/// What is held beside blocks and pixels: tables, the window on the file, a few rows.
const FIXED_BYTES: u64 = 1 << 20;

/// A frame's header, as it is in the file.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) progressive: bool,
    pub(super) components: Vec<Sampling>,
}

/// A component's line of the frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sampling {
    pub(super) id: u8,
    /// Blocks in an MCU, across and down.
    pub(super) across: usize,
    pub(super) down: usize,
    /// Of the quantisation table.
    pub(super) table: u8,
}

impl Frame {
    /// `None` if the segment is another.
    pub(super) fn of(segment: &Segment) -> Result<Option<Self>, Refused> {
        let unsupported = |what| Err(Refused::Unsupported(what));
        let progressive = match segment.marker {
            0xC0 | 0xC1 => false,
            0xC2 => true,
            0xC3 => return unsupported("that is lossless"),
            0xC5..=0xC7 | 0xCD..=0xCF => return unsupported("that is hierarchical"),
            0xC9..=0xCB => return unsupported("with arithmetic coding"),
            marker::SOS => return Err(segment.damaged("a scan before the frame's header")),
            marker::EOI => return Err(segment.damaged("the end before any scan")),
            _ => return Ok(None),
        };
        let [bits, h1, h0, w1, w0, count, listed @ ..] = segment.body else {
            return Err(segment.damaged("the frame's header is too short"));
        };
        let [width, height] = [[*w1, *w0], [*h1, *h0]].map(u16::from_be_bytes);
        if *bits != 8 {
            return unsupported("of other than 8 bits a sample");
        }
        if height == 0 {
            return unsupported("whose height follows its first scan");
        }
        if width == 0 {
            return Err(segment.damaged("it is 0 pixels wide"));
        }
        match count {
            1 | 3 => {}
            4 => return unsupported("with four components (CMYK)"),
            _ => return unsupported("of other than 1 or 3 components"),
        }
        if listed.len() != usize::from(*count) * 3 {
            return Err(segment.damaged("the frame's header has another length than its components"));
        }
        let components =
            listed.chunks_exact(3).map(|line| Sampling::of(segment, line)).collect::<Result<Vec<_>, _>>()?;
        let mut frame = Self { width, height, progressive, components };
        frame.check_sampling(segment)?;
        Ok(Some(frame))
    }

    fn check_sampling(&mut self, segment: &Segment) -> Result<(), Refused> {
        let all = &mut self.components;
        if let [only] = &mut all[..] {
            (only.across, only.down) = (1, 1); // a single component's blocks are in no MCU
        }
        let twice = |(at, one): (usize, &Sampling)| all[..at].iter().any(|other| other.id == one.id);
        if all.iter().enumerate().any(twice) {
            return Err(segment.damaged("two components have the same number"));
        }
        let (across, down) = (most(all, |c| c.across), most(all, |c| c.down));
        if all.iter().any(|c| across % c.across != 0 || down % c.down != 0) {
            return Err(Refused::Unsupported("whose components' sizes are no multiples of each other"));
        }
        Ok(())
    }

    /// The sizes of everything when a block becomes `eighths` pixels wide.
    pub(super) fn reduced(&self, eighths: usize, avx2: Option<Avx2>) -> Reduced {
        let all = &self.components;
        let (across, down) = (most(all, |c| c.across), most(all, |c| c.down));
        let [width, height] = [self.width, self.height].map(usize::from);
        let mcus = [width.div_ceil(8 * across), height.div_ceil(8 * down)];
        let components = all
            .iter()
            .map(|sampling| {
                let (spread, rise) = (across / sampling.across, down / sampling.down);
                let size = [pixels_of_block(eighths * spread), pixels_of_block(eighths * rise)];
                Component {
                    sampling: *sampling,
                    blocks: [width.div_ceil(8 * spread), height.div_ceil(8 * rise)],
                    padded: [mcus[0] * sampling.across, mcus[1] * sampling.down],
                    pixels: [(width * size[0]).div_ceil(8 * spread), (height * size[1]).div_ceil(8 * rise)],
                    size,
                    upsampled: Upsampled::by(eighths * spread / size[0], eighths * rise / size[1], eighths),
                }
            })
            .collect();
        Reduced {
            full: [width, height],
            size: [(width * eighths).div_ceil(8), (height * eighths).div_ceil(8)],
            mcus,
            mcu_rows: down * eighths,
            progressive: self.progressive,
            avx2,
            components,
        }
    }
}

impl Sampling {
    fn of(segment: &Segment, line: &[u8]) -> Result<Self, Refused> {
        let &[id, factors, table] = line else { return Err(segment.damaged("the frame's header is too short")) };
        let (across, down) = (usize::from(factors >> 4), usize::from(factors & 15));
        if !(1..=4).contains(&across) || !(1..=4).contains(&down) {
            return Err(segment.damaged("a sampling factor is not 1 to 4"));
        }
        if table > 3 {
            return Err(segment.damaged("a component's quantisation table is not 0 to 3"));
        }
        Ok(Self { id, across, down, table })
    }
}

fn most(components: &[Sampling], factor: impl Fn(&Sampling) -> usize) -> usize {
    components.iter().map(factor).max().unwrap_or(1)
}

/// The largest inverse transform that divides `wanted` pixels: what is left is upsampled.
fn pixels_of_block(wanted: usize) -> usize {
    [8, 4, 2].into_iter().find(|size| wanted.is_multiple_of(*size)).unwrap_or(1)
}

/// A frame at a scale. Of two numbers the first goes across.
#[derive(Debug, Clone)]
pub(super) struct Reduced {
    /// Pixels before.
    pub(super) full: [usize; 2],
    /// Pixels after.
    pub(super) size: [usize; 2],
    pub(super) mcus: [usize; 2],
    /// Rows of pixels that a row of MCUs becomes.
    pub(super) mcu_rows: usize,
    pub(super) progressive: bool,
    /// What its pixels are made with.
    pub(super) avx2: Option<Avx2>,
    pub(super) components: Vec<Component>,
}

#[derive(Debug, Clone)]
pub(super) struct Component {
    pub(super) sampling: Sampling,
    /// Blocks that hold a part of the picture.
    pub(super) blocks: [usize; 2],
    /// Blocks of all MCUs.
    pub(super) padded: [usize; 2],
    /// Pixels of the picture, before they are upsampled.
    pub(super) pixels: [usize; 2],
    /// Pixels that a block becomes.
    pub(super) size: [usize; 2],
    pub(super) upsampled: Upsampled,
}

impl Component {
    /// The last coefficient, in zigzag order, that a block's pixels depend on.
    pub(super) fn last_needed(&self) -> usize {
        super::inverse::last_needed(self.size)
    }

    pub(super) fn padded_blocks(&self) -> usize {
        self.padded[0] * self.padded[1]
    }
}

impl Reduced {
    /// Refuses what is larger than allowed, by what [`Self::bytes`] says; no factor here exceeds 16 bits, so nothing overflows 64.
    pub(super) fn check(&self, limits: &Limits, stored: bool) -> Result<(), Refused> {
        let [width, height] = self.full;
        if (width * height) as u64 > limits.pixels {
            let found = format!("{width} x {height} pixels");
            return Err(Refused::TooLarge { found, limit: format!("{} pixels", limits.pixels) });
        }
        let needed = self.bytes(stored);
        if needed > limits.bytes {
            return Err(Refused::TooLarge {
                found: format!("{needed} bytes"),
                limit: format!("{} bytes", limits.bytes),
            });
        }
        Ok(())
    }

    /// Of memory; `stored` if all coefficients are held at once.
    fn bytes(&self, stored: bool) -> u64 {
        let held = |one: &Component| {
            let kept = if stored { Stored::bytes_per_block(one) } else { 0 };
            let rows = 2 * one.sampling.down * one.size[1] * one.padded[0] * one.size[0];
            one.padded_blocks() * kept + rows + self.size[0]
        };
        let all: usize = self.components.iter().map(held).sum();
        (all + self.size[0] * self.size[1] * 3) as u64 + FIXED_BYTES
    }
}
