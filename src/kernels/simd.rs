//! A block of sixteen channels as one value, on each instruction set: what the kernels are written in.
//!
//! `unsafe` in this file: every method is one or a few instructions of the set it is named after. Their contract is the
//! trait's: the processor has the set, and a pointer that is read or written is good for sixteen `f32`, of any alignment.
//! Whoever writes a kernel calls them inside a function compiled for the set, where they become the instructions.

/// Channels of a block.
pub const LANES: usize = 16;

/// An instruction set's way with a block of [`LANES`] channels.
///
/// # Safety
/// Methods may be called only on a processor that has the set; pointers are good for [`LANES`] numbers, or bytes.
pub(crate) trait Simd: Copy {
    /// The sixteen numbers.
    type Block: Copy;

    unsafe fn splat(value: f32) -> Self::Block;
    unsafe fn load(from: *const f32) -> Self::Block;
    unsafe fn store(block: Self::Block, to: *mut f32);
    /// `a * b + c`, rounded once where the set can.
    unsafe fn mul_add(a: Self::Block, b: Self::Block, c: Self::Block) -> Self::Block;
    unsafe fn add(a: Self::Block, b: Self::Block) -> Self::Block;
    unsafe fn sub(a: Self::Block, b: Self::Block) -> Self::Block;
    unsafe fn mul(a: Self::Block, b: Self::Block) -> Self::Block;
    unsafe fn div(a: Self::Block, b: Self::Block) -> Self::Block;
    /// The larger one; `b` where one is not a number.
    unsafe fn max(a: Self::Block, b: Self::Block) -> Self::Block;
    /// The smaller one; `b` where one is not a number.
    unsafe fn min(a: Self::Block, b: Self::Block) -> Self::Block;
    /// `2^n` for whole numbers from -126 to 127.
    unsafe fn power_of_two(n: Self::Block) -> Self::Block;
    /// Sixteen bytes as numbers.
    unsafe fn load_bytes(from: *const u8) -> Self::Block;
    /// Whole numbers from 0 to 255 as bytes.
    unsafe fn store_bytes(block: Self::Block, to: *mut u8);
    /// The larger one; not a number where one is not.
    #[inline(always)]
    unsafe fn larger(a: Self::Block, b: Self::Block) -> Self::Block {
        // SAFETY: the trait's contract.
        unsafe { Self::add(Self::max(a, b), Self::zero_or_none(a)) }
    }
    /// The smaller one; not a number where one is not.
    #[inline(always)]
    unsafe fn smaller(a: Self::Block, b: Self::Block) -> Self::Block {
        // SAFETY: the trait's contract.
        unsafe { Self::add(Self::min(a, b), Self::zero_or_none(a)) }
    }
    /// Zero, not a number where `a` is not.
    #[inline(always)]
    unsafe fn zero_or_none(a: Self::Block) -> Self::Block {
        // SAFETY: the trait's contract.
        unsafe {
            let zero = Self::splat(0.0);
            Self::min(zero, Self::max(zero, a))
        }
    }
    /// Rounded to the nearest whole number, halves to the even one; numbers below 2^22.
    #[inline(always)]
    unsafe fn round(a: Self::Block) -> Self::Block {
        // SAFETY: the trait's contract.
        unsafe {
            let magic = Self::splat(12_582_912.0);
            Self::sub(Self::add(a, magic), magic)
        }
    }
}

/// Every processor: plain arithmetic that the compiler makes vectors of.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

#[inline(always)]
fn zip(a: [f32; LANES], b: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    std::array::from_fn(|lane| f(a[lane], b[lane]))
}

impl Simd for Portable {
    type Block = [f32; LANES];

