//! Attention: for each head, every pixel's weighted mean of all pixels' values, weighted by how its query agrees with
//! their keys.
//!
//! Both products are convolutions of one pixel whose weights are computed, so they use its inner loop: keys and values
//! are packed as weights are.
//!
//! `unsafe` in this file: [`Attention::run`] checks the places; below it, addresses are of pixels in them and of numbers
//! in the scratch memory, whose length [`Attention::scratch`] gives.

use std::ops::Range;

use super::activation::exp;
use super::conv::tile::{Tile, Tiled};
use super::conv::{Ahead, Finish};
use super::level::Kernel;
use super::norm::total;
use super::simd::Simd;
use super::team::Shared;
use super::{LANES, Level, Place, Team};

/// Attention over the pixels of each image, without a mask.
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Heads; each has an equal share of the channels, a multiple of [`LANES`].
    pub heads: usize,
    /// Agreements are multiplied by this.
    pub scale: f32,
}

/// How far the parts of the scratch memory reach.
struct Scratch {
    /// Blocks of pixels.
    blocks: usize,
    keys: usize,
    values: usize,
    scores: usize,
}

impl Scratch {
    fn len(&self) -> usize {
        self.keys.saturating_add(self.values).saturating_add(self.scores)
    }
}

/// Most heads whose keys and values are packed at a time.
const SHARES: usize = 16;

impl Attention {
    fn parts(&self, level: Level, place: &Place) -> Scratch {
        let pixels = place.shape.height * place.shape.width;
        let of_head = place.shape.channels / self.heads.max(1);
        // Whole groups of blocks, as the tiles take them.
        let blocks = pixels.div_ceil(LANES).next_multiple_of(level.blocks());
        let packed = blocks * LANES * of_head.next_multiple_of(level.blocks() * LANES);
        Scratch { blocks, keys: packed, values: packed, scores: blocks * LANES * level.pixels() }
    }

    /// Shares that the heads of all images fall into, each with scratch memory of its own.
    fn shares(&self, place: &Place) -> usize {
        place.shape.images.saturating_mul(self.heads).min(SHARES)
    }

    /// Numbers of memory that a run needs beside its places.
    pub fn scratch(&self, level: Level, query: &Place) -> usize {
        let parts = self.parts(level, query);
        self.shares(query).saturating_mul(parts.len())
    }

    /// Computes `output` from queries, keys and values; `scratch` is where the memory of [`Attention::scratch`] begins.
    ///
    /// # Panics
    /// The places do not fit each other or the arena, or overlap the output or the scratch memory.
    pub fn run(
        &self,
        team: &mut Team,
        level: Level,
        arena: &mut [f32],
        [query, key, value]: [&Place; 3],
        output: &Place,
        scratch: usize,
    ) {
        let end = scratch.saturating_add(self.scratch(level, query));
        assert!(end <= arena.len(), "scratch memory beyond the arena");
        for place in [query, key, value, output] {
            assert!(place.end() <= arena.len(), "a place beyond the arena");
            assert!(place.end() <= scratch || end <= place.offset, "a place in the scratch memory");
            assert_eq!((place.shape, place.lanes), (query.shape, LANES), "what takes part in attention");
            assert!(place.is_dense(), "a halo in attention");
        }
        for place in [query, key, value] {
            assert!(!output.overlaps(place), "attention onto its input");
        }
        let of_head = query.shape.channels.checked_div(self.heads).unwrap_or_default();
        assert!(of_head.is_multiple_of(LANES) && of_head * self.heads == query.shape.channels, "channels of a head");
        output.require_apart();
        let (shares, arena) = (self.shares(query), Shared::of(arena));
        let pixels = query.shape.height * query.shape.width;
        let work = (query.shape.images * pixels).saturating_mul(pixels * query.shape.channels * 2) / shares.max(1);
        team.share(shares, work, |shares| {
            let arena = arena.start();
            level.run(Heads { of: self, level, arena, query, key, value, output, scratch, shares });
        });
    }
}

struct Heads<'a> {
    of: &'a Attention,
    level: Level,
    arena: *mut f32,
    query: &'a Place,
    key: &'a Place,
    value: &'a Place,
    output: &'a Place,
    scratch: usize,
    /// Those that are computed here, and by nobody else.
    shares: Range<usize>,
}

impl Kernel for Heads<'_> {
    type Answer = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let planes = self.query.planes() / self.of.heads;
        let pixels = self.query.shape.height * self.query.shape.width;
        let parts = self.of.parts(self.level, self.query);
        let tiled = Tiled::new(self.level, pixels, LANES);
        let (all, shares) = (self.query.shape.images * self.of.heads, self.of.shares(self.query));
        // Of the first share: those of one range are computed one after the other.
        let scratch = self.scratch + self.shares.start * parts.len();
        for share in self.shares.clone() {
            for number in all * share / shares..all * (share + 1) / shares {
                let (image, head) = (number / self.of.heads, number % self.of.heads);
                // SAFETY: `Attention::run` checked the places and the scratch memory; the processor has `S`.
                unsafe {
                    let keys = self.arena.add(scratch);
                    let values = keys.add(parts.keys);
                    let scores = values.add(parts.values);
                    let at = |place: &Place| self.arena.add(place.at(image, head * planes, 0, 0));
                    self.pack_keys(at(self.key), keys, &parts, planes, pixels);
                    self.pack_values(at(self.value), values, &parts, planes, pixels);
                    for column in (0..tiled.cut.spans()).flat_map(|span| tiled.cut.columns(span)) {
                        let count = tiled.cut.pixels;
                        let query = Operand {
                            start: at(self.query).add(column * LANES),
                            blocks: planes,
                            stride: self.query.plane_stride(),
                        };
                        self.product(&tiled, &query, keys, scores, count * LANES, parts.blocks);
                        self.softmax::<S>(scores, count, pixels, parts.blocks);
                        let weights = Operand { start: scores, blocks: parts.blocks, stride: count * LANES };
                        let output = at(self.output).add(column * LANES);
                        self.product(&tiled, &weights, values, output, self.output.plane_stride(), planes);
                    }
                }
            }
        }
    }
}

