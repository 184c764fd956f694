//! Memory for one call of a kernel. All of it but the inputs is not a number, each number in a way of its own: what is
//! read beyond an input makes the answer no number, and what is written beyond the output is found. So do the channels
//! that pad an input's last block. Memory ends where the last place does, for sanitizers.

use strongroom_kernels::{Halo, Level, Place, Shape, Team};

use super::reference::{Exact, Tensor};
use super::team::{same_bits, with_any};

/// How a value lies in memory.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layout {
    pub halo: Halo,
    /// Planes of other values before and behind it in each image.
    pub neighbours: [usize; 2],
    /// Numbers before all of it.
    pub gap: usize,
}

impl Layout {
    /// With a halo at least as wide as `need`.
    pub fn around(mut self, need: Halo) -> Self {
        let Halo { top, left, bottom, right } = self.halo;
        self.halo = Halo {
            top: top + need.top,
            left: left + need.left,
            bottom: bottom + need.bottom,
            right: right + need.right,
        };
        self
    }
}

/// Memory with values in it.
#[derive(Clone, Default)]
pub struct Scene {
    pub arena: Vec<f32>,
}

fn canary(at: usize) -> f32 {
    f32::from_bits(0x7fc0_0000 | (at as u32 & 0x003f_ffff))
}

impl Scene {
    /// A place behind all others.
    pub fn room(&mut self, layout: &Layout, shape: Shape, lanes: usize) -> Place {
        let [before, behind] = layout.neighbours;
        let planes = before + shape.channels.div_ceil(lanes) + behind;
        let of_all = Shape { channels: planes * lanes, ..shape };
        let start = self.arena.len() + layout.gap;
        let whole = match lanes {
            1 => Place::planar(start, of_all, layout.halo),
            _ => Place::blocked(start, of_all, layout.halo),
        };
        self.arena.extend((self.arena.len()..whole.end()).map(canary));
        self.arena.shrink_to_fit();
        whole.part(before, shape.channels)
    }

    /// A place with `tensor` in it and zeros around its planes.
    pub fn put(&mut self, layout: &Layout, tensor: &Tensor<f32>, lanes: usize) -> Place {
        let place = self.room(layout, tensor.shape, lanes);
        for image in 0..tensor.shape.images {
            for plane in 0..place.planes() {
                let start = place.offset + image * place.image_stride + plane * place.plane_stride();
                self.arena[start..start + place.plane_stride()].fill(0.0);
            }
        }
        let Shape { images, height, width, .. } = tensor.shape;
        let padded = Shape { images, channels: place.planes() * lanes, height, width };
        let numbers = Tensor::of(padded, |[image, channel, row, column]| {
            let at = place.at(image, channel / lanes, row, column) + channel % lanes;
            let is_real = channel < tensor.shape.channels;
            (at, if is_real { tensor.at([image, channel, row, column]) } else { canary(at) })
        });
        numbers.numbers.into_iter().for_each(|(at, number)| self.arena[at] = number);
        place
    }

    /// Runs `kernel`, which may write `output` alone, and nothing but zeros to its halo.
    /// Several threads write the same.
    pub fn run(&mut self, output: &Place, kernel: impl Fn(&mut Team, &mut [f32])) {
        let before = self.arena.clone();
        kernel(&mut Team::alone(), &mut self.arena);
        let mut together = before.clone();
        with_any(|team| kernel(team, &mut together));
        assert!(same_bits(&self.arena, &together), "several threads write other numbers than one");
        let mut area = vec![Area::Outside; self.arena.len()];
        for image in 0..output.shape.images {
            for plane in 0..output.planes() {
                let start = output.offset + image * output.image_stride + plane * output.plane_stride();
                area[start..start + output.plane_stride()].fill(Area::Halo);
                for row in 0..output.shape.height {
                    let start = output.at(image, plane, row, 0);
                    area[start..start + output.shape.width * output.lanes].fill(Area::Value);
                }
            }
        }
        for (at, (before, after)) in before.iter().zip(&self.arena).enumerate() {
            let is_kept = before.to_bits() == after.to_bits();
            let is_allowed = area[at] == Area::Value || is_kept || (area[at] == Area::Halo && *after == 0.0);
            assert!(is_allowed, "{after} was written at {at}, beyond {output:?}");
        }
    }

    /// The value at `place`.
    pub fn value(&self, place: &Place) -> Tensor<f32> {
        Tensor::of(place.shape, |[image, channel, row, column]| {
            self.arena[place.at(image, channel / place.lanes, row, column) + channel % place.lanes]
        })
    }

    /// Holds the value at `place` against what it should be.
    pub fn check(&self, place: &Place, expected: &Tensor<Exact>, case: &dyn std::fmt::Debug) {
        assert_eq!(place.shape, expected.shape);
        let found = self.value(place);
        Tensor::of(place.shape, |at| {
            let (found, exact) = (found.at(at), expected.at(at));
            assert!(exact.admits(found), "{found} at {at:?}, not {exact:?}: {case:?}");
        });
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Area {
    Outside,
    Halo,
    Value,
}

/// All levels this processor has.
pub fn levels() -> Vec<Level> {
    Level::available()
}

/// Numbers between -2 and 2, different ones for each seed.
pub fn numbers(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 40) as f32 / (1 << 22) as f32 - 2.0
    };
    (0..len).map(|_| next()).collect()
}

pub fn tensor(seed: u64, shape: Shape) -> Tensor<f32> {
    let numbers = numbers(seed, shape.images * shape.channels * shape.height * shape.width);
    Tensor { shape, numbers }
}
