//! Boxes and points in the plane: overlap, non-maximum suppression, and the similarity that moves a face to its place.

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
        let covered = |better: &T| {
            better.class() == candidate.class() && better.rect().overlap(candidate.rect()) > threshold
        };
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

/// The 2 x 3 matrix that moves `points` as close as a similarity (no mirror) can bring them, in the sense of least
/// squares (Umeyama, 1991), to dlib's mean face with `padding` of its size around it in a chip of `size` pixels. None
/// where the points coincide.
///
/// With centred points the minimum over `x' = a x - b y`, `y' = b x + a y` has this closed form; no decomposition needed.
pub(super) fn face_similarity(points: &[[f32; 2]; 5], size: u32, padding: f32) -> Option<[[f64; 3]; 2]> {
    let source = points.map(|[x, y]| [f64::from(x), f64::from(y)]);
    let place = |v: f64| (v + f64::from(padding)) / (1.0 + 2.0 * f64::from(padding)) * f64::from(size);
    let target = MEAN_FACE.map(|[x, y]| [place(x), place(y)]);
    let (from, to) = (centroid(&source), centroid(&target));
    let (mut a, mut b, mut spread) = (0.0, 0.0, 0.0);
    for (s, t) in source.iter().zip(&target) {
        let (sx, sy, tx, ty) = (s[0] - from[0], s[1] - from[1], t[0] - to[0], t[1] - to[1]);
        a += sx * tx + sy * ty;
        b += sx * ty - sy * tx;
        spread += sx * sx + sy * sy;
    }
    // Less than a hundredth of a pixel apart: nothing to align by, and the inverse would leave all bounds.
    if !(spread > 1e-4) || !(a.hypot(b) > 1e-9) {
        return None;
    }
    let (a, b) = (a / spread, b / spread);
    Some([[a, -b, to[0] - a * from[0] + b * from[1]], [b, a, to[1] - b * from[0] - a * from[1]]])
}

fn centroid(points: &[[f64; 2]; 5]) -> [f64; 2] {
    let mean = |axis: usize| points.iter().map(|p| p[axis]).sum::<f64>() / 5.0;
    [mean(0), mean(1)]
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
    fn a_turned_scaled_shifted_mean_face_comes_back_to_its_place() {
        let (sin, cos) = 0.6_f64.sin_cos();
        let moved = MEAN_FACE.map(|[x, y]| {
            [(80.0 * (cos * x - sin * y) + 33.0) as f32, (80.0 * (sin * x + cos * y) - 7.0) as f32]
        });
        let m = face_similarity(&moved, 150, 0.25).unwrap();
        for (p, q) in moved.iter().zip(&MEAN_FACE) {
            let (x, y) = (f64::from(p[0]), f64::from(p[1]));
            let at = [m[0][0] * x + m[0][1] * y + m[0][2], m[1][0] * x + m[1][1] * y + m[1][2]];
            for axis in 0..2 {
                assert!((at[axis] - (q[axis] + 0.25) / 1.5 * 150.0).abs() < 1e-3, "{at:?}");
            }
        }
    }

    #[test]
    fn points_in_one_place_align_to_nothing() {
        assert_eq!(face_similarity(&[[5.0, 5.0]; 5], 150, 0.25), None);
    }
}
