//! A net that is ready to run: calls of kernels, one after the other, over one arena.

use strongroom_kernels::{
    Arena, Channelwise, Conv, Depthwise, Finish, LANES, Level, Operation, Place, Pool, combine, fill_halo, from_planar,
    mean_of_planes, to_planar,
};

/// Steps over an arena.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) level: Level,
    pub(super) steps: Vec<Step>,
    /// Where inputs are put.
    pub(super) inputs: Vec<Place>,
    /// Where outputs are found.
    pub(super) outputs: Vec<Place>,
    /// Numbers of the arena.
    pub(super) len: usize,
}

/// A call and where its result lies.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) call: Call,
    pub(super) output: Place,
}

/// A kernel, and what it is computed from.
#[derive(Debug)]
pub(super) enum Call {
    /// Convolution.
    Conv { conv: Conv, input: Place, residual: Option<Place> },
    /// Convolution of each channel by itself.
    Depthwise { conv: Depthwise, input: Place, residual: Option<Place> },
    /// Pooling over windows.
    Pool { pool: Pool, input: Place },
    /// The mean of each plane, times a number.
    PlaneMean { scale: f32, input: Place },
    /// Channel by channel.
    Scale { scaling: Channelwise, input: Place },
    /// Two values.
    Combine { operation: Operation, left: Place, right: Place, finish: Finish },
    /// Into the output, from one of its channels on.
    Copy { input: Place, channel: usize },
}

impl Program {
    /// Memory for one thread to run it in.
    pub(super) fn arena(&self) -> Arena {
        Arena::new(self.len)
    }

    /// Computes `outputs` from `inputs`, all planar: image by image, channel by channel, row by row.
    pub(super) fn run(&self, arena: &mut Arena, inputs: &[&[f32]], outputs: &mut [&mut [f32]]) {
        let arena = arena.numbers_mut();
        for (place, input) in self.inputs.iter().zip(inputs) {
            from_planar(arena, input, place);
        }
        for step in &self.steps {
            step.run(self.level, arena);
        }
        for (place, output) in self.outputs.iter().zip(outputs) {
            to_planar(arena, place, output);
        }
    }
}

impl Step {
    fn run(&self, level: Level, arena: &mut [f32]) {
        let output = &self.output;
        match &self.call {
            Call::Conv { conv, input, residual } => conv.run(arena, input, residual.as_ref(), output),
            Call::Depthwise { conv, input, residual } => conv.run(arena, input, residual.as_ref(), output),
            Call::Pool { pool, input } => pool.run(level, arena, input, output),
            Call::PlaneMean { scale, input } => mean_of_planes(level, arena, input, output, *scale),
            Call::Scale { scaling, input } => scaling.run(level, arena, input, output),
            Call::Combine { operation, left, right, finish } => {
                combine(level, arena, *operation, [left, right], output, finish);
            }
            Call::Copy { input, channel } => copy(arena, input, output, *channel),
        }
        fill_halo(arena, output);
    }
}

/// Copies pixel by pixel, for channels that begin within a block.
fn copy(arena: &mut [f32], input: &Place, output: &Place, first: usize) {
    let shape = input.shape;
    for image in 0..shape.images {
        for channel in 0..shape.channels {
            let to = first + channel;
            for row in 0..shape.height {
                let from = input.at(image, channel / input.lanes, row, 0) + channel % input.lanes;
                let to = output.at(image, to / LANES, row, 0) + to % LANES;
                for column in 0..shape.width {
                    arena[to + column * LANES] = arena[from + column * input.lanes];
                }
            }
        }
    }
}
