//! The largest byte of windows.
//!
//! `unsafe` in this file: [`max_of_bytes`] checks the places; below it, addresses are of pixels in them.

use std::ops::Range;

use crate::channelwise::{each_row, rows, work};
use crate::level::Kernel;
use crate::pool::taps;
use crate::simd::Simd;
use crate::team::Shared;
use crate::{LANES, Level, Place, Team, Window};

/// Computes `output`, the largest byte of each window of `input`; what lies beyond the edge takes no part.
///
/// # Panics
/// The places do not fit each other or the arena, or the window has a zero in it.
pub fn max_of_bytes(team: &mut Team, level: Level, window: Window, arena: &mut [f32], [input, output]: [&Place; 2]) {
    window.taps();
    assert!(input.end().max(output.end()) <= size_of_val(arena), "a place beyond the arena");
    assert!(input.lanes == LANES && output.lanes == LANES, "lanes of a pooling");
    assert_eq!(input.planes(), output.planes(), "channels of a pooling");
    assert_eq!(input.shape.images, output.shape.images, "images of a pooling");
    assert!(!output.overlaps(input), "a pooling onto its input");
    output.require_apart();
    let arena = Shared::of(arena);
    team.share(rows(output), work(output), |rows| {
        level.run(Windows { window, arena: arena.start().cast(), input, output, rows });
    });
}

struct Windows<'a> {
    window: Window,
    arena: *mut u8,
    input: &'a Place,
    output: &'a Place,
    /// Those of the output that are computed here, and by nobody else.
    rows: Range<usize>,
}

impl Kernel for Windows<'_> {
    type Answer = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Window { stride, dilation, before, .. } = self.window;
        let (height, width) = (self.input.shape.height, self.input.shape.width);
        for [image, plane, row] in each_row(self.output, self.rows.clone()) {
            let rows = taps(&self.window, 0, row, height);
            // SAFETY: `max_of_bytes` checked the places, and `taps` leaves only those inside the plane.
            unsafe {
                let output = self.arena.add(self.output.at(image, plane, row, 0));
                for column in 0..self.output.shape.width {
                    let columns = taps(&self.window, 1, column, width);
                    // Of no tap, where there is none.
                    let first = (column * stride[1] + columns.start * dilation[1]).saturating_sub(before[1]);
                    let mut most = [0_u8; LANES];
                    for y in rows.clone() {
                        let y = row * stride[0] + y * dilation[0] - before[0];
                        let line = self.arena.add(self.input.at(image, plane, y, first));
                        for x in 0..columns.len() {
                            let bytes = line.add(x * dilation[1] * LANES).cast::<[u8; LANES]>().read();
                            most = std::array::from_fn(|lane| most[lane].max(bytes[lane]));
                        }
                    }
                    output.add(column * LANES).cast::<[u8; LANES]>().write(most);
                }
            }
        }
    }
}
