//! Between the arena and planes of one channel, which is how tensors come and go.

use super::{LANES, Place};

/// Writes `planes` (image by image, channel by channel, row by row) to `place`, and zeros to its halo and to the channels
/// that pad its last block.
///
/// # Panics
/// The lengths do not fit, or the place does not lie in the arena.
pub fn from_planar(arena: &mut [f32], planes: &[f32], place: &Place) {
    let shape = place.shape;
    let plane = shape.height * shape.width;
    assert_eq!(planes.len(), shape.images * shape.channels * plane, "a tensor of another shape");
    assert!(place.lanes == LANES || place.lanes == 1, "{} lanes", place.lanes);
    super::fill_halo(arena, place, 0.0);
    let images = planes.chunks_exact((shape.channels * plane).max(1)).enumerate();
    for (image, channels) in images {
        for block in 0..place.planes() {
            let first = block * place.lanes;
            let count = place.lanes.min(shape.channels - first);
            for row in 0..shape.height {
                let start = place.at(image, block, row, 0);
                let to = &mut arena[start..start + shape.width * place.lanes];
                let from = |lane: usize| &channels[(first + lane) * plane + row * shape.width..][..shape.width];
                if place.lanes == 1 {
                    to.copy_from_slice(from(0));
                    continue;
                }
                if count < LANES {
                    to.fill(0.0);
                }
                for lane in 0..count {
                    for (pixel, number) in to.chunks_exact_mut(LANES).zip(from(lane)) {
                        pixel[lane] = *number;
                    }
                }
            }
        }
    }
}

/// Writes `place` to `planes`, as [`from_planar`] takes them.
///
/// # Panics
/// The lengths do not fit, or the place does not lie in the arena.
pub fn to_planar(arena: &[f32], place: &Place, planes: &mut [f32]) {
    let shape = place.shape;
    let plane = shape.height * shape.width;
    assert_eq!(planes.len(), shape.images * shape.channels * plane, "a tensor of another shape");
    assert!(place.end() <= arena.len(), "a place beyond the arena");
    let images = planes.chunks_exact_mut((shape.channels * plane).max(1)).enumerate();
    for (image, channels) in images {
        for (channel, to) in channels.chunks_exact_mut(plane.max(1)).enumerate() {
            for (row, to) in to.chunks_exact_mut(shape.width.max(1)).enumerate() {
                let start = place.at(image, channel / place.lanes, row, 0) + channel % place.lanes;
                let from = arena[start..].iter().step_by(place.lanes);
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
    }
}
