//! From components' pixels, a row of MCUs at a time, to the picture: upsampled where sampled less, and as RGB.

use super::avx2::Avx2;
use super::color::Colors;
use super::frame::{Component, Reduced};

/// Kept from one picture to the next.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    planes: [Vec<u8>; 3],
    rows: [Vec<u8>; 3],
    sums: Vec<u16>,
}

impl Buffers {
    pub(super) fn bytes(&self) -> usize {
        self.planes.iter().chain(&self.rows).map(Vec::capacity).sum()
    }
}

/// How a component's pixels become the picture's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Upsampled {
    /// Pixels for each, across and down.
    pub(super) by: [usize; 2],
    /// Whether neighbours are mixed three to one, as libjpeg does where the factors are 2.
    mixed: bool,
}

impl Upsampled {
    pub(super) fn by(across: usize, down: usize, eighths: usize) -> Self {
        let mixed = eighths > 1 && matches!((across, down), (2, 1 | 2) | (1, 2));
        Self { by: [across, down], mixed }
    }
}

/// The picture so far. Each component has the pixels of the current row of MCUs and of the one before it.
pub(super) struct Output<'a> {
    frame: &'a Reduced,
    colors: Colors,
    buffers: &'a mut Buffers,
    rgb: Vec<u8>,
    mcu_row: usize,
    /// Rows of `rgb`.
    written: usize,
}

impl<'a> Output<'a> {
    pub(super) fn new(frame: &'a Reduced, colors: Colors, mut rgb: Vec<u8>, buffers: &'a mut Buffers) -> Self {
        let length = frame.size[0] * frame.size[1] * 3;
        if rgb.capacity() < length {
            rgb = vec![0; length]; // the system's own zeros, which nobody has to write
        }
        rgb.resize(length, 0);
        for (one, (plane, row)) in frame.components.iter().zip(buffers.planes.iter_mut().zip(&mut buffers.rows)) {
            plane.resize(2 * one.stripe_rows() * one.stride(), 0);
            row.resize(frame.size[0], 0);
        }
        Self { frame, colors, buffers, rgb, mcu_row: 0, written: 0 }
    }

    /// The rows of `component` in the current row of MCUs, [`Component::stride`] bytes each.
    #[inline(always)]
    pub(super) fn stripe(&mut self, component: usize) -> &mut [u8] {
        let plane = &mut self.buffers.planes[component];
        let half = plane.len() / 2;
        if self.mcu_row.is_multiple_of(2) { &mut plane[..half] } else { &mut plane[half..] }
    }

    /// All components' stripes are filled.
    pub(super) fn end_mcu_row(&mut self) {
        self.mcu_row += 1;
        let rows = self.mcu_row * self.frame.mcu_rows;
        // The last row of the stripe may be mixed with the first of the next.
        let ready = if rows < self.frame.size[1] { rows - self.lag() } else { self.frame.size[1] };
        while self.written < ready {
            self.write_row();
            self.written += 1;
        }
    }

    fn lag(&self) -> usize {
        usize::from(self.frame.components.iter().any(|one| one.upsampled.mixed && one.upsampled.by[1] == 2))
    }

    fn write_row(&mut self) {
        let [width, at] = [self.frame.size[0], self.written];
        let Buffers { planes, rows, sums } = &mut *self.buffers;
        for (one, (plane, row)) in self.frame.components.iter().zip(planes.iter().zip(rows.iter_mut())) {
            if one.upsampled.by != [1, 1] {
                one.upsample(plane, at, row, sums, self.frame.avx2);
            }
        }
        let mut sources: [&[u8]; 3] = [&[]; 3];
        for (source, (one, (plane, row))) in
            sources.iter_mut().zip(self.frame.components.iter().zip(planes.iter().zip(rows.iter())))
        {
            *source = if one.upsampled.by == [1, 1] { one.row(plane, at) } else { row };
        }
        let rgb = &mut self.rgb[at * width * 3..(at + 1) * width * 3];
        self.colors.write(sources, rgb, self.frame.avx2);
    }

    /// Width, height and the samples of the picture.
    pub(super) fn finish(self) -> (u32, u32, Vec<u8>) {
        let [width, height] = self.frame.size.map(|side| side as u32); // at most 65,535
        (width, height, self.rgb)
    }
}

impl Component {
    pub(super) fn stride(&self) -> usize {
        self.padded[0] * self.size[0]
    }

    fn stripe_rows(&self) -> usize {
        self.sampling.down * self.size[1]
    }

    /// The picture's part of row `at`, which has to be in the current stripe or in the one before.
    fn row<'a>(&self, plane: &'a [u8], at: usize) -> &'a [u8] {
        let start = at % (2 * self.stripe_rows()) * self.stride();
        &plane[start..start + self.pixels[0]]
    }

    /// Row `at` of the picture.
    fn upsample(&self, plane: &[u8], at: usize, row: &mut [u8], sums: &mut Vec<u16>, avx2: Option<Avx2>) {
        let [across, down] = self.upsampled.by;
        let own = at / down;
        let near = self.row(plane, own);
        let mixed_across = self.upsampled.mixed && (across == 1 || near.len() > 2);
        if !mixed_across {
            for (pixels, sample) in row.chunks_mut(across).zip(near) {
                pixels.fill(*sample);
            }
            return;
        }
        let upper = at.is_multiple_of(2);
        let neighbour = if upper { own.saturating_sub(1) } else { (own + 1).min(self.pixels[1] - 1) };
        let far = self.row(plane, neighbour);
        match (across, down) {
            (2, _) => {
                let (far, rounding) = if down == 1 { (near, [4, 8]) } else { (far, [8, 7]) };
                match avx2 {
                    Some(avx2) => avx2.run(|| double(near, far, rounding, sums, row)),
                    None => double(near, far, rounding, sums, row),
                }
            }
            _ => {
                let rounding = if upper { 1 } else { 2 };
                for (pixel, (near, far)) in row.iter_mut().zip(near.iter().zip(far)) {
                    *pixel = (three_to_one(u16::from(*near), u16::from(*far)).wrapping_add(rounding) >> 2) as u8;
                }
            }
        }
    }
}

/// Each sample to two: mixed with its neighbour of the farther row, and then with that on either side; at the borders
/// with itself.
#[inline(always)]
fn double(near: &[u8], far: &[u8], [left, right]: [u16; 2], sums: &mut Vec<u16>, row: &mut [u8]) {
    sums.clear();
    sums.push(0);
    sums.extend(near.iter().zip(far).map(|(near, far)| three_to_one(u16::from(*near), u16::from(*far))));
    let count = near.len();
    sums.push(sums[count]);
    sums[0] = sums[1];
    let neighbours = sums.iter().zip(&sums[1..]).zip(&sums[2..]);
    let pixel = |own: u16, next: u16, rounding: u16| (three_to_one(own, next).wrapping_add(rounding) >> 4) as u8;
    for (pixels, ((before, own), after)) in row.chunks_exact_mut(2).zip(neighbours) {
        pixels[0] = pixel(*own, *before, left);
        pixels[1] = pixel(*own, *after, right);
    }
    if let [last] = row.chunks_exact_mut(2).into_remainder() {
        *last = pixel(sums[count], sums[count - 1], left);
    }
}

/// Nothing is cut off at 16 bits: samples of 8 bits are mixed twice at most.
#[inline(always)]
fn three_to_one(near: u16, far: u16) -> u16 {
    near.wrapping_mul(3).wrapping_add(far)
}
