//! Sums of products of bytes, for a block of sixteen channels: what quantized convolutions are written in.
//!
//! `unsafe` in this file: as in [`crate::simd`], every method is a few instructions of the set it is named after, which
//! the processor has by the trait's contract; pointers are good for as many bytes as each method says.

#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Vnni, Wide, Wider};

use crate::Level;
use crate::simd::{LANES, Portable, Simd};

/// Products that are added at once.
pub(super) const QUAD: usize = 4;

/// An instruction set's way with sixteen sums of products of bytes.
///
/// # Safety
/// Methods may be called only on a processor that has the set, and that of `Floats`.
pub(super) trait Dots: Copy {
    /// What sums are finished with.
    type Floats: Simd;
    /// Sixteen sums.
    type Sums: Copy;
    /// Four weights of each of sixteen channels.
    type Weights: Copy;
    /// Four bytes, the same for all channels.
    type Quad: Copy;
    /// Four bytes of each of sixteen channels.
    type Four: Copy;

    /// Sixteen sums from memory.
    unsafe fn load(from: *const i32) -> Self::Sums;
    unsafe fn store(sums: Self::Sums, to: *mut i32);
    /// Weights as [`Set::write`] has written them: [`Set::weight_bytes`] of them.
    unsafe fn weights(from: *const i8) -> Self::Weights;
    /// Four bytes that are neighbours.
    unsafe fn quad(from: *const u8) -> Self::Quad;
    /// Of each channel of a block the bytes of four pixels, `apart` bytes from one to the next.
    unsafe fn four(from: *const u8, apart: usize) -> Self::Four;
    unsafe fn dot(sums: Self::Sums, quad: Self::Quad, weights: Self::Weights) -> Self::Sums;
    unsafe fn dot_each(sums: Self::Sums, four: Self::Four, weights: Self::Weights) -> Self::Sums;
    unsafe fn floats(sums: Self::Sums) -> <Self::Floats as Simd>::Block;
}

/// An instruction set that sums of products are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    /// Any processor.
    Portable,
    /// AVX2: products of pairs of 16 bits.
    #[cfg(target_arch = "x86_64")]
    Wide,
    /// AVX-512 BW: as many again at once.
    #[cfg(target_arch = "x86_64")]
    Wider,
    /// AVX-512 with VNNI: products of four bytes.
    #[cfg(target_arch = "x86_64")]
    Vnni,
}

impl Set {
    /// That of a level.
    pub(super) fn of(level: Level) -> Self {
        level.require();
        match level {
            Level::Portable => Self::Portable,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Self::Wide,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Self::Wider,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Vnni => Self::Vnni,
        }
    }

    /// Output blocks of a tile.
    pub(super) fn blocks(self) -> usize {
        match self {
            Self::Portable => 1,
            #[cfg(target_arch = "x86_64")]
            Self::Wide => 1,
            #[cfg(target_arch = "x86_64")]
            Self::Wider | Self::Vnni => 2,
        }
    }

    /// Pixels whose sums a tile keeps in registers.
    pub(super) fn pixels(self) -> usize {
        match self {
            Self::Portable => 2,
            #[cfg(target_arch = "x86_64")]
            Self::Wide => 4,
            #[cfg(target_arch = "x86_64")]
            Self::Wider => 12,
            #[cfg(target_arch = "x86_64")]
            Self::Vnni => 14,
        }
    }

    /// Bytes that four weights of sixteen channels take.
    pub(super) fn weight_bytes(self) -> usize {
        match self {
            Self::Portable => 2 * LANES * QUAD,
            #[cfg(target_arch = "x86_64")]
            Self::Wide | Self::Wider => 2 * LANES * QUAD,
            #[cfg(target_arch = "x86_64")]
            Self::Vnni => LANES * QUAD,
        }
    }

