//! Where a value lies in the arena, and how.

use super::LANES;

/// Images, channels, rows, pixels of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Images of the batch.
    pub images: usize,
    /// Channels, as the graph counts them.
    pub channels: usize,
    /// Rows of a plane.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
}

/// Zeros around a plane, in rows and pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Halo {
    /// Rows above.
    pub top: usize,
    /// Pixels to the left.
    pub left: usize,
    /// Rows below.
    pub bottom: usize,
    /// Pixels to the right.
    pub right: usize,
}

impl Halo {
    /// As wide as either.
    pub fn union(self, other: Self) -> Self {
        Self {
            top: self.top.max(other.top),
            left: self.left.max(other.left),
            bottom: self.bottom.max(other.bottom),
            right: self.right.max(other.right),
        }
    }

    /// Whether there is none.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// Where a value lies: `offset` is of the first number of the first plane, halo included; all in numbers, not bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where it begins.
    pub offset: usize,
    /// What it is.
    pub shape: Shape,
    /// Zeros around each plane.
    pub halo: Halo,
    /// Channels that are neighbours: [`LANES`], or 1 for a planar value.
    pub lanes: usize,
    /// From one image to the next; more than its planes take where the value is a part of another one's channels.
    pub image_stride: usize,
}

impl Place {
    /// A value of its own, in blocks of channels.
    pub fn blocked(offset: usize, shape: Shape, halo: Halo) -> Self {
        Self::new(offset, shape, halo, LANES)
    }

    /// A value of its own, channel by channel.
    pub fn planar(offset: usize, shape: Shape, halo: Halo) -> Self {
        Self::new(offset, shape, halo, 1)
    }

    fn new(offset: usize, shape: Shape, halo: Halo, lanes: usize) -> Self {
        let mut place = Self { offset, shape, halo, lanes, image_stride: 0 };
        place.image_stride = place.image_len();
        place
    }

    /// Blocks of an image (channels, where the value is planar).
    pub fn planes(&self) -> usize {
        self.shape.channels.div_ceil(self.lanes)
    }

    /// From one pixel to the one below.
    pub fn row_stride(&self) -> usize {
        (self.shape.width + self.halo.left + self.halo.right) * self.lanes
    }

    /// From one block to the next.
    pub fn plane_stride(&self) -> usize {
        (self.shape.height + self.halo.top + self.halo.bottom) * self.row_stride()
    }

    /// Numbers from the first to behind the last; like its end, `usize::MAX` where that would be more. Whoever sees that
    /// the end lies in the arena knows so that no stride and no offset within the place overflows.
    #[allow(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.shape.images.saturating_sub(1).saturating_mul(self.image_stride).saturating_add(self.image_len())
    }

    /// Of one image.
    fn image_len(&self) -> usize {
        let Halo { top, left, bottom, right } = self.halo;
        let columns = self.shape.width.saturating_add(left).saturating_add(right);
        let rows = self.shape.height.saturating_add(top).saturating_add(bottom);
        self.planes().saturating_mul(rows).saturating_mul(columns.saturating_mul(self.lanes))
    }

    /// Behind its last number.
    pub fn end(&self) -> usize {
        self.offset.saturating_add(self.len())
    }

    /// Of the pixel at `row` and `column` of a plane, counted without the halo.
    pub fn at(&self, image: usize, plane: usize, row: usize, column: usize) -> usize {
        self.offset
            + image * self.image_stride
            + plane * self.plane_stride()
            + (row + self.halo.top) * self.row_stride()
            + (column + self.halo.left) * self.lanes
    }

    /// Whether its images have no number in common, so that several threads may write them.
    ///
    /// # Panics
    /// They have.
    pub(crate) fn require_apart(&self) {
        let apart = self.shape.images < 2 || self.image_len() <= self.image_stride;
        assert!(apart, "images of an output over each other, {} apart", self.image_stride);
    }

    /// Whether rows follow each other without a gap, so that a plane is one long row.
    pub fn is_dense(&self) -> bool {
        self.halo.is_none()
    }

    /// `channels` channels of it, from the plane `first` on.
    ///
    /// # Panics
    /// It has fewer planes.
    pub fn part(&self, first: usize, channels: usize) -> Self {
        let planes = channels.div_ceil(self.lanes);
        let fits = first.checked_add(planes).is_some_and(|end| end <= self.planes());
        assert!(fits, "{planes} planes from {first} on are no part of {}", self.planes());
        let shape = Shape { channels, ..self.shape };
        Self { offset: self.offset + first * self.plane_stride(), shape, ..*self }
    }

    /// Whether the two have a number in common. Parts of one value have none, though images of both alternate.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (first, second) = if self.offset <= other.offset { (self, other) } else { (other, self) };
        let stride = first.image_stride;
        let from = (second.offset - first.offset).checked_rem(stride).unwrap_or(0);
        let alternate = stride == second.image_stride
            && first.image_len() <= from
            && from.saturating_add(second.image_len()) <= stride;
        second.offset < first.end() && !alternate
    }
}
