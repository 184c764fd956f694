//! Every comparison of the format as "the key of the feature is below a threshold".

use super::attributes::Mode;
use super::graph::Node;

/// Where a walk goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Then {
    /// At a node.
    Node(u32),
    /// At the second test of a node.
    Second(u32),
}

/// A comparison with one threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Test {
    pub(super) feature: u32,
    pub(super) threshold: i32,
    /// Whether the key of a NaN counts as below every threshold, or as above.
    pub(super) nan_is_below: bool,
    pub(super) below: Then,
    pub(super) otherwise: Then,
}

/// A number that orders as the float does, both zeros as one, between the two numbers that stand for NaN.
#[inline]
pub(super) fn key(value: f32, nan: i32) -> i32 {
    // Adding zero makes -0 and 0 the same bits.
    let bits = (value + 0.0).to_bits() as i32;
    let ordered = bits ^ ((bits >> 31) & i32::MAX);
    if value.is_nan() { nan } else { ordered }
}

impl Test {
    /// The test of a branch; for equality two, of which the first leads to the second where the key is not below.
    pub(super) fn of(node: &Node) -> Option<(Self, Option<Self>)> {
        let Node::Branch { mode, feature, value, missing_is_true, yes, no } = *node else { return None };
        let (yes, no) = (Then::Node(yes), Then::Node(no));
        // Nothing but a NaN is at or below the lowest key, or at or above the highest.
        let at = key(value, i32::MIN);
        let test =
            |threshold, nan_is_below, below, otherwise| Self { feature, threshold, nan_is_below, below, otherwise };
        Some(match mode {
            Mode::Leaf => return None,
            Mode::Neq if value.is_nan() => (test(0, true, yes, yes), None),
            Mode::Leq | Mode::Lt | Mode::Eq if value.is_nan() => (test(at + 1, missing_is_true, yes, no), None),
            Mode::Gte | Mode::Gt if value.is_nan() => (test(i32::MAX, !missing_is_true, no, yes), None),
            Mode::Leq => (test(at + 1, missing_is_true, yes, no), None),
            Mode::Lt => (test(at, missing_is_true, yes, no), None),
            Mode::Gte => (test(at, !missing_is_true, no, yes), None),
            Mode::Gt => (test(at + 1, !missing_is_true, no, yes), None),
            Mode::Eq => (test(at, false, no, no), Some(test(at + 1, missing_is_true, yes, no))),
            Mode::Neq => (test(at, true, yes, yes), Some(test(at + 1, true, no, yes))),
        })
    }

    pub(super) fn leading_to_second(self, node: u32) -> Self {
        Self { otherwise: Then::Second(node), ..self }
    }
}
