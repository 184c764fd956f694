//! The inverse cosine transform of a block to all of its 8 by 8 pixels, as libjpeg computes it.
//!
//! Equal to libjpeg's integer transform to the last bit: 13 bits of each constant, 2 bits kept between the columns and the
//! rows, both rounded half up. Its factorisation (Loeffler, Ligtenberg, Moschytz, 1989) is multiplied out, for sums of
//! whole numbers have no order, and CPUs have an instruction for sums of two products.

use std::array;

/// Dequantised coefficients in natural order.
pub(super) type Block = [i16; 64];

/// Bits of each constant's fraction.
const FRACTION: u32 = 13;
/// Bits of a fraction that are kept between the two passes.
const KEPT: u32 = 2;

/// Of the factorisation, scaled by 2^13.
mod constant {
    pub(super) const C0_298: i32 = 2_446;
    pub(super) const C0_390: i32 = 3_196;
    pub(super) const C0_541: i32 = 4_433;
    pub(super) const C0_765: i32 = 6_270;
    pub(super) const C0_899: i32 = 7_373;
    pub(super) const C1_175: i32 = 9_633;
    pub(super) const C1_501: i32 = 12_299;
    pub(super) const C1_847: i32 = 15_137;
    pub(super) const C1_961: i32 = 16_069;
    pub(super) const C2_053: i32 = 16_819;
    pub(super) const C2_562: i32 = 20_995;
    pub(super) const C3_072: i32 = 25_172;
}

use constant::*;

/// What two frequencies are multiplied with before they are added.
pub(super) type Pair = [i16; 2];

/// Frequencies 0 and 4: the sum and the difference, to both of which [`EVEN`]'s of the same place is added.
pub(super) const FIRST: [Pair; 2] = [pair(1 << FRACTION, 1 << FRACTION), pair(1 << FRACTION, -(1 << FRACTION))];

/// Frequencies 2 and 6: pixels 0 and 1 add it, 3 and 2 subtract it.
pub(super) const EVEN: [Pair; 2] = [pair(C0_541 + C0_765, C0_541), pair(C0_541, C0_541 - C1_847)];

/// Frequencies 1 and 3, and 5 and 7: pixels 0 to 3 add it, 7 to 4 subtract it.
pub(super) const ODD: [[Pair; 2]; 4] = [
    [pair(C1_175 + C1_501 - C0_899 - C0_390, C1_175), pair(C1_175 - C0_390, C1_175 - C0_899)],
    [pair(C1_175, C1_175 + C3_072 - C1_961 - C2_562), pair(C1_175 - C2_562, C1_175 - C1_961)],
    [pair(C1_175 - C0_390, C1_175 - C2_562), pair(C1_175 + C2_053 - C2_562 - C0_390, C1_175)],
    [pair(C1_175 - C0_899, C1_175 - C1_961), pair(C1_175, C1_175 + C0_298 - C0_899 - C1_961)],
];

const fn pair(first: i32, second: i32) -> Pair {
    assert!(first as i16 as i32 == first && second as i16 as i32 == second);
    [first as i16, second as i16]
}

/// Adds half of the last bit that stays, and drops those behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounding {
    pub(super) half: i32,
    pub(super) dropped: i32,
}

/// Of the columns' pass.
pub(super) const OF_COLUMNS: Rounding = rounding(FRACTION - KEPT, 0);

/// Of the rows' pass, which also adds the middle of all samples. Both passes together multiply by 8.
pub(super) const OF_ROWS: Rounding = rounding(FRACTION + KEPT + 3, 128);

const fn rounding(dropped: u32, added: i32) -> Rounding {
    Rounding { half: (1 << (dropped - 1)) + (added << dropped), dropped: dropped as i32 }
}

/// The pixels of a block, row by row.
pub(super) fn inverse(block: &Block) -> [[u8; 8]; 8] {
    let rows: [[i16; 8]; 8] = array::from_fn(|y| array::from_fn(|x| block[y * 8 + x]));
    let columns = transposed(pass(&rows, OF_COLUMNS));
    let pixels = transposed(pass(&columns, OF_ROWS));
    pixels.map(|row| row.map(|sample| sample.clamp(0, 255) as u8))
}

/// The pixels of a block that is of one colour.
pub(super) fn flat(first: i16) -> u8 {
    (((i32::from(first) + 4) >> 3) + 128).clamp(0, 255) as u8
}

/// One pass over eight lines at once: number `i` of each line is in `lines[i]`.
#[inline(always)]
fn pass(lines: &[[i16; 8]; 8], rounding: Rounding) -> [[i16; 8]; 8] {
    let sum = |[a, b]: [usize; 2], [by_a, by_b]: Pair| -> [i32; 8] {
        array::from_fn(|lane| product(lines[a][lane], by_a).wrapping_add(product(lines[b][lane], by_b)))
    };
    let mut even = [[0; 8]; 4];
    for at in 0..2 {
        let (first, second) = (sum([0, 4], FIRST[at]), sum([2, 6], EVEN[at]));
        for lane in 0..8 {
            let first = first[lane].wrapping_add(rounding.half);
            even[at][lane] = first.wrapping_add(second[lane]);
            even[3 - at][lane] = first.wrapping_sub(second[lane]);
        }
    }
    let mut pixels = [[0; 8]; 8];
    for at in 0..4 {
        let (lower, upper) = (sum([1, 3], ODD[at][0]), sum([5, 7], ODD[at][1]));
        for lane in 0..8 {
            let odd = lower[lane].wrapping_add(upper[lane]);
            pixels[at][lane] = saturated(even[at][lane].wrapping_add(odd) >> rounding.dropped);
            pixels[7 - at][lane] = saturated(even[at][lane].wrapping_sub(odd) >> rounding.dropped);
        }
    }
    pixels
}

#[inline(always)]
fn product(a: i16, b: i16) -> i32 {
    i32::from(a) * i32::from(b)
}

#[inline(always)]
fn saturated(value: i32) -> i16 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

#[inline(always)]
fn transposed(rows: [[i16; 8]; 8]) -> [[i16; 8]; 8] {
    array::from_fn(|x| array::from_fn(|y| rows[y][x]))
}
