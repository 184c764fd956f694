//! Convolution of bytes.

use super::*;

#[derive(Debug, Clone)]
struct Case {
    slide: Slide,
    images: usize,
    ins: usize,
    outs: usize,
    /// Whether each channel is computed by itself.
    is_depthwise: bool,
    from: Quantization,
    rounded: Rounded,
    layouts: [Layout; 3],
    seed: u64,
}

impl Case {
    fn shape(&self, channels: usize, [height, width]: [usize; 2]) -> Shape {
        Shape { images: self.images, channels, height, width }
    }

    fn of_output(&self) -> usize {
        if self.is_depthwise { 1 } else { self.ins }
    }

    /// Weights from -128 to 127, their scales and biases.
    fn weights(&self) -> (Vec<i8>, Vec<f32>, Vec<f32>) {
        let [rows, columns] = self.slide.window.kernel;
        let drawn = numbers(self.seed + 2, self.outs * self.of_output() * rows * columns);
        let weights = drawn.iter().map(|number| (number * 64.0).floor() as i8).collect();
        let scale = numbers(self.seed + 3, self.outs).iter().map(|number| (number + 2.5) / 500.0).collect();
        (weights, scale, numbers(self.seed + 4, self.outs))
    }

    /// The exact sum of each output's products, in numbers.
    fn exact(&self, input: &Bytes, weights: &[i8], scale: &[f32], bias: &[f32]) -> Tensor<f64> {
        let Slide { window, to, .. } = self.slide;
        let from = input.numbers.shape;
        let [rows, columns] = window.kernel;
        Tensor::of(self.shape(self.outs, to), |[image, out, row, column]| {
            let mut sum = 0;
            for of_out in 0..self.of_output() {
                let channel = if self.is_depthwise { out } else { of_out };
                for (y, x) in (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))) {
                    let down = (row * window.stride[0] + y * window.dilation[0]).wrapping_sub(window.before[0]);
                    let across = (column * window.stride[1] + x * window.dilation[1]).wrapping_sub(window.before[1]);
                    let beyond = down >= from.height || across >= from.width;
                    let weight = weights[((out * self.of_output() + of_out) * rows + y) * columns + x];
                    sum += i64::from(weight) * input.whole([image, channel, down, across], beyond);
                }
            }
            sum as f64 * f64::from(scale[out] * input.to.scale) + f64::from(bias[out])
        })
    }

    fn check(&self) {
        let Slide { window, from, to } = self.slide;
        let input = Bytes::new(self.seed, self.shape(self.ins, from), self.from);
        let (weights, scale, bias) = self.weights();
        let exact = self.exact(&input, &weights, &scale, &bias);
        let held = QuantizedWeights { numbers: &weights, order: Order::OutputFirst, scale: &scale };
        let added = match self.rounded {
            Rounded::Sum { sum, .. } => Some(Bytes::new(self.seed + 1, exact.shape, sum.added)),
            Rounded::No { .. } | Rounded::Once { .. } => None,
        };
        for level in levels() {
            let depthwise = match self.rounded {
                Rounded::Once { clamp, to } if self.is_depthwise => {
                    Some(QuantizedDepthwise::new(level, window, &held, &bias, self.from, clamp, to))
                }
                _ => None,
            };
            let mut scene = ByteScene::new();
            let output_place = self.rounded.makes_bytes().then(|| scene.room(&self.layouts[1], exact.shape, 0));
            let added_place = added.as_ref().map(|added| scene.put(&self.layouts[2], added, 0));
            let behind = depthwise.as_ref().map_or(0, QuantizedDepthwise::beyond);
            let place = scene.put(&self.layouts[0].around(window.halo(from, to)), &input, behind);
            if let Some(depthwise) = depthwise {
                let output = output_place.unwrap();
                let found = scene.run(&output, |team, arena| depthwise.run(team, arena, &place, &output));
                self.compare(&exact, added.as_ref(), &found, level);
                continue;
            }
            let conv = QuantizedConv::new(level, window, [self.outs, self.ins], &held, &bias, self.from, self.rounded);
            if let Some(output) = output_place {
                let found =
                    scene.run(&output, |team, arena| conv.run(team, arena, &place, added_place.as_ref(), &output));
                self.compare(&exact, added.as_ref(), &found, level);
            } else {
                let output = scene.0.room(&self.layouts[1], exact.shape, LANES);
                scene.0.run(&output, |team, arena| conv.run(team, arena, &place, None, &output));
                self.compare_numbers(&exact, &scene.0.value(&output), level);
            }
        }
    }

    fn compare(&self, exact: &Tensor<f64>, added: Option<&Bytes>, found: &Tensor<u8>, level: Level) {
        Tensor::of(exact.shape, |at| {
            let clamped = |number: f64, clamp: [f32; 2]| number.max(f64::from(clamp[0])).min(f64::from(clamp[1]));
            let allowed: Vec<u8> = match self.rounded {
                Rounded::Once { clamp, to } => {
                    bytes_for(clamped(exact.at(at), clamp) / f64::from(to.scale), to).to_vec()
                }
                Rounded::Sum { clamp, through, sum } => {
                    let first = bytes_for(clamped(exact.at(at), clamp) / f64::from(through.scale), through);
                    let added = added.unwrap().whole(at, false) as f64 * f64::from(sum.added.scale);
                    let second = |first: u8| {
                        let meant = (f64::from(first) - f64::from(through.zero_point)) * f64::from(through.scale);
                        bytes_for(clamped(meant + added, sum.clamp) / f64::from(sum.to.scale), sum.to)
                    };
                    first.into_iter().flat_map(second).collect()
                }
                Rounded::No { .. } => unreachable!("numbers are compared as numbers"),
            };
            let found = found.at(at);
            assert!(allowed.contains(&found), "{found} at {at:?} on {level:?}, not of {allowed:?}: {self:?}");
        });
    }

    fn compare_numbers(&self, exact: &Tensor<f64>, found: &Tensor<f32>, level: Level) {
        let Rounded::No { clamp } = self.rounded else { unreachable!("bytes are compared as bytes") };
        Tensor::of(exact.shape, |at| {
            let (found, sum) = (f64::from(found.at(at)), exact.at(at));
            let expected = sum.max(f64::from(clamp[0])).min(f64::from(clamp[1]));
            assert!(
                (found - expected).abs() <= 1.0e-5 * (sum.abs() + 2.0),
                "{found}, not {expected} at {at:?} on {level:?}"
            );
        });
    }
}