/// What a packed operand is multiplied with: blocks of channels of some pixels.
struct Operand {
    start: *const f32,
    blocks: usize,
    stride: usize,
}

static PLAIN: Finish = Finish { activation: super::Activation::Identity, low: f32::NEG_INFINITY, high: f32::INFINITY };

static ZEROS: [f32; 2 * LANES] = [0.0; 2 * LANES];

impl Heads<'_> {
    /// `output`'s blocks from `operand` and packed weights.
    ///
    /// # Safety
    /// The operand may be read for a tile's pixels, the packed weights for all blocks, and the output written.
    #[inline(always)]
    unsafe fn product(
        &self,
        tiled: &Tiled,
        operand: &Operand,
        packed: *const f32,
        output: *mut f32,
        output_stride: usize,
        blocks: usize,
    ) {
        let group = self.level.blocks();
        for first in (0..blocks).step_by(group) {
            // SAFETY: the caller's.
            unsafe {
                let tile = Tile {
                    input: operand.start,
                    weights: packed.add(first * operand.blocks * LANES * LANES),
                    bias: ZEROS.as_ptr(),
                    residual: std::ptr::null(),
                    output: output.add(first * output_stride),
                    blocks: operand.blocks,
                    kernel: [1, 1],
                    channels: LANES,
                    last_channels: LANES,
                    block_stride: operand.stride,
                    tap_stride: [0, 0],
                    channel_stride: 1,
                    step: LANES,
                    output_stride,
                    residual_stride: 0,
                    ahead: Ahead::NOTHING,
                    finish: &PLAIN,
                };
                tiled.run(&tile, group.min(blocks - first));
            }
        }
    }

    /// Keys as weights whose output channels are the pixels: group of blocks, channel, block, lane.
    ///
    /// # Safety
    /// `from` may be read for all pixels of `planes` planes, and `to` written for the keys.
    unsafe fn pack_keys(&self, from: *const f32, to: *mut f32, parts: &Scratch, planes: usize, pixels: usize) {
        let (group, stride) = (self.level.blocks(), self.key.plane_stride());
        let mut at = 0;
        for first in (0..parts.blocks).step_by(group) {
            for channel in 0..planes * LANES {
                for pixel in first * LANES..(first + group) * LANES {
                    // SAFETY: the caller's.
                    unsafe {
                        let source = from.add(channel / LANES * stride + pixel * LANES + channel % LANES);
                        to.add(at).write(if pixel < pixels { source.read() } else { 0.0 });
                    }
                    at += 1;
                }
            }
        }
    }

    /// Values as weights whose input channels are the pixels: group of blocks, pixel, block, lane.
    ///
    /// # Safety
    /// As for [`Self::pack_keys`].
    unsafe fn pack_values(&self, from: *const f32, to: *mut f32, parts: &Scratch, planes: usize, pixels: usize) {
        let (group, stride) = (self.level.blocks(), self.value.plane_stride());
        let mut at = 0;
        for first in (0..planes).step_by(group) {
            for pixel in 0..parts.blocks * LANES {
                for plane in first..planes.min(first + group) {
                    // SAFETY: the caller's.
                    unsafe {
                        let target = std::slice::from_raw_parts_mut(to.add(at), LANES);
                        match pixel < pixels {
                            true => target.copy_from_slice(std::slice::from_raw_parts(
                                from.add(plane * stride + pixel * LANES),
                                LANES,
                            )),
                            false => target.fill(0.0),
                        }
                    }
                    at += LANES;
                }
            }
        }
    }

    /// Scores of `count` pixels become weights: each pixel's are positive and add up to one, those beyond `pixels` are 0.
    ///
    /// # Safety
    /// The processor has `S`; `blocks` blocks of scores of `count` pixels may be read and written.
    #[inline(always)]
    unsafe fn softmax<S: Simd>(&self, scores: *mut f32, count: usize, pixels: usize, blocks: usize) {
        // SAFETY: the caller's.
        unsafe {
            let scale = S::splat(self.of.scale);
            for pixel in 0..count {
                let at = |block: usize| scores.add((block * count + pixel) * LANES);
                let mut numbers = [f32::NEG_INFINITY; LANES];
                let mut largest = S::splat(f32::NEG_INFINITY);
                for block in 0..pixels / LANES {
                    largest = S::max(largest, S::load(at(block)));
                }
                S::store(largest, numbers.as_mut_ptr());
                for lane in 0..pixels % LANES {
                    numbers[lane] = numbers[lane].max(*at(pixels / LANES).add(lane));
                }
                let top = S::splat(numbers.into_iter().fold(f32::NEG_INFINITY, f32::max));
                let mut sum = S::splat(0.0);
                for block in 0..blocks {
                    let weight = exp::<S>(S::mul(S::sub(S::load(at(block)), top), scale));
                    S::store(weight, at(block));
                    for lane in pixels.saturating_sub(block * LANES).min(LANES)..LANES {
                        *at(block).add(lane) = 0.0;
                    }
                    sum = S::add(sum, S::load(at(block)));
                }
                let over = S::splat(1.0 / total::<S>(sum));
                for block in 0..blocks {
                    S::store(S::mul(S::load(at(block)), over), at(block));
                }
            }
        }
    }
}
