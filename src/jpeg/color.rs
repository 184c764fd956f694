//! Rows of components to rows of RGB.

/// Pixels that are converted together.
const TOGETHER: usize = 16;

/// What three components are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colors {
    Grey,
    YCbCr,
    Rgb,
}

impl Colors {
    /// Rows of as many samples as `rgb` has pixels; of grey the first alone counts.
    pub(super) fn write(self, rows: [&[u8]; 3], rgb: &mut [u8]) {
        match self {
            Self::Grey => {
                for (pixel, grey) in rgb.chunks_exact_mut(3).zip(rows[0]) {
                    pixel.fill(*grey);
                }
            }
            Self::YCbCr => from_ycbcr(rows, rgb),
            Self::Rgb => interleave(rows, rgb),
        }
    }
}

fn interleave([red, green, blue]: [&[u8]; 3], rgb: &mut [u8]) {
    for (pixel, ((red, green), blue)) in rgb.chunks_exact_mut(3).zip(red.iter().zip(green).zip(blue)) {
        pixel.copy_from_slice(&[*red, *green, *blue]);
    }
}

fn from_ycbcr([y, cb, cr]: [&[u8]; 3], rgb: &mut [u8]) {
    let whole = (rgb.len() / 3 / TOGETHER).min(y.len() / TOGETHER) * TOGETHER;
    let pieces = y.chunks_exact(TOGETHER).zip(cb.chunks_exact(TOGETHER)).zip(cr.chunks_exact(TOGETHER));
    for (rgb, ((y, cb), cr)) in rgb.chunks_exact_mut(TOGETHER * 3).zip(pieces) {
        piece(y, cb, cr, rgb);
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

#[inline(always)]
fn piece(y: &[u8], cb: &[u8], cr: &[u8], rgb: &mut [u8]) {
    let (mut red, mut green, mut blue) = ([0; TOGETHER], [0; TOGETHER], [0; TOGETHER]);
    for x in 0..TOGETHER {
        let (luma, cb, cr) = (f32::from(y[x]), f32::from(cb[x]) - 128.0, f32::from(cr[x]) - 128.0);
        red[x] = to_byte(luma + 1.402 * cr);
        green[x] = to_byte(luma - 0.344_136_3 * cb - 0.714_136_3 * cr);
        blue[x] = to_byte(luma + 1.772 * cb);
    }
    for x in 0..TOGETHER {
        rgb[x * 3] = red[x];
        rgb[x * 3 + 1] = green[x];
        rgb[x * 3 + 2] = blue[x];
    }
}

/// Clips and rounds. Adding 2^23 leaves a whole number in the lowest bits: compilers make less of `as u8`.
#[inline(always)]
pub(super) fn to_byte(sample: f32) -> u8 {
    (sample.clamp(0.0, 255.0) + 8_388_608.0).to_bits() as u8
}
