//! What each kernel should give, computed in `f64` in the plainest way, and how far from it a number in `f32` may lie.

use strongroom_kernels::{Activation, Finish, Operation, Pool, Pooling, Shape, Window};

/// Half a unit in the last place of 1: what one operation in `f32` is off by, at most, relative to its result.
const ROUNDING: f64 = 1.0 / (1 << 24) as f64;
/// Where numbers are so small that they are rounded to a multiple of this.
const SMALLEST: f64 = 1.0e-44;

/// A number, and how far from it a kernel's may lie.
#[derive(Debug, Clone, Copy)]
pub struct Exact {
    pub value: f64,
    pub slack: f64,
}

impl Exact {
    /// Nothing is rounded.
    pub fn number(value: f64) -> Self {
        Self { value, slack: 0.0 }
    }

    /// A sum of products: whatever the order, and whether products are rounded by themselves or not, `n` terms are off
    /// by less than `n + 2` roundings of the sum of their sizes.
    pub fn sum(terms: impl IntoIterator<Item = f64>) -> Self {
        let (mut value, mut size, mut count) = (0.0, 0.0, 2.0);
        for term in terms {
            value += term;
            size += term.abs();
            count += 1.0;
        }
        Self { value, slack: count * ROUNDING * size + SMALLEST }
    }

    /// After one more operation, whose result is `value` and which multiplies what was off by `slope` at most.
    fn after(self, value: f64, slope: f64) -> Self {
        Self { value, slack: self.slack * slope + 2.0 * ROUNDING * value.abs() + SMALLEST }
    }

    pub fn times(self, factor: f64) -> Self {
        self.after(self.value * factor, factor.abs())
    }

    fn plus(self, added: f64) -> Self {
        self.after(self.value + added, 1.0)
    }

    /// Activation, addition, clamp.
    pub fn finished(self, finish: &Finish, residual: Option<f32>) -> Self {
        let mut exact = self.activated(finish.activation);
        if let Some(added) = residual {
            exact = exact.plus(f64::from(added));
        }
        if !exact.value.is_nan() {
            exact.value = exact.value.max(f64::from(finish.low)).min(f64::from(finish.high));
        }
        exact
    }

    fn activated(self, activation: Activation) -> Self {
        let x = self.value;
        let mut exact = self.after(activated(activation, x), steepest(activation));
        exact.slack += match activation {
            Activation::Identity | Activation::Leaky(_) => 0.0,
            // The kernels' formulas themselves: the tests of activations say how far they are off.
            Activation::Erf => 6.0e-7,
            _ => 4.0e-7 * x.abs().max(1.0),
        };
        exact
    }

    /// Whether a kernel may have answered `number`.
    pub fn admits(self, number: f32) -> bool {
        let number = f64::from(number);
        let is_equal = self.value == number || (self.value.is_nan() && number.is_nan());
        is_equal || (self.value - number).abs() <= self.slack
    }
}

/// The most that an activation multiplies a difference by.
fn steepest(activation: Activation) -> f64 {
    match activation {
        Activation::Leaky(slope) => f64::from(slope.abs()).max(1.0),
        Activation::HardSigmoid { slope, .. } => f64::from(slope.abs()),
        Activation::HardSwish => 1.5,
        Activation::Silu | Activation::Gelu | Activation::Erf => 1.2,
        Activation::Identity | Activation::Sigmoid | Activation::Tanh => 1.0,
    }
}

/// The activation of one number, by its definition.
pub fn activated(activation: Activation, x: f64) -> f64 {
    let sigmoid = 1.0 / (1.0 + (-x).exp());
    match activation {
        Activation::Identity => x,
        Activation::Leaky(slope) => {
            if x < 0.0 {
                x * f64::from(slope)
            } else {
                x
            }
        }
        Activation::Sigmoid => sigmoid,
        // What the definitions tend to, where they would multiply zero by infinity.
        Activation::Silu | Activation::Gelu if x == f64::NEG_INFINITY => 0.0,
        Activation::Silu => x * sigmoid,
        Activation::HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::HardSigmoid { slope, offset } => (f64::from(slope) * x + f64::from(offset)).clamp(0.0, 1.0),
        Activation::Gelu => x / 2.0 * erfc(-x / std::f64::consts::SQRT_2),
        Activation::Tanh => x.tanh(),
        Activation::Erf => 1.0 - erfc(x),
    }
}

/// `1 - erf(x)`: the series where it converges soon, the continued fraction beyond.
fn erfc(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    let bell = (-x * x).exp() / std::f64::consts::PI.sqrt();
    if x < 3.0 {
        let (mut term, mut sum) = (x, x);
        for n in 1..100 {
            term *= 2.0 * x * x / f64::from(2 * n + 1);
            sum += term;
        }
        return 1.0 - 2.0 * bell * sum;
    }
    let fraction = (1..60).rev().fold(x, |below, n| x + f64::from(n) / 2.0 / below);
    bell / fraction
}