fn any_case() -> impl Strategy<Value = Case> {
    let sizes = (1..3_usize, channels(), channels(), any::<bool>());
    let places = [layouts(), layouts(), layouts()];
    (slides(), sizes, quantizations(), endings(), places, any::<u32>()).prop_map(
        |(slide, (images, ins, outs, is_depthwise), from, rounded, layouts, seed)| {
            let is_depthwise = is_depthwise && matches!(rounded, Rounded::Once { .. });
            let outs = if is_depthwise { ins } else { outs };
            Case { slide, images, ins, outs, is_depthwise, from, rounded, layouts, seed: seed.into() }
        },
    )
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn sums_of_bytes_are_right_for_any_shape_and_place(case in any_case()) {
        case.check();
    }
}

#[test]
fn each_channel_is_summed_by_itself_for_every_window() {
    let (from, to) = (Quantization { scale: 0.05, zero_point: 7 }, Quantization { scale: 0.5, zero_point: 120 });
    let rounded = Rounded::Once { clamp: [f32::NEG_INFINITY, f32::INFINITY], to };
    for (kernel, stride, dilation) in
        (1..8).flat_map(|kernel| (1..4).flat_map(move |stride| (1..3).map(move |dilation| (kernel, stride, dilation))))
    {
        let window =
            Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [dilation; 2], before: [kernel / 2; 2] };
        let slide = Slide { window, from: [2 * stride + 1, 19 * stride], to: [3, 19] };
        let layouts = [Layout::default(); 3];
        Case { slide, images: 1, ins: 18, outs: 18, is_depthwise: true, from, rounded, layouts, seed: 5 }.check();
    }
}
