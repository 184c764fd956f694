//! The sets of x86-64.
//!
//! `unsafe` in this file: as [`super`] says.

use std::arch::x86_64::*;

use super::Dots;
use crate::simd::{Avx2, Avx512};

/// AVX-512 F and BW with VNNI: sixteen sums are one register, and four products of each one instruction.
#[derive(Clone, Copy)]
pub(in super::super) struct Vnni;

// SAFETY (of every block below): the instruction is in AVX-512 F, BW or VNNI, which the caller's processor has, and
// pointers are good for the bytes that unaligned moves touch.
impl Dots for Vnni {
    type Floats = Avx512;
    type Sums = __m512i;
    type Weights = __m512i;
    type Quad = __m512i;
    type Four = __m512i;

    #[inline(always)]
    unsafe fn load(from: *const i32) -> __m512i {
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
    #[inline(always)]
    unsafe fn store(sums: __m512i, to: *mut i32) {
        unsafe { _mm512_storeu_si512(to.cast(), sums) }
    }
    #[inline(always)]
    unsafe fn weights(from: *const i8) -> __m512i {
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
    #[inline(always)]
    unsafe fn quad(from: *const u8) -> __m512i {
        unsafe { _mm512_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn four(from: *const u8, apart: usize) -> __m512i {
        unsafe {
            let pixels = if apart == 16 {
                _mm512_loadu_si512(from.cast())
            } else {
                let pixel = |at: usize| _mm_loadu_si128(from.add(at * apart).cast());
                let first = _mm512_castsi128_si512(pixel(0));
                let second = _mm512_inserti32x4::<1>(first, pixel(1));
                let third = _mm512_inserti32x4::<2>(second, pixel(2));
                _mm512_inserti32x4::<3>(third, pixel(3))
            };
            // Four channels of all pixels into each quarter, then pixel beside pixel in each of its channels.
            let quarters = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            let turn = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            let gathered = _mm512_permutexvar_epi32(quarters, pixels);
            _mm512_shuffle_epi8(gathered, _mm512_broadcast_i32x4(turn))
        }
    }
    #[inline(always)]
    unsafe fn dot(sums: __m512i, quad: __m512i, weights: __m512i) -> __m512i {
        unsafe { _mm512_dpbusd_epi32(sums, quad, weights) }
    }
    #[inline(always)]
    unsafe fn dot_each(sums: __m512i, four: __m512i, weights: __m512i) -> __m512i {
        unsafe { _mm512_dpbusd_epi32(sums, four, weights) }
    }
    #[inline(always)]
    unsafe fn floats(sums: __m512i) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(sums) }
    }
}

/// AVX-512 F and BW: as [`Wide`], in registers of twice the size.
#[derive(Clone, Copy)]
pub(in super::super) struct Wider;

// SAFETY (of every block below): the instruction is in AVX-512 F or BW, which the caller's processor has, and pointers
// are good for the bytes that unaligned moves touch.
impl Dots for Wider {
    type Floats = Avx512;
    type Sums = __m512i;
    /// First and third of sixteen channels; second and fourth.
    type Weights = [__m512i; 2];
    type Quad = [__m512i; 2];
    type Four = [__m512i; 2];

    #[inline(always)]
    unsafe fn load(from: *const i32) -> __m512i {
        unsafe { Vnni::load(from) }
    }
    #[inline(always)]
    unsafe fn store(sums: __m512i, to: *mut i32) {
        unsafe { Vnni::store(sums, to) }
    }
    #[inline(always)]
    unsafe fn weights(from: *const i8) -> [__m512i; 2] {
        unsafe { [_mm512_loadu_si512(from.cast()), _mm512_loadu_si512(from.add(64).cast())] }
    }
    #[inline(always)]
    unsafe fn quad(from: *const u8) -> [__m512i; 2] {
        unsafe {
            let quad = _mm512_set1_epi32(from.cast::<i32>().read_unaligned());
            [_mm512_and_si512(quad, _mm512_set1_epi16(0xff)), _mm512_srli_epi16::<8>(quad)]
        }
    }
    #[inline(always)]
    unsafe fn four(from: *const u8, apart: usize) -> [__m512i; 2] {
        unsafe {
            let pixel = |at: usize| _mm512_cvtepu8_epi32(_mm_loadu_si128(from.add(at * apart).cast()));
            [0, 1].map(|first| _mm512_or_si512(pixel(first), _mm512_slli_epi32::<16>(pixel(first + 2))))
        }
    }
    #[inline(always)]
    unsafe fn dot(sums: __m512i, quad: [__m512i; 2], weights: [__m512i; 2]) -> __m512i {
        unsafe {
            let first = _mm512_madd_epi16(quad[0], weights[0]);
            let second = _mm512_madd_epi16(quad[1], weights[1]);
            _mm512_add_epi32(sums, _mm512_add_epi32(first, second))
        }
    }
    #[inline(always)]
    unsafe fn dot_each(sums: __m512i, four: [__m512i; 2], weights: [__m512i; 2]) -> __m512i {
        unsafe { Self::dot(sums, four, weights) }
    }
    #[inline(always)]
    unsafe fn floats(sums: __m512i) -> __m512 {
        unsafe { Vnni::floats(sums) }
    }
}

/// AVX2: sixteen sums are two registers; bytes are widened to 16 bits, the first and the third beside each other, and
/// the second and the fourth.
#[derive(Clone, Copy)]
pub(in super::super) struct Wide;

// SAFETY (of every block below): the instruction is in AVX2, which the caller's processor has, and pointers are good
// for the bytes that unaligned moves touch.
impl Dots for Wide {
    type Floats = Avx2;
    type Sums = [__m256i; 2];
    /// First and third of eight channels, of eight others; second and fourth.
    type Weights = [__m256i; 4];
    type Quad = [__m256i; 2];
    type Four = [__m256i; 4];

    #[inline(always)]
    unsafe fn load(from: *const i32) -> [__m256i; 2] {
        unsafe { [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(8).cast())] }
    }
    #[inline(always)]
    unsafe fn store(sums: [__m256i; 2], to: *mut i32) {
        unsafe {
            _mm256_storeu_si256(to.cast(), sums[0]);
            _mm256_storeu_si256(to.add(8).cast(), sums[1]);
        }
    }
    #[inline(always)]
    unsafe fn weights(from: *const i8) -> [__m256i; 4] {
        unsafe { std::array::from_fn(|at| _mm256_loadu_si256(from.add(32 * at).cast())) }
    }
    #[inline(always)]
    unsafe fn quad(from: *const u8) -> [__m256i; 2] {
        unsafe {
            let quad = _mm256_set1_epi32(from.cast::<i32>().read_unaligned());
            [_mm256_and_si256(quad, _mm256_set1_epi16(0xff)), _mm256_srli_epi16::<8>(quad)]
        }
    }
    #[inline(always)]
    unsafe fn four(from: *const u8, apart: usize) -> [__m256i; 4] {
        unsafe {
            let pair = |first: usize| {
                let (a, b) = (from.add(first * apart).cast(), from.add((first + 2) * apart).cast());
                let (a, b) = (_mm_loadu_si128(a), _mm_loadu_si128(b));
                [_mm_unpacklo_epi8(a, b), _mm_unpackhi_epi8(a, b)].map(|pairs| _mm256_cvtepu8_epi16(pairs))
            };
            let ([first, second], [third, fourth]) = (pair(0), pair(1));
            [first, second, third, fourth]
        }
    }
    #[inline(always)]
    unsafe fn dot(sums: [__m256i; 2], quad: [__m256i; 2], weights: [__m256i; 4]) -> [__m256i; 2] {
        unsafe { Self::dot_each(sums, [quad[0], quad[0], quad[1], quad[1]], weights) }
    }
    #[inline(always)]
    unsafe fn dot_each(sums: [__m256i; 2], four: [__m256i; 4], weights: [__m256i; 4]) -> [__m256i; 2] {
        unsafe {
            std::array::from_fn(|half| {
                let first = _mm256_madd_epi16(four[half], weights[half]);
                let second = _mm256_madd_epi16(four[half + 2], weights[half + 2]);
                _mm256_add_epi32(sums[half], _mm256_add_epi32(first, second))
            })
        }
    }
    #[inline(always)]
    unsafe fn floats(sums: [__m256i; 2]) -> [__m256; 2] {
        unsafe { sums.map(|half| _mm256_cvtepi32_ps(half)) }
    }
}
