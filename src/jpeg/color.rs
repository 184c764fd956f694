//! Rows of components to rows of RGB.

use super::avx2::Avx2;

/// Pixels that are converted together.
pub(super) const TOGETHER: usize = 16;

/// 1.402, less 1.
pub(super) const RED_BY_CR: i16 = 26_345;
/// -0.34414.
pub(super) const GREEN_BY_CB: i16 = -22_554;
/// -0.71414, and 1.
pub(super) const GREEN_BY_CR: i16 = 18_734;
/// 1.772, less 2.
pub(super) const BLUE_BY_CB: i16 = -14_942;

/// What three components are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colors {
    Grey,
    YCbCr,
    Rgb,
}

impl Colors {
    /// Rows of as many samples as `rgb` has pixels; of grey the first alone counts.
    pub(super) fn write(self, rows: [&[u8]; 3], rgb: &mut [u8], avx2: Option<Avx2>) {
        match self {
            Self::Grey => {
                for (pixel, grey) in rgb.chunks_exact_mut(3).zip(rows[0]) {
                    pixel.fill(*grey);
                }
            }
            Self::YCbCr => from_ycbcr(rows, rgb, avx2),
            Self::Rgb => interleave(rows, rgb),
        }
    }
}

fn interleave([red, green, blue]: [&[u8]; 3], rgb: &mut [u8]) {
    for (pixel, ((red, green), blue)) in rgb.chunks_exact_mut(3).zip(red.iter().zip(green).zip(blue)) {
        pixel.copy_from_slice(&[*red, *green, *blue]);
    }
}

fn from_ycbcr([y, cb, cr]: [&[u8]; 3], rgb: &mut [u8], avx2: Option<Avx2>) {
    let whole = (rgb.len() / 3 / TOGETHER).min(y.len() / TOGETHER) * TOGETHER;
    match avx2 {
        Some(avx2) => avx2.pieces([y, cb, cr], rgb),
        None => {
            let pieces = y.as_chunks().0.iter().zip(cb.as_chunks().0).zip(cr.as_chunks().0);
            for (rgb, ((y, cb), cr)) in rgb.as_chunks_mut().0.iter_mut().zip(pieces) {
                piece(y, cb, cr, rgb);
            }
        }
    }
    let rest = [&y[whole..], &cb[whole..], &cr[whole..]].map(|row| {
        let mut samples = [0; TOGETHER];
        let count = row.len().min(TOGETHER);
        samples[..count].copy_from_slice(&row[..count]);
        samples
    });
    let mut last = [0; TOGETHER * 3];
    piece(&rest[0], &rest[1], &rest[2], &mut last);
    let rgb = &mut rgb[whole * 3..];
    let count = rgb.len();
    rgb.copy_from_slice(&last[..count]);
}

/// By libjpeg's constants of 16 bits. What of a factor is whole is added, so that the rest fits 16 bits with its sign.
#[inline(always)]
fn piece(y: &[u8; TOGETHER], cb: &[u8; TOGETHER], cr: &[u8; TOGETHER], rgb: &mut [u8; TOGETHER * 3]) {
    let (mut red, mut green, mut blue) = ([0; TOGETHER], [0; TOGETHER], [0; TOGETHER]);
    for x in 0..TOGETHER {
        let [luma, cb, cr] = [i32::from(y[x]), i32::from(cb[x]) - 128, i32::from(cr[x]) - 128];
        let scaled = |cb_by: i16, cr_by: i16| (cb * i32::from(cb_by) + cr * i32::from(cr_by) + (1 << 15)) >> 16;
        red[x] = (luma + cr + scaled(0, RED_BY_CR)).clamp(0, 255) as u8;
        green[x] = (luma - cr + scaled(GREEN_BY_CB, GREEN_BY_CR)).clamp(0, 255) as u8;
        blue[x] = (luma + 2 * cb + scaled(BLUE_BY_CB, 0)).clamp(0, 255) as u8;
    }
    for x in 0..TOGETHER {
        rgb[x * 3] = red[x];
        rgb[x * 3 + 1] = green[x];
        rgb[x * 3 + 2] = blue[x];
    }
}
