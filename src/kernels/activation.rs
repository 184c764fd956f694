//! What follows a sum: activations, in blocks of channels.
//!
//! `unsafe` in this file: all of it is arithmetic on registers, called on a processor that has the set ([`Simd`]), and
//! [`apply`], whose caller vouches for the pointers.

use super::simd::Simd;

/// A function of one number. Clamping is not among them: every kernel does it on the way to memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// The number itself.
    Identity,
    /// `x` where positive, `x` times the slope elsewhere.
    Leaky(f32),
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// `x` times its sigmoid.
    Silu,
    /// `x` times `x + 3`, which is held between 0 and 6, over 6.
    HardSwish,
    /// `slope x + offset`, held between 0 and 1.
    HardSigmoid {
        /// ONNX's alpha.
        slope: f32,
        /// ONNX's beta.
        offset: f32,
    },
    /// `x` times the normal distribution's share below `x`.
    Gelu,
    /// The hyperbolic tangent.
    Tanh,
    /// The error function.
    Erf,
}

/// Runs of blocks in memory: `rows` of them, each of `len` numbers, `stride` apart.
#[derive(Clone, Copy)]
pub(crate) struct Runs {
    pub(crate) start: *mut f32,
    pub(crate) rows: usize,
    pub(crate) stride: usize,
    pub(crate) len: usize,
}

/// Replaces each number of `runs` by its activation.
///
/// # Safety
/// The processor has `S`; `runs` may be read and written, and their `len` is a multiple of sixteen.
#[inline(always)]
pub(crate) unsafe fn apply<S: Simd>(activation: Activation, runs: Runs) {
    if activation == Activation::Identity {
        return;
    }
    for row in 0..runs.rows {
        for at in (0..runs.len).step_by(super::LANES) {
            // SAFETY: the caller's: the block lies in the runs.
            unsafe {
                let place = runs.start.add(row * runs.stride + at);
                S::store(activation.of::<S>(S::load(place)), place);
            }
        }
    }
}

impl Activation {
    /// Of each number of a block.
    ///
    /// # Safety
    /// The processor has `S`.
    #[inline(always)]
    unsafe fn of<S: Simd>(self, x: S::Block) -> S::Block {
        // SAFETY: the caller's.
        unsafe {
            match self {
                Self::Identity => x,
                Self::Leaky(slope) => {
                    let zero = S::splat(0.0);
                    S::mul_add(S::min(zero, x), S::splat(slope), S::max(zero, x))
                }
                Self::Sigmoid => sigmoid::<S>(x),
                // Held, for far below zero the sigmoid is no longer as small as x is large.
                Self::Silu => S::mul(S::max(S::splat(-104.0), x), sigmoid::<S>(x)),
                Self::HardSwish => {
                    let held = clamp::<S>(S::add(x, S::splat(3.0)), 0.0, 6.0);
                    S::mul(S::mul(x, held), S::splat(1.0 / 6.0))
                }
                Self::HardSigmoid { slope, offset } => {
                    clamp::<S>(S::mul_add(x, S::splat(slope), S::splat(offset)), 0.0, 1.0)
                }
                Self::Gelu => gelu::<S>(x),
                Self::Tanh => tanh::<S>(x),
                Self::Erf => erf::<S>(x),
            }
        }
    }
}

#[inline(always)]
unsafe fn clamp<S: Simd>(x: S::Block, low: f32, high: f32) -> S::Block {
    // SAFETY: the processor has `S`.
    unsafe { S::min(S::splat(high), S::max(S::splat(low), x)) }
}

/// `e^x`, to within 2 units in the last place; held where it would leave the normal numbers.
#[inline(always)]
pub(crate) unsafe fn exp<S: Simd>(x: S::Block) -> S::Block {
    // Cephes' expf: x = n ln 2 + r, and a polynomial for e^r.
    // SAFETY: the processor has `S`; `n` lies between -126 and 127 since `x` is held.
    unsafe {
        let x = clamp::<S>(x, -87.3, 88.3);
        let n = S::round(S::mul(x, S::splat(std::f32::consts::LOG2_E)));
        let r = S::mul_add(n, S::splat(-0.693_359_375), x);
        let r = S::mul_add(n, S::splat(2.121_944_4e-4), r);
        let mut p = S::splat(1.987_569_2e-4);
        for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5] {
            p = S::mul_add(p, r, S::splat(coefficient));
        }
        let p = S::add(S::mul_add(p, S::mul(r, r), r), S::splat(1.0));
        S::mul(p, S::power_of_two(n))
    }
}

#[inline(always)]
unsafe fn sigmoid<S: Simd>(x: S::Block) -> S::Block {
    // SAFETY: the processor has `S`.
    unsafe {
        let one = S::splat(1.0);
        S::div(one, S::add(one, exp::<S>(S::sub(S::splat(0.0), x))))
    }
}

#[inline(always)]
unsafe fn tanh<S: Simd>(x: S::Block) -> S::Block {
    // SAFETY: the processor has `S`.
    unsafe {
        let two = S::splat(2.0);
        S::sub(S::mul(two, sigmoid::<S>(S::mul(two, x))), S::splat(1.0))
    }
}

/// `1 - erf(|x|)`, by Abramowitz and Stegun 7.1.26 (off by 1.5e-7 at most).
#[inline(always)]
unsafe fn beyond<S: Simd>(size: S::Block) -> S::Block {
    // SAFETY: the processor has `S`.
    unsafe {
        let one = S::splat(1.0);
        let t = S::div(one, S::mul_add(size, S::splat(0.327_591_1), one));
        let mut p = S::splat(1.061_405_4);
        for coefficient in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
            p = S::mul_add(p, t, S::splat(coefficient));
        }
        S::mul(S::mul(p, t), exp::<S>(S::sub(S::splat(0.0), S::mul(size, size))))
    }
}

#[inline(always)]
unsafe fn erf<S: Simd>(x: S::Block) -> S::Block {
    // SAFETY: the processor has `S`.
    unsafe {
        let (zero, one) = (S::splat(0.0), S::splat(1.0));
        let size = S::max(x, S::sub(zero, x));
        let inside = S::sub(one, beyond::<S>(size));
        // With the sign of x, which a held multiple of it has.
        S::mul(inside, clamp::<S>(S::mul(x, S::splat(f32::MAX)), -1.0, 1.0))
    }
}

/// `x / 2 (1 + erf(x / sqrt 2))`: the whole of what is positive, less the share beyond.
#[inline(always)]
unsafe fn gelu<S: Simd>(x: S::Block) -> S::Block {
    // SAFETY: the processor has `S`.
    unsafe {
        let zero = S::splat(0.0);
        // Held, as infinity times no share would not be a number; where it is, the share is gone.
        let size = S::min(S::splat(40.0), S::max(x, S::sub(zero, x)));
        let share = beyond::<S>(S::mul(size, S::splat(std::f32::consts::FRAC_1_SQRT_2)));
        S::sub(S::max(x, zero), S::mul(S::mul(share, size), S::splat(0.5)))
    }
}
