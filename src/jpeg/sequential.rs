//! The one scan of all components: pixels are made of each block as it is decoded.

use super::Refused;
use super::entropy::{Bits, Window};
use super::frame::Reduced;
use super::huffman::{self, Definition, Table};
use super::inverse::{Inverse, ZIGZAG, dequantised};
use super::output::Output;
use super::scan::{Scan, Tables};
use super::segments::Segment;

/// From this many blocks on, passing several symbols at once pays for its lookup.
const MANY_BLOCKS: usize = 8_192;

/// What the blocks of one component need.
struct Lane {
    /// Of `dc` and `ac`.
    tables: [usize; 2],
    steps: [u16; 64],
    needed: usize,
    inverse: Inverse,
    prediction: i32,
}

/// The tables of all that a scan names.
pub(super) struct Huffman {
    pub(super) dc: [Option<Table>; 4],
    pub(super) ac: [Option<Table>; 4],
}

impl Huffman {
    /// Those of `dc` and `ac` that are wanted; `skipping` if coefficients will be passed unread.
    pub(super) fn new(tables: &Tables, wanted: impl Fn(usize) -> [bool; 2], skipping: bool) -> Self {
        let build = |definitions: &[Option<Definition>; 4], kind: usize, skipping: bool| {
            std::array::from_fn(|at| {
                let definition = definitions[at].as_ref().filter(|_| wanted(at)[kind])?;
                let table = Table::new(definition);
                Some(if skipping { table.with_skip() } else { table })
            })
        };
        Self { dc: build(&tables.dc, 0, false), ac: build(&tables.ac, 1, skipping) }
    }
}

/// Decodes the scan that `segment` begins, and returns where it ends.
pub(super) fn decode(
    frame: &Reduced,
    segment: &Segment,
    file: &[u8],
    tables: &Tables,
    window: &mut Window,
    output: &mut Output,
) -> Result<usize, Refused> {
    let scan = Scan::of(segment, frame)?;
    let blocks: usize = frame.components.iter().map(|one| one.padded_blocks()).sum();
    let skipping = blocks >= MANY_BLOCKS && frame.components.iter().any(|one| one.last_needed() < 63);
    let wanted = |at| [scan.parts.iter().any(|part| part.dc == at), scan.parts.iter().any(|part| part.ac == at)];
    let huffman = Huffman::new(tables, wanted, skipping);
    let mut lanes = lanes(frame, segment, &scan, tables)?;
    let mut bits = Bits::new(file, segment.end(), window);
    let (mut left, mut restarts) = (tables.restart_interval, 0);
    for _ in 0..frame.mcus[1] {
        for column in 0..frame.mcus[0] {
            if tables.restart_interval > 0 {
                if left == 0 {
                    bits.restart(restarts)?;
                    restarts += 1;
                    left = tables.restart_interval;
                    lanes.iter_mut().for_each(|lane| lane.prediction = 0);
                }
                left -= 1;
            }
            bits.next_mcu()?;
            for (at, lane) in lanes.iter_mut().enumerate() {
                lane.mcu(frame, at, column, &huffman, &mut bits, output)?;
            }
        }
        bits.check_end()?;
        output.end_mcu_row();
    }
    bits.finish()
}

fn lanes(frame: &Reduced, segment: &Segment, scan: &Scan, tables: &Tables) -> Result<Vec<Lane>, Refused> {
    let undefined = || segment.damaged("a scan needs a table that is not defined");
    let lane = |part: &super::scan::Part| {
        let component = &frame.components[part.component];
        let steps = tables.quantisation[usize::from(component.sampling.table)].ok_or_else(undefined)?;
        if tables.dc[part.dc].is_none() || tables.ac[part.ac].is_none() {
            return Err(undefined());
        }
        Ok(Lane {
            tables: [part.dc, part.ac],
            steps,
            needed: component.last_needed(),
            inverse: Inverse::to(component.size, frame.avx2),
            prediction: 0,
        })
    };
    scan.parts.iter().map(lane).collect()
}

impl Lane {
    /// The blocks of component `at` in the MCU of `column`.
    #[inline(always)]
    fn mcu(
        &mut self,
        frame: &Reduced,
        at: usize,
        column: usize,
        huffman: &Huffman,
        bits: &mut Bits,
        output: &mut Output,
    ) -> Result<(), Refused> {
        let (Some(dc), Some(ac)) = (&huffman.dc[self.tables[0]], &huffman.ac[self.tables[1]]) else { return Ok(()) };
        let component = &frame.components[at];
        let (stride, [wide, high]) = (component.stride(), component.size);
        let stripe = output.stripe(at);
        for y in 0..component.sampling.down {
            for x in 0..component.sampling.across {
                let mut block = [0; 64];
                let put = |at: usize, value: i32| {
                    block[usize::from(ZIGZAG[at & 63])] = dequantised(value, self.steps[at & 63]);
                };
                let last = huffman::block(bits, (dc, ac), &mut self.prediction, self.needed, put)?;
                let place = y * high * stride + (column * component.sampling.across + x) * wide;
                self.inverse.write(&block, last, &mut stripe[place..], stride);
            }
        }
        Ok(())
    }
}
