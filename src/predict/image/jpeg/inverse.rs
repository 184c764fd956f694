//! Inverse cosine transforms of a block to 8, 4, 2 or 1 pixels on each side.
//!
//! Fewer pixels than 8 are made of as many of the lowest frequencies, each weakened as the mean of the pixels that become
//! one would weaken it. In floating point: it is exact to a rounding, and every CPU multiplies four or more at once.

/// Where the coefficients of a file's order are in a block.
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55,
    62, 63,
];

/// Up to this coefficient, in zigzag order, a block is in its upper left quarter.
const IN_QUARTER: usize = 9;

/// Of each frequency the left half of the pixels; the right half mirrors it, negated where the frequency is odd.
type Basis = [[f32; 4]; 8];

/// `cos(k pi / 16) / 2`.
const C: [f32; 8] =
    [0.5, 0.490_392_64, 0.461_939_77, 0.415_734_8, 0.353_553_4, 0.277_785_12, 0.191_341_72, 0.097_545_16];

/// Frequency `u` at pixel `x` is `cos((2 x + 1) u pi / 16) / 2`; of frequency 0 it is `1 / sqrt 8`.
const EIGHT: Basis = [
    [C[4], C[4], C[4], C[4]],
    [C[1], C[3], C[5], C[7]],
    [C[2], C[6], -C[6], -C[2]],
    [C[3], -C[7], -C[1], -C[5]],
    [C[4], -C[4], -C[4], C[4]],
    [C[5], -C[1], C[7], C[3]],
    [C[6], -C[2], C[2], -C[6]],
    [C[7], -C[5], C[3], -C[1]],
];

const FOUR: Basis = halved(EIGHT, 4);
const TWO: Basis = halved(FOUR, 2);
const ONE: Basis = halved(TWO, 1);

/// The means of two neighbours, of the lowest `kept` frequencies.
const fn halved(basis: Basis, kept: usize) -> Basis {
    let mut means = [[0.0; 4]; 8];
    let mut u = 0;
    while u < kept {
        let mut x = 0;
        while x < kept.div_ceil(2) {
            // Of one pixel alone, its neighbour is its mirror image.
            let right = if kept == 1 { basis[u][0] } else { basis[u][2 * x + 1] };
            means[u][x] = (basis[u][2 * x] + right) / 2.0;
            x += 1;
        }
        u += 1;
    }
    means
}

const fn basis(pixels: usize) -> &'static Basis {
    match pixels {
        8 => &EIGHT,
        4 => &FOUR,
        2 => &TWO,
        _ => &ONE,
    }
}

/// The last coefficient, in zigzag order, of those in the corner that makes `size` pixels.
pub(super) fn last_needed([across, down]: [usize; 2]) -> usize {
    let inside = |place: &u8| usize::from(place % 8) < across && usize::from(place / 8) < down;
    ZIGZAG.iter().rposition(inside).unwrap_or(0)
}

/// Writes the pixels of dequantised coefficients, which are in natural order, to rows of `stride` bytes.
pub(super) type Inverse = fn(coefficients: &[f32; 64], last: usize, pixels: &mut [u8], stride: usize);

/// The transform to `size` pixels. It may leave out what is behind `last`, in zigzag order.
pub(super) fn inverse([across, down]: [usize; 2]) -> Inverse {
    match (across, down) {
        (8, 8) => block::<8, 8>,
        (8, 4) => block::<8, 4>,
        (8, 2) => block::<8, 2>,
        (8, _) => block::<8, 1>,
        (4, 8) => block::<4, 8>,
        (4, 4) => block::<4, 4>,
        (4, 2) => block::<4, 2>,
        (4, _) => block::<4, 1>,
        (2, 8) => block::<2, 8>,
        (2, 4) => block::<2, 4>,
        (2, 2) => block::<2, 2>,
        (2, _) => block::<2, 1>,
        (_, 8) => block::<1, 8>,
        (_, 4) => block::<1, 4>,
        (_, 2) => block::<1, 2>,
        _ => block::<1, 1>,
    }
}

fn block<const X: usize, const Y: usize>(coefficients: &[f32; 64], last: usize, pixels: &mut [u8], stride: usize) {
    if last == 0 {
        let mean = to_pixel(coefficients[0] * 0.125);
        for y in 0..Y {
            pixels[y * stride..][..X].fill(mean);
        }
    } else if last <= IN_QUARTER {
        let rows = columns::<X, Y, 4>(coefficients);
        for (y, row) in rows.iter().enumerate() {
            pixels[y * stride..][..X].copy_from_slice(&across::<X, 4>(row));
        }
    } else {
        let rows = columns::<X, Y, 8>(coefficients);
        for (y, row) in rows.iter().enumerate() {
            pixels[y * stride..][..X].copy_from_slice(&across::<X, 8>(row));
        }
    }
}

/// Down: to rows of pixels whose columns are still frequencies. Of `IN` frequencies only, on both axes.
#[inline(always)]
fn columns<const X: usize, const Y: usize, const IN: usize>(coefficients: &[f32; 64]) -> [[f32; X]; Y] {
    let basis = const { basis(Y) };
    let mut rows = [[0.0; X]; Y];
    for y in 0..Y.div_ceil(2) {
        let (mut even, mut odd) = ([0.0; X], [0.0; X]);
        for v in 0..Y.min(IN) {
            let sum = if v % 2 == 0 { &mut even } else { &mut odd };
            for u in 0..X.min(IN) {
                sum[u] += coefficients[v * 8 + u] * basis[v][y];
            }
        }
        for u in 0..X.min(IN) {
            rows[y][u] = even[u] + odd[u];
            if Y > 1 {
                rows[Y - 1 - y][u] = even[u] - odd[u];
            }
        }
    }
    rows
}

#[inline(always)]
fn across<const X: usize, const IN: usize>(row: &[f32; X]) -> [u8; X] {
    let basis = const { basis(X) };
    let (mut even, mut odd) = ([0.0; 4], [0.0; 4]);
    for u in 0..X.min(IN) {
        let sum = if u % 2 == 0 { &mut even } else { &mut odd };
        for x in 0..4 {
            sum[x] += row[u] * basis[u][x];
        }
    }
    let mut pixels = [0; X];
    for x in 0..X.div_ceil(2) {
        pixels[x] = to_pixel(even[x] + odd[x]);
        if X > 1 {
            pixels[X - 1 - x] = to_pixel(even[x] - odd[x]);
        }
    }
    pixels
}

/// Rounded and clipped, from a sample around 0.
#[inline(always)]
fn to_pixel(sample: f32) -> u8 {
    super::color::to_byte(sample + 128.0)
}