    /// Writes four weights of sixteen channels to [`Set::weight_bytes`] bytes.
    pub(super) fn write(self, weights: &[[i8; QUAD]; LANES], to: &mut [i8]) {
        let wide = |weight: i8| i16::from(weight).to_le_bytes().map(|byte| byte as i8);
        let put = |to: &mut [i8], from: &mut dyn Iterator<Item = i8>| {
            to.iter_mut().zip(from).for_each(|(to, byte)| *to = byte)
        };
        match self {
            // In 16 bits, the first of all channels first.
            Self::Portable => {
                put(to, &mut (0..QUAD).flat_map(|at| weights.iter().flat_map(move |four| wide(four[at]))));
            }
            // The first and the third of each channel in 16 bits, then the second and the fourth.
            #[cfg(target_arch = "x86_64")]
            Self::Wide | Self::Wider => {
                let pair =
                    |first: usize| weights.iter().flat_map(move |four| [wide(four[first]), wide(four[first + 2])]);
                put(to, &mut pair(0).chain(pair(1)).flatten());
            }
            #[cfg(target_arch = "x86_64")]
            Self::Vnni => to.copy_from_slice(weights.as_flattened()),
        }
    }

    /// Runs `work`, compiled for this set.
    pub(super) fn run<W: Work>(self, work: W) {
        match self {
            // SAFETY: every processor has it.
            Self::Portable => unsafe { work.run::<Portable>() },
            // SAFETY: `of` saw that the processor has it.
            #[cfg(target_arch = "x86_64")]
            Self::Wide => unsafe { wide(work) },
            // SAFETY: `of` saw that the processor has it.
            #[cfg(target_arch = "x86_64")]
            Self::Wider => unsafe { wider(work) },
            // SAFETY: `of` saw that the processor has it.
            #[cfg(target_arch = "x86_64")]
            Self::Vnni => unsafe { vnni(work) },
        }
    }
}

/// Work that is written over the set.
pub(super) trait Work {
    /// Does it. To be `#[inline(always)]`, so that it is compiled as a part of a function with the set's instructions.
    ///
    /// # Safety
    /// The processor has the instructions of `D`.
    unsafe fn run<D: Dots>(self);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn wide<W: Work>(work: W) {
    // SAFETY: the caller's processor has AVX2 and FMA.
    unsafe { work.run::<Wide>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx2,fma")]
unsafe fn wider<W: Work>(work: W) {
    // SAFETY: the caller's processor has AVX-512 F and BW.
    unsafe { work.run::<Wider>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma")]
unsafe fn vnni<W: Work>(work: W) {
    // SAFETY: the caller's processor has AVX-512 with VNNI.
    unsafe { work.run::<Vnni>() }
}

impl Dots for Portable {
    type Floats = Self;
    type Sums = [i32; LANES];
    type Weights = [[i16; LANES]; QUAD];
    type Quad = [u8; QUAD];
    type Four = [[u8; LANES]; QUAD];

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self::Sums {
        // SAFETY: good for sixteen numbers, by the caller.
        unsafe { from.cast::<Self::Sums>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(sums: Self::Sums, to: *mut i32) {
        // SAFETY: as for `load`.
        unsafe { to.cast::<Self::Sums>().write_unaligned(sums) }
    }
    #[inline(always)]
    unsafe fn weights(from: *const i8) -> Self::Weights {
        // SAFETY: good for 128 bytes, by the caller.
        unsafe { from.cast::<Self::Weights>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn quad(from: *const u8) -> Self::Quad {
        // SAFETY: good for four bytes, by the caller.
        unsafe { from.cast::<Self::Quad>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn four(from: *const u8, apart: usize) -> Self::Four {
        // SAFETY: good for sixteen bytes at each pixel, by the caller.
        std::array::from_fn(|pixel| unsafe { from.add(pixel * apart).cast::<[u8; LANES]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn dot(sums: Self::Sums, quad: Self::Quad, weights: Self::Weights) -> Self::Sums {
        // SAFETY: every processor has it.
        unsafe { Self::dot_each(sums, quad.map(|byte| [byte; LANES]), weights) }
    }
    #[inline(always)]
    unsafe fn dot_each(mut sums: Self::Sums, four: Self::Four, weights: Self::Weights) -> Self::Sums {
        for (bytes, weights) in four.iter().zip(&weights) {
            for (sum, (byte, weight)) in sums.iter_mut().zip(bytes.iter().zip(weights)) {
                // Neither overflows, which would be asked for each.
                *sum = sum.wrapping_add(i32::from(*byte).wrapping_mul(i32::from(*weight)));
            }
        }
        sums
    }
    #[inline(always)]
    unsafe fn floats(sums: Self::Sums) -> [f32; LANES] {
        sums.map(|sum| sum as f32)
    }
}
