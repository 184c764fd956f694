//! The loops over all pixels of a picture, with AVX2.
//!
//! Each gives what its portable form gives, to the last bit: whole numbers, rounded at the same places.

use std::arch::x86_64::*;

use super::color::{BLUE_BY_CB, GREEN_BY_CB, GREEN_BY_CR, RED_BY_CR, TOGETHER};
use super::whole::{Block, EVEN, FIRST, ODD, OF_COLUMNS, OF_ROWS, Pair, Rounding};

/// Shows that this processor has AVX2: there is none where it has not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        std::is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    /// As [`super::whole::inverse`].
    #[inline(always)]
    pub(super) fn inverse(self, block: &Block) -> [[u8; 8]; 8] {
        // SAFETY: `self` shows that the processor has AVX2, which is all that calling it takes.
        unsafe { inverse(block) }
    }

    /// As [`super::color::piece`].
    #[inline(always)]
    pub(super) fn pieces(self, [y, cb, cr]: [&[u8]; 3], rgb: &mut [u8]) {
        // SAFETY: as above.
        unsafe { pieces([y, cb, cr], rgb) }
    }

    /// Runs `body`, which has to be inlined here, compiled for AVX2.
    #[inline(always)]
    pub(super) fn run(self, body: impl FnOnce()) {
        // SAFETY: as above.
        unsafe { run(body) }
    }
}

#[target_feature(enable = "avx2")]
fn run(body: impl FnOnce()) {
    body();
}

#[target_feature(enable = "avx2")]
fn inverse(block: &Block) -> [[u8; 8]; 8] {
    let mut lines = [_mm_setzero_si128(); 8];
    for (line, row) in lines.iter_mut().zip(block.as_chunks::<8>().0) {
        let [a, b, c, d, e, f, g, h] = *row;
        *line = _mm_setr_epi16(a, b, c, d, e, f, g, h);
    }
    let columns = transposed(pass(lines, OF_COLUMNS));
    let samples = pass(columns, OF_ROWS);
    rows_of(samples)
}

/// As [`super::whole::pass`].
#[target_feature(enable = "avx2")]
#[inline]
fn pass(lines: [__m128i; 8], rounding: Rounding) -> [__m128i; 8] {
    let both = |a: usize, b: usize| {
        let (low, high) = (_mm_unpacklo_epi16(lines[a], lines[b]), _mm_unpackhi_epi16(lines[a], lines[b]));
        _mm256_set_m128i(high, low)
    };
    let (first, second, third, fourth) = (both(0, 4), both(2, 6), both(1, 3), both(5, 7));
    let half = _mm256_set1_epi32(rounding.half);
    let mut even = [half; 4];
    for at in 0..2 {
        let kept = _mm256_add_epi32(sum(first, FIRST[at]), half);
        let added = sum(second, EVEN[at]);
        even[at] = _mm256_add_epi32(kept, added);
        even[3 - at] = _mm256_sub_epi32(kept, added);
    }
    let dropped = _mm_cvtsi32_si128(rounding.dropped);
    let mut pixels = [_mm_setzero_si128(); 8];
    for at in 0..4 {
        let odd = _mm256_add_epi32(sum(third, ODD[at][0]), sum(fourth, ODD[at][1]));
        pixels[at] = saturated(_mm256_sra_epi32(_mm256_add_epi32(even[at], odd), dropped));
        pixels[7 - at] = saturated(_mm256_sra_epi32(_mm256_sub_epi32(even[at], odd), dropped));
    }
    pixels
}

#[target_feature(enable = "avx2")]
#[inline]
fn sum(numbers: __m256i, [a, b]: Pair) -> __m256i {
    let by = i32::from(a) & 0xFFFF | i32::from(b) << 16;
    _mm256_madd_epi16(numbers, _mm256_set1_epi32(by))
}

#[target_feature(enable = "avx2")]
#[inline]
fn saturated(numbers: __m256i) -> __m128i {
    _mm_packs_epi32(_mm256_castsi256_si128(numbers), _mm256_extracti128_si256::<1>(numbers))
}

#[target_feature(enable = "avx2")]
#[inline]
fn transposed(lines: [__m128i; 8]) -> [__m128i; 8] {
    let mut lines = lines;
    // Each round moves one bit of a number's place in its line to its line's place: after three they have changed places.
    for _ in 0..3 {
        let [a, b, c, d, e, f, g, h] = lines;
        let pairs = [(a, e), (b, f), (c, g), (d, h)];
        for (at, (first, second)) in pairs.into_iter().enumerate() {
            lines[2 * at] = _mm_unpacklo_epi16(first, second);
            lines[2 * at + 1] = _mm_unpackhi_epi16(first, second);
        }
    }
    lines
}