/// Numbers image by image, channel by channel, row by row.
#[derive(Debug, Clone)]
pub struct Tensor<T> {
    pub shape: Shape,
    pub numbers: Vec<T>,
}

/// Image, channel, row, column.
pub type At = [usize; 4];

impl<T: Copy> Tensor<T> {
    pub fn of(shape: Shape, mut number: impl FnMut(At) -> T) -> Self {
        let mut numbers = Vec::new();
        for image in 0..shape.images {
            for channel in 0..shape.channels {
                for row in 0..shape.height {
                    numbers.extend((0..shape.width).map(|column| number([image, channel, row, column])));
                }
            }
        }
        Self { shape, numbers }
    }

    pub fn at(&self, [image, channel, row, column]: At) -> T {
        let Shape { channels, height, width, .. } = self.shape;
        self.numbers[((image * channels + channel) * height + row) * width + column]
    }

    /// What tap `y`, `x` of the window at `row`, `column` looks at, where that lies in the plane.
    fn tap(&self, window: &Window, [image, channel, row, column]: At, [y, x]: [usize; 2]) -> Option<T> {
        let along = |axis: usize, at: usize, tap: usize, len: usize| {
            let at = (at * window.stride[axis] + tap * window.dilation[axis]).checked_sub(window.before[axis])?;
            (at < len).then_some(at)
        };
        let row = along(0, row, y, self.shape.height)?;
        Some(self.at([image, channel, row, along(1, column, x, self.shape.width)?]))
    }
}

/// Rows and columns of the taps of `window`.
pub fn taps(window: &Window) -> impl Iterator<Item = [usize; 2]> + use<> {
    let [rows, columns] = window.kernel;
    (0..rows).flat_map(move |y| (0..columns).map(move |x| [y, x]))
}

/// ONNX's Conv for `groups` groups of channels, its weights in ONNX's order.
pub fn conv(
    input: &Tensor<f32>,
    window: &Window,
    (weights, bias): (&[f32], &[f32]),
    groups: usize,
    [height, width]: [usize; 2],
) -> Tensor<Exact> {
    let (ins, outs) = (input.shape.channels / groups, bias.len() / groups);
    let shape = Shape { channels: bias.len(), height, width, ..input.shape };
    Tensor::of(shape, |[image, out, row, column]| {
        let weights = weights.chunks_exact(window.kernel[0] * window.kernel[1]);
        let products = weights.skip(out * ins).take(ins).enumerate().flat_map(|(channel, weights)| {
            let at = [image, out / outs * ins + channel, row, column];
            taps(window).zip(weights).map(move |(tap, weight)| (at, tap, f64::from(*weight)))
        });
        // Beyond the plane lie zeros, which times an infinite weight are no number: tests have none.
        let product = |(at, tap, weight)| f64::from(input.tap(window, at, tap).unwrap_or_default()) * weight;
        Exact::sum(products.map(product).chain([f64::from(bias[out])]))
    })
}

/// ONNX's MaxPool and AveragePool.
pub fn pool(input: &Tensor<f32>, pool: &Pool, [height, width]: [usize; 2]) -> Tensor<Exact> {
    Tensor::of(Shape { height, width, ..input.shape }, |at| {
        let inside = || taps(&pool.window).filter_map(|tap| input.tap(&pool.window, at, tap)).map(f64::from);
        match pool.pooling {
            Pooling::Max => Exact::number(inside().fold(f64::NEG_INFINITY, larger)),
            Pooling::Sum => Exact::sum(inside()),
            Pooling::MeanInside => Exact::sum(inside()).times(1.0 / inside().count() as f64),
            Pooling::MeanWhole => Exact::sum(inside()).times(1.0 / taps(&pool.window).count() as f64),
        }
    })
}

/// The mean of each plane, times `scale`.
pub fn mean_of_planes(input: &Tensor<f32>, scale: f32) -> Tensor<Exact> {
    let Shape { height, width, .. } = input.shape;
    Tensor::of(Shape { height: 1, width: 1, ..input.shape }, |[image, channel, ..]| {
        let rows = (0..height).flat_map(|row| (0..width).map(move |column| [image, channel, row, column]));
        let sum = Exact::sum(rows.map(|at| f64::from(input.at(at))));
        sum.times(f64::from(scale) / (height * width) as f64)
    })
}

/// A number that is not one wins, as in ONNX Runtime's Max.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// The operation on two numbers.
pub fn combined(operation: Operation, a: f32, b: f32) -> Exact {
    let (a, b) = (f64::from(a), f64::from(b));
    match operation {
        Operation::Add => Exact::sum([a, b]),
        Operation::Subtract => Exact::sum([a, -b]),
        Operation::Multiply => Exact::number(a).times(b),
        Operation::Divide => Exact::number(a).after(a / b, 0.0),
        Operation::Max => Exact::number(larger(a, b)),
        Operation::Min => Exact::number(-larger(-a, -b)),
    }
}