    #[inline(always)]
    unsafe fn splat(value: f32) -> [f32; LANES] {
        [value; LANES]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> [f32; LANES] {
        // SAFETY: good for sixteen numbers, by the trait's contract.
        unsafe { from.cast::<[f32; LANES]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(block: [f32; LANES], to: *mut f32) {
        // SAFETY: as for `load`.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(block) }
    }
    #[inline(always)]
    unsafe fn mul_add(a: [f32; LANES], b: [f32; LANES], c: [f32; LANES]) -> [f32; LANES] {
        std::array::from_fn(|lane| a[lane] * b[lane] + c[lane])
    }
    #[inline(always)]
    unsafe fn add(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn max(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn min(a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn power_of_two(n: [f32; LANES]) -> [f32; LANES] {
        n.map(|n| f32::from_bits(((n as i32 + 127) << 23) as u32))
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> [f32; LANES] {
        // SAFETY: good for sixteen bytes, by the trait's contract.
        unsafe { from.cast::<[u8; LANES]>().read_unaligned().map(f32::from) }
    }
    #[inline(always)]
    unsafe fn store_bytes(block: [f32; LANES], to: *mut u8) {
        // SAFETY: as for `load_bytes`.
        unsafe { to.cast::<[u8; LANES]>().write_unaligned(block.map(|number| number as u8)) }
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Simd;

    /// AVX-512 F: a block is one register.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512;

    // SAFETY (of every block below): the instruction is in AVX-512 F, which the caller's processor has, and pointers are
    // good for the sixteen numbers that unaligned moves touch.
    impl Simd for Avx512 {
        type Block = __m512;

        #[inline(always)]
        unsafe fn splat(value: f32) -> __m512 {
            unsafe { _mm512_set1_ps(value) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> __m512 {
            unsafe { _mm512_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(block: __m512, to: *mut f32) {
            unsafe { _mm512_storeu_ps(to, block) }
        }
        #[inline(always)]
        unsafe fn mul_add(a: __m512, b: __m512, c: __m512) -> __m512 {
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn add(a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_add_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_sub_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn mul(a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_mul_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn div(a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_div_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn max(a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_max_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn min(a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_min_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn power_of_two(n: __m512) -> __m512 {
            unsafe {
                let exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
                _mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent))
            }
        }
        #[inline(always)]
        unsafe fn load_bytes(from: *const u8) -> __m512 {
            unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()))) }
        }
        #[inline(always)]
        unsafe fn store_bytes(block: __m512, to: *mut u8) {
            unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtusepi32_epi8(_mm512_cvtps_epi32(block))) }
        }
    }

    /// AVX2 and FMA: a block is two registers.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2;

    // SAFETY (of every block below): the instruction is in AVX2 or FMA, which the caller's processor has, and pointers are
    // good for the sixteen numbers that two unaligned moves touch.
    impl Simd for Avx2 {
        type Block = [__m256; 2];

        #[inline(always)]
        unsafe fn splat(value: f32) -> [__m256; 2] {
            unsafe { [_mm256_set1_ps(value); 2] }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> [__m256; 2] {
            unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
        }
        #[inline(always)]
        unsafe fn store(block: [__m256; 2], to: *mut f32) {
            unsafe {
                _mm256_storeu_ps(to, block[0]);
                _mm256_storeu_ps(to.add(8), block[1]);
            }
        }
        #[inline(always)]
        unsafe fn mul_add(a: [__m256; 2], b: [__m256; 2], c: [__m256; 2]) -> [__m256; 2] {
            unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
        }
        #[inline(always)]
        unsafe fn add(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
            unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn sub(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
            unsafe { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn mul(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
            unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn div(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
            unsafe { [_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn max(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
            unsafe { [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn min(a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
            unsafe { [_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn power_of_two(n: [__m256; 2]) -> [__m256; 2] {
            unsafe {
                n.map(|n| {
                    let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
                    _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
                })
            }
        }
        #[inline(always)]
        unsafe fn load_bytes(from: *const u8) -> [__m256; 2] {
            unsafe {
                let bytes = _mm_loadu_si128(from.cast());
                [bytes, _mm_srli_si128::<8>(bytes)].map(|half| _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(half)))
            }
        }
        #[inline(always)]
        unsafe fn store_bytes(block: [__m256; 2], to: *mut u8) {
            unsafe {
                // Packing goes by halves of registers: the middle quarters change places.
                let words = _mm256_packus_epi32(_mm256_cvtps_epi32(block[0]), _mm256_cvtps_epi32(block[1]));
                let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
                let bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
                _mm_storeu_si128(to.cast(), bytes);
            }
        }
    }
}
