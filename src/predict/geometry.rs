//! Boxes and points in the plane: overlap, non-maximum suppression, and where a face's points belong.

/// Corners in pixels, right and bottom outside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub(super) left: f32,
    pub(super) top: f32,
    pub(super) right: f32,
    pub(super) bottom: f32,
}

impl Rect {
    pub(super) fn from_center(x: f32, y: f32, width: f32, height: f32) -> Self {
        Self { left: x - width / 2.0, top: y - height / 2.0, right: x + width / 2.0, bottom: y + height / 2.0 }
    }

    pub(super) fn width(&self) -> f32 {
        self.right - self.left
    }

    pub(super) fn height(&self) -> f32 {
        self.bottom - self.top
    }

    /// The part of it that lies in `[0, width] x [0, height]`.
    pub(super) fn clip(&self, width: f32, height: f32) -> Self {
        Self {
            left: self.left.clamp(0.0, width),
            top: self.top.clamp(0.0, height),
            right: self.right.clamp(0.0, width),
            bottom: self.bottom.clamp(0.0, height),
        }
    }

    /// Whether it covers nothing.
    pub(super) fn is_empty(&self) -> bool {
        // Written so that a NaN counts as empty.
        !(self.width() > 0.0 && self.height() > 0.0)
    }

    /// Intersection over union, 0 for boxes that cover nothing.
    pub(super) fn overlap(&self, other: &Self) -> f32 {
        let width = (self.right.min(other.right) - self.left.max(other.left)).max(0.0);
        let height = (self.bottom.min(other.bottom) - self.top.max(other.top)).max(0.0);
        let shared = width * height;
        let union = self.width() * self.height() + other.width() * other.height() - shared;
        if union > 0.0 { shared / union } else { 0.0 }
    }
}

/// What a detector found: a box, its score, its class.
pub(super) trait Scored {
    fn rect(&self) -> &Rect;
    fn score(&self) -> f32;
    fn class(&self) -> usize;
}

/// Best first; of two candidates of one class that overlap by more than `threshold` only the better stays. Equal scores
/// keep their order, so that an answer does not depend on chance. At most `most` stay, which also bounds the work: only
/// as many comparisons as candidates times `most`.
pub(super) fn suppress<T: Scored>(mut candidates: Vec<T>, threshold: f32, most: usize) -> Vec<T> {
    best_first(&mut candidates);
    let mut kept: Vec<T> = Vec::new();
    for candidate in candidates {
        if kept.len() == most {
            break;
        }
        let covered =
            |better: &T| better.class() == candidate.class() && better.rect().overlap(candidate.rect()) > threshold;
        if !kept.iter().any(covered) {
            kept.push(candidate);
        }
    }
    kept
}

/// Sorts by falling score; equal scores keep their order.
pub(super) fn best_first<T: Scored>(candidates: &mut [T]) {
    candidates.sort_by(|a, b| b.score().total_cmp(&a.score()));
}

/// dlib's mean face in a unit square: the eye on the left side of the picture, the other eye, the tip of the nose, the
/// corner of the mouth on the left side of the picture, the other corner.
const MEAN_FACE: [[f64; 2]; 5] =
    [[0.22549, 0.21599], [0.75476, 0.21599], [0.490127, 0.515625], [0.254149, 0.780233], [0.726104, 0.780233]];

/// dlib's mean face with `padding` of its size around it in a chip of `size` pixels.
pub(super) fn mean_face(size: u32, padding: f32) -> [[f32; 2]; 5] {
    let padding = f64::from(padding);
    let place = |v: f64| ((v + padding) / (1.0 + 2.0 * padding) * f64::from(size)) as f32;
    MEAN_FACE.map(|point| point.map(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Found(Rect, f32, usize);

    impl Scored for Found {
        fn rect(&self) -> &Rect {
            &self.0
        }
        fn score(&self) -> f32 {
            self.1
        }
        fn class(&self) -> usize {
            self.2
        }
    }

    fn square(left: f32, side: f32) -> Rect {
        Rect { left, top: 0.0, right: left + side, bottom: side }
    }

    #[test]
    fn overlap_is_intersection_over_union() {
        assert_eq!(square(0.0, 2.0).overlap(&square(1.0, 2.0)), 1.0 / 3.0);
        assert_eq!(square(0.0, 2.0).overlap(&square(5.0, 2.0)), 0.0);
        assert_eq!(square(0.0, 0.0).overlap(&square(0.0, 0.0)), 0.0);
    }

    #[test]
    fn suppression_keeps_the_better_box_of_each_class() {
        let found = vec![
            Found(square(0.0, 10.0), 0.5, 0),
            Found(square(1.0, 10.0), 0.9, 0),
            Found(square(1.0, 10.0), 0.8, 1),
            Found(square(50.0, 10.0), 0.1, 0),
        ];
        let kept: Vec<_> = suppress(found, 0.5, 100).iter().map(|f| (f.1, f.2)).collect();
        assert_eq!(kept, [(0.9, 0), (0.8, 1), (0.1, 0)]);
    }

    #[test]
    fn suppression_stops_at_the_most_that_is_wanted() {
        let found = (0..10).map(|i| Found(square(i as f32 * 20.0, 10.0), 0.5, 0)).collect();
        let kept: Vec<_> = suppress(found, 0.5, 3).iter().map(|f| f.0.left).collect();
        assert_eq!(kept, [0.0, 20.0, 40.0], "equal scores keep their order");
    }

    #[test]
    fn the_mean_face_lies_inside_its_padding() {
        let [eye, _, _, _, mouth] = mean_face(150, 0.25);
        assert_eq!(eye, [47.549, 46.599]);
        assert_eq!(mouth, [97.6104, 103.0233]);
    }
}
