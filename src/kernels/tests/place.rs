//! Where values lie.

use proptest::prelude::*;
use strongroom_kernels::{Halo, LANES, Place, Shape};

use super::draw::{cases, channels, layouts};
use super::scene::Scene;

fn places() -> impl Strategy<Value = Place> {
    let sizes = (1..4_usize, channels(), 1..5_usize, 1..5_usize, prop_oneof![Just(1), Just(LANES)]);
    (sizes, layouts()).prop_map(|((images, channels, height, width, lanes), layout)| {
        Scene::default().room(&layout, Shape { images, channels, height, width }, lanes)
    })
}

/// Every number of its planes.
fn numbers(place: &Place) -> Vec<usize> {
    let mut numbers = Vec::new();
    for image in 0..place.shape.images {
        let start = place.offset + image * place.image_stride;
        numbers.extend(start..start + place.planes() * place.plane_stride());
    }
    numbers
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn pixels_follow_each_other_row_by_row_with_the_halo_around_them(place in places()) {
        let Halo { top, left, bottom, right } = place.halo;
        let mut next = place.offset;
        for image in 0..place.shape.images {
            next = next.max(place.offset + image * place.image_stride);
            for plane in 0..place.planes() {
                let wide = left + place.shape.width + right;
                next += top * wide * place.lanes;
                for row in 0..place.shape.height {
                    next += left * place.lanes;
                    for column in 0..place.shape.width {
                        prop_assert_eq!(place.at(image, plane, row, column), next);
                        next += place.lanes;
                    }
                    next += right * place.lanes;
                }
                next += bottom * wide * place.lanes;
            }
        }
        prop_assert_eq!(place.end(), next);
        prop_assert_eq!(place.len(), next - place.offset);
    }

    #[test]
    fn places_overlap_where_they_have_a_number_in_common(
        place in places(), first in 0..4_usize, channels in 1..40_usize, shift in 0..300_usize, apart in any::<bool>(),
    ) {
        let mut other = place;
        match apart {
            true => other.offset += shift,
            false => {
                let first = first.min(place.planes() - 1);
                other = place.part(first, channels.min(place.shape.channels - first * place.lanes));
            }
        }
        let own = numbers(&place);
        let common = numbers(&other).iter().any(|number| own.contains(number));
        prop_assert!(!common || place.overlaps(&other), "{:?} {:?}", place, other);
        prop_assert_eq!(place.overlaps(&other), other.overlaps(&place));
        // Between one image's planes and the next one's there is room for others: no overlap.
        if place.image_stride == place.planes() * place.plane_stride() || place.shape.images == 1 {
            prop_assert_eq!(common, place.overlaps(&other), "{:?} {:?}", place, other);
        }
    }

    #[test]
    fn parts_of_one_value_lie_apart(place in places(), at in 1..4_usize) {
        prop_assume!(at < place.planes());
        let first = place.part(0, at * place.lanes);
        let rest = place.part(at, place.shape.channels - at * place.lanes);
        prop_assert!(!first.overlaps(&rest) && !rest.overlaps(&first));
        prop_assert!(first.overlaps(&place) && place.overlaps(&rest));
        prop_assert_eq!(rest.at(0, 0, 0, 0), place.at(0, at, 0, 0));
    }
}

#[test]
fn a_halo_is_as_wide_as_the_wider_one_on_each_side() {
    let (a, b) = (Halo { top: 1, left: 2, bottom: 0, right: 4 }, Halo { top: 3, left: 1, bottom: 0, right: 4 });
    assert_eq!(a.union(b), Halo { top: 3, left: 2, bottom: 0, right: 4 });
    assert!(!a.is_none() && Halo::default().is_none());
}