/// Rows of bytes, of columns of samples.
#[target_feature(enable = "avx2")]
#[inline]
fn rows_of(columns: [__m128i; 8]) -> [[u8; 8]; 8] {
    let lines = transposed(columns);
    let mut rows = [[0; 8]; 8];
    for (pair, lines) in rows.as_chunks_mut::<2>().0.iter_mut().zip(lines.as_chunks::<2>().0) {
        let bytes = _mm_packus_epi16(lines[0], lines[1]);
        pair[0] = _mm_extract_epi64::<0>(bytes).to_le_bytes();
        pair[1] = _mm_extract_epi64::<1>(bytes).to_le_bytes();
    }
    rows
}

#[target_feature(enable = "avx2")]
fn pieces([y, cb, cr]: [&[u8]; 3], rgb: &mut [u8]) {
    let sources = y.as_chunks().0.iter().zip(cb.as_chunks().0).zip(cr.as_chunks().0);
    for (rgb, ((y, cb), cr)) in rgb.as_chunks_mut::<{ TOGETHER * 3 }>().0.iter_mut().zip(sources) {
        interleaved(colors(wide(y), wide(cb), wide(cr)), rgb);
    }
}

/// Red, green and blue.
#[target_feature(enable = "avx2")]
#[inline]
fn colors(luma: __m256i, cb: __m256i, cr: __m256i) -> [__m128i; 3] {
    let middle = _mm256_set1_epi16(128);
    let (cb, cr) = (_mm256_sub_epi16(cb, middle), _mm256_sub_epi16(cr, middle));
    let (twice_cb, twice_cr) = (_mm256_add_epi16(cb, cb), _mm256_add_epi16(cr, cr));
    let one = _mm256_set1_epi16(1);
    // Half up, of a product with twice the number.
    let scaled = |twice: __m256i, by: i16| {
        let product = _mm256_mulhi_epi16(twice, _mm256_set1_epi16(by));
        _mm256_srai_epi16::<1>(_mm256_add_epi16(product, one))
    };
    let red = _mm256_add_epi16(_mm256_add_epi16(luma, cr), scaled(twice_cr, RED_BY_CR));
    let blue = _mm256_add_epi16(_mm256_add_epi16(luma, twice_cb), scaled(twice_cb, BLUE_BY_CB));
    let half = _mm256_set1_epi32(1 << 15);
    let both =
        |numbers: __m256i| _mm256_srai_epi32::<16>(_mm256_add_epi32(sum(numbers, [GREEN_BY_CB, GREEN_BY_CR]), half));
    let (low, high) = (both(_mm256_unpacklo_epi16(cb, cr)), both(_mm256_unpackhi_epi16(cb, cr)));
    let green = _mm256_add_epi16(_mm256_sub_epi16(luma, cr), _mm256_packs_epi32(low, high));
    [bytes(red), bytes(green), bytes(blue)]
}

#[target_feature(enable = "avx2")]
#[inline]
fn wide(samples: &[u8; TOGETHER]) -> __m256i {
    _mm256_cvtepu8_epi16(vector(samples))
}

#[target_feature(enable = "avx2")]
#[inline]
fn bytes(samples: __m256i) -> __m128i {
    _mm_packus_epi16(_mm256_castsi256_si128(samples), _mm256_extracti128_si256::<1>(samples))
}

#[target_feature(enable = "avx2")]
#[inline]
fn interleaved(channels: [__m128i; 3], rgb: &mut [u8; TOGETHER * 3]) {
    for (third, places) in rgb.as_chunks_mut::<16>().0.iter_mut().zip(&INTERLEAVED) {
        let [red, green, blue] = [0, 1, 2].map(|at| _mm_shuffle_epi8(channels[at], vector(&places[at])));
        let mixed = _mm_or_si128(_mm_or_si128(red, green), blue);
        let (low, high) = third.split_at_mut(8);
        low.copy_from_slice(&_mm_extract_epi64::<0>(mixed).to_le_bytes());
        high.copy_from_slice(&_mm_extract_epi64::<1>(mixed).to_le_bytes());
    }
}

/// Of each 16 bytes of a piece of RGB, by channel: the pixel, or `NONE` where the byte is of another channel.
const INTERLEAVED: [[[u8; 16]; 3]; 3] = {
    const NONE: u8 = 0x80;
    let mut places = [[[NONE; 16]; 3]; 3];
    let mut byte = 0;
    while byte < 3 * 16 {
        places[byte / 16][byte % 3][byte % 16] = (byte / 3) as u8;
        byte += 1;
    }
    places
};

#[target_feature(enable = "avx2")]
#[inline]
fn vector(bytes: &[u8; 16]) -> __m128i {
    let halves = bytes.as_chunks::<8>().0;
    _mm_set_epi64x(i64::from_le_bytes(halves[1]), i64::from_le_bytes(halves[0]))
}
