//! What is done number by number.

use strongroom_kernels::{Activation, Finish, Operation, Shape};
use tract_onnx::prelude::Tensor;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::math::{Add, Div, Erf, Max, Min, Mul, Sub, Tanh};
use tract_onnx::tract_core::ops::nn::{GeluExact, HardSwish, LeakyRelu, Sigmoid, Silu};

use super::super::layer::{Layer, ScaleLayer};
use super::constant::{numbers, spread};
use super::{Recognised, Seen};

impl Seen<'_> {
    pub(super) fn unary(&self, unary: &ElementWiseOp) -> Option<Recognised> {
        let view = self.view(0)?;
        let op = &unary.0;
        let activation = if op.is::<Sigmoid>() {
            Activation::Sigmoid
        } else if op.is::<HardSwish>() {
            Activation::HardSwish
        } else if op.is::<Silu>() {
            Activation::Silu
        } else if op.is::<GeluExact>() {
            Activation::Gelu
        } else if op.is::<Tanh>() {
            Activation::Tanh
        } else if op.is::<Erf>() {
            Activation::Erf
        } else {
            Activation::Leaky(op.downcast_ref::<LeakyRelu>()?.alpha)
        };
        let finish = Finish { activation, ..Finish::default() };
        let channels = view.shape(self.dims(0)?)?.channels;
        let layer = Layer::Scale(ScaleLayer { finish, ..ScaleLayer::identity(channels) });
        Some(self.is(layer, &[0], view.clone(), vec![view]))
    }

    pub(super) fn binary(&self, binary: &TypedBinOp) -> Option<Recognised> {
        let operation = operation(binary)?;
        match (self.constant(0), self.constant(1)) {
            (None, Some(constant)) => self.with_constant(operation, 0, &constant),
            (Some(constant), None) => self.with_constant(operation, 1, &constant),
            (None, None) => self.of_two(operation),
            (Some(_), Some(_)) => None,
        }
    }

    /// The input in `slot` and a constant that is the same for all pixels of a channel.
    fn with_constant(&self, operation: Operation, slot: usize, constant: &Tensor) -> Option<Recognised> {
        let (view, dims) = (self.view(slot)?, self.dims(slot)?);
        if dims != self.output_dims() {
            return None;
        }
        let channels = view.shape(dims)?.channels;
        let mut varying = constant.shape().iter().enumerate().filter(|(_, dim)| **dim != 1).map(|(axis, _)| axis);
        let by_channel = match (varying.next(), varying.next()) {
            (None, _) => true,
            (Some(axis), None) => {
                constant.rank() <= dims.len() && Some(axis + dims.len() - constant.rank()) == view.channel_axis()
            }
            (Some(_), Some(_)) => false,
        };
        let numbers = spread(by_channel.then(|| numbers(constant))??, channels)?;
        let uniform = || numbers.iter().all(|number| *number == numbers[0]).then(|| numbers[0]);
        let mut layer = ScaleLayer::identity(channels);
        match (operation, slot == 1) {
            (Operation::Add, _) => layer.offset = numbers,
            (Operation::Multiply, _) => layer.scale = numbers,
            (Operation::Subtract, false) => layer.offset = numbers.iter().map(|number| -number).collect(),
            (Operation::Subtract, true) => {
                layer.scale = vec![-1.0; channels];
                layer.offset = numbers;
            }
            (Operation::Divide, false) => layer.scale = numbers.iter().map(|number| 1.0 / number).collect(),
            (Operation::Divide, true) => return None,
            (Operation::Max, _) => layer.finish.low = uniform()?,
            (Operation::Min, _) => layer.finish.high = uniform()?,
        }
        Some(self.is(Layer::Scale(layer), &[slot], view.clone(), vec![view]))
    }

    /// Two values; the one that is of one pixel, if any, becomes the second.
    fn of_two(&self, operation: Operation) -> Option<Recognised> {
        let made = [self.made(0), self.made(1)];
        // What comes from outside is seen as the other one is.
        let views = match made {
            [Some(left), Some(right)] => [left, right],
            [Some(left), None] => [left.clone(), left],
            [None, Some(right)] => [right.clone(), right],
            [None, None] => [self.view(0)?, self.view(1)?],
        };
        let dims = [self.dims(0)?, self.dims(1)?];
        if !views[0].agrees(dims[0], &views[1], dims[1]) {
            return None;
        }
        let shapes = [views[0].shape(dims[0])?, views[1].shape(dims[1])?];
        let pixel = |shape: Shape| Shape { height: 1, width: 1, ..shape };
        let commutes = !matches!(operation, Operation::Subtract | Operation::Divide);
        let is_whole = |slot: usize| dims[slot] == self.output_dims();
        let fits = |large: usize, small: usize| {
            is_whole(large) && (shapes[small] == shapes[large] || shapes[small] == pixel(shapes[large]))
        };
        let layer = Layer::Combine(operation, Finish::default());
        let [left, right] = views;
        if fits(0, 1) {
            Some(self.is(layer, &[0, 1], left.clone(), vec![left, right]))
        } else if commutes && fits(1, 0) {
            Some(self.is(layer, &[1, 0], right.clone(), vec![right, left]))
        } else {
            None
        }
    }
}

fn operation(binary: &TypedBinOp) -> Option<Operation> {
    let op = &binary.0;
    let known = [
        (op.is::<Add>(), Operation::Add),
        (op.is::<Sub>(), Operation::Subtract),
        (op.is::<Mul>(), Operation::Multiply),
        (op.is::<Div>(), Operation::Divide),
        (op.is::<Max>(), Operation::Max),
        (op.is::<Min>(), Operation::Min),
    ];
    known.into_iter().find_map(|(is_it, operation)| is_it.then_some(operation))
}
