//! Places that do not fit are refused by every kernel, on every level, before anything is read or written.

use strongroom_kernels::{
    Channelwise, Conv, Depthwise, Finish, Halo, LANES, Level, Operation, Place, Pool, Pooling, Shape, Team, Window,
    combine, mean_of_planes,
};

use super::refusals::assert_refused;
use super::scene::levels;

const WINDOW: Window = Window { kernel: [3; 2], stride: [1; 2], dilation: [1; 2], before: [1; 2] };
const SHAPE: Shape = Shape { images: 2, channels: 20, height: 4, width: 5 };
const LEN: usize = 10_000;

/// What a call is about: places that every kernel takes, one behind the other.
#[derive(Debug, Clone, Copy)]
struct Places {
    input: Place,
    /// What is added, or the second of two inputs.
    residual: Place,
    output: Place,
}

impl Places {
    fn new() -> Self {
        let input = Place::blocked(16, SHAPE, Halo { top: 1, left: 1, bottom: 1, right: 1 });
        let residual = Place::blocked(input.end(), SHAPE, Halo::default());
        let output = Place::blocked(residual.end(), SHAPE, Halo::default());
        assert!(output.end() < LEN);
        Self { input, residual, output }
    }

    fn all(&mut self) -> [&mut Place; 3] {
        [&mut self.input, &mut self.residual, &mut self.output]
    }
}

type Call = fn(Level, &mut [f32], &Places);

const CONV: Call = |level, arena, places| {
    let conv = Conv::new(level, WINDOW, [20, 20], LANES, &[0.0; 20 * 20 * 9][..], &[0.0; 20], Finish::default());
    conv.run(&mut Team::alone(), arena, &places.input, Some(&places.residual), &places.output);
};
const DEPTHWISE: Call = |level, arena, places| {
    let depthwise = Depthwise::new(level, WINDOW, &[0.0; 20 * 9], &[0.0; 20], Finish::default());
    depthwise.run(&mut Team::alone(), arena, &places.input, Some(&places.residual), &places.output);
};
const POOL: Call = |level, arena, places| {
    Pool { window: WINDOW, pooling: Pooling::Max }.run(&mut Team::alone(), level, arena, &places.input, &places.output);
};
const MEAN: Call = |level, arena, places| {
    let shape = Shape { height: 1, width: 1, ..places.output.shape };
    mean_of_planes(&mut Team::alone(), level, arena, &places.input, &Place { shape, ..places.output }, 1.0);
};
const CHANNELWISE: Call = |level, arena, places| {
    let scaling = Channelwise::new(&[1.0; 20], &[0.0; 20], Finish::default());
    scaling.run(&mut Team::alone(), level, arena, &places.input, &places.output);
};
const COMBINE: Call = |level, arena, places| {
    let inputs = [&places.input, &places.residual];
    combine(&mut Team::alone(), level, arena, Operation::Add, inputs, &places.output, &Finish::default());
};
const ALL: [Call; 6] = [CONV, DEPTHWISE, POOL, MEAN, CHANNELWISE, COMBINE];
/// Those that read the residual.
const OF_THREE: [Call; 3] = [CONV, DEPTHWISE, COMBINE];
const SLIDING: [Call; 2] = [CONV, DEPTHWISE];

/// Each of `calls` refuses places after `change`, and leaves memory as it was.
fn refuse(calls: &[Call], why: &str, change: impl Fn(&mut Places)) {
    for level in levels() {
        for call in calls {
            let mut places = Places::new();
            change(&mut places);
            let mut arena = vec![1.0; LEN];
            assert_refused(why, || call(level, &mut arena, &places));
            assert!(arena.iter().all(|number| *number == 1.0), "it was refused too late");
        }
    }
}

#[test]
fn places_that_fit_are_taken() {
    for level in levels() {
        ALL.iter().for_each(|call| call(level, &mut vec![1.0; LEN], &Places::new()));
    }
}

#[test]
fn an_input_beyond_memory() {
    refuse(&ALL, "beyond the arena", |places| places.input.offset = LEN - places.input.len() + 1);
}

#[test]
fn a_second_input_beyond_memory() {
    refuse(&OF_THREE, "beyond the arena", |places| places.residual.offset = LEN - places.residual.len() + 1);
}

#[test]
fn an_output_beyond_memory() {
    refuse(&[CONV, DEPTHWISE, POOL, CHANNELWISE, COMBINE], "beyond the arena", |places| {
        places.output.offset = LEN - places.output.len() + 1;
    });
    refuse(&[MEAN], "beyond the arena", |places| places.output.offset = LEN - 16);
}

#[test]
fn sizes_whose_product_overflows() {
    let changes: [fn(&mut Place); 7] = [
        |place| place.image_stride = usize::MAX,
        |place| {
            place.shape.images = 3;
            place.image_stride = 1 << (usize::BITS - 1);
        },
        |place| place.shape.width = 1 << (usize::BITS - 4),
        |place| place.shape.height = usize::MAX / 8,
        |place| place.halo.top = usize::MAX - 3,
        |place| place.halo.left = usize::MAX / LANES + 1,
        |place| place.offset = usize::MAX - 100,
    ];
    for change in changes {
        refuse(&ALL, "", |places| places.all().into_iter().for_each(change));
        refuse(&ALL, "", |places| change(&mut places.input));
        refuse(&OF_THREE, "", |places| change(&mut places.residual));
        // The mean's output is one pixel of one plane.
        refuse(&[CONV, DEPTHWISE, POOL, CHANNELWISE, COMBINE], "", |places| change(&mut places.output));
    }
}

#[test]
fn an_output_onto_a_part_of_an_input() {
    refuse(&ALL, "onto", |places| places.output.offset = places.input.offset + 16);
    refuse(&ALL, "onto", |places| places.output.offset = places.input.end() - 1);
    refuse(&ALL, "onto", |places| places.input.offset = places.output.offset + 1);
}

#[test]
fn an_output_onto_a_part_of_a_second_input() {
    refuse(&OF_THREE, "onto", |places| places.output.offset = places.residual.end() - 1);
}

#[test]
fn an_output_onto_all_of_an_input_whose_neighbours_are_read() {
    refuse(&SLIDING, "onto", |places| places.output = places.residual);
    refuse(&[CONV, DEPTHWISE, POOL, MEAN], "onto", |places| places.output.offset = places.input.offset);
}

#[test]
fn a_halo_too_narrow_on_one_side() {
    let changes: [fn(&mut Halo); 4] =
        [|halo| halo.top = 0, |halo| halo.left = 0, |halo| halo.bottom = 0, |halo| halo.right = 0];
    for change in changes {
        refuse(&SLIDING, "halo", |places| change(&mut places.input.halo));
    }
}

#[test]
fn an_output_with_more_pixels_than_the_input_has_windows() {
    refuse(&SLIDING, "halo", |places| {
        places.output.shape.height += 1;
        places.residual.shape.height += 1;
        places.output.offset += 1000;
    });
}

#[test]
fn another_number_of_lanes() {
    for lanes in [1, 8, 32] {
        for place in 0..3 {
            let calls: &[Call] = if place == 1 { &OF_THREE } else { &ALL };
            refuse(calls, "", |places| {
                let all = places.all();
                let place = &mut *all[place];
                // As many planes as before.
                (place.lanes, place.shape.channels) = (lanes, 2 * lanes);
            });
        }
    }
}

#[test]
fn no_lanes() {
    refuse(&ALL, "", |places| places.input.lanes = 0);
    refuse(&ALL, "", |places| places.output.lanes = 0);
}

#[test]
fn another_number_of_channels() {
    for channels in [16, 33] {
        refuse(&ALL, "", |places| places.input.shape.channels = channels);
        refuse(&OF_THREE, "", |places| places.residual.shape.channels = channels);
        refuse(&ALL, "", |places| places.output.shape.channels = channels);
    }
    refuse(&[CONV], "channels", |places| places.input.shape.channels = 19);
    refuse(&[CONV, DEPTHWISE, CHANNELWISE], "channels", |places| {
        (places.residual.offset, places.output.offset) = (5000, 7500);
        places.all().into_iter().for_each(|place| place.shape.channels = 33);
    });
}

#[test]
fn another_number_of_images() {
    for images in [1, 3] {
        refuse(&ALL, "", |places| places.input.shape.images = images);
        refuse(&OF_THREE, "", |places| places.residual.shape.images = images);
    }
}

#[test]
fn a_second_input_of_another_shape() {
    refuse(&OF_THREE, "", |places| places.residual.shape.height = 3);
    refuse(&OF_THREE, "", |places| places.residual.shape.width = 1);
    refuse(&SLIDING, "adds", |places| {
        (places.residual.shape.height, places.residual.shape.width) = (1, 1);
    });
}

#[test]
fn values_of_two_shapes_computed_number_by_number() {
    refuse(&[CHANNELWISE, COMBINE], "", |places| places.input.shape.height = 3);
    refuse(&[CHANNELWISE, COMBINE], "", |places| places.output.shape.width = 4);
}

#[test]
fn a_mean_of_more_than_one_pixel() {
    let mean: Call =
        |level, arena, places| mean_of_planes(&mut Team::alone(), level, arena, &places.input, &places.output, 1.0);
    refuse(&[mean], "mean", |_| ());
}

#[test]
fn an_output_without_pixels_is_nothing_to_compute() {
    for level in levels() {
        for (height, width) in [(0, 5), (4, 0), (0, 0)] {
            let mut places = Places::new();
            places.output.shape = Shape { height, width, ..SHAPE };
            places.residual.shape = places.output.shape;
            let mut arena = vec![1.0; LEN];
            [CONV, DEPTHWISE, POOL].iter().for_each(|call| call(level, &mut arena, &places));
            assert!(arena.iter().all(|number| *number == 1.0));
        }
    }
}
