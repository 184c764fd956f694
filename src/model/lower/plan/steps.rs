//! From layers to calls of kernels.

use strongroom_kernels::{
    Activation, Channelwise, Conv, Depthwise, Halo, LANES, LayerNorm, Level, Place, QuantizedConv, QuantizedDepthwise,
    Rounded, Shape, Weights,
};

use super::super::layer::{ConvLayer, Held, Layer, Net, NetNode, QuantizedConvLayer, Value, joined_groups};
use super::super::program::{Call, Step};
use super::Homes;

/// The steps of `nodes`, each value of `net` being where `place` says. A node's weights are given back once they are packed.
pub(super) fn steps(
    nodes: Vec<NetNode>,
    net: &Net,
    level: Level,
    homes: &Homes,
    place: &dyn Fn(Value) -> Place,
    scratch: usize,
) -> Vec<Step> {
    nodes.into_iter().flat_map(|node| of_node(net, level, homes, place, scratch, &node)).collect()
}

fn of_node(
    net: &Net,
    level: Level,
    homes: &Homes,
    place: &dyn Fn(Value) -> Place,
    scratch: usize,
    node: &NetNode,
) -> Vec<Step> {
    let output = place(node.output);
    let input = |slot: usize| place(node.inputs[slot]);
    let zero_point = homes.zero_points[node.output];
    let one = |call: Call| vec![Step { call, output, zero_point }];
    match &node.layer {
        Layer::Conv(conv) if conv.transposed => transposed(conv, level, input(0), output, scratch),
        Layer::Conv(conv) => convs(conv, level, input(0), conv.adds.then(|| input(1)), output),
        Layer::Pool(pool) => one(Call::Pool { pool: *pool, input: input(0) }),
        Layer::PlaneMean(scale) => one(Call::PlaneMean { scale: *scale, input: input(0) }),
        Layer::Scale(scale) => {
            let scaling = Channelwise::new(&scale.scale, &scale.offset, scale.finish);
            one(Call::Scale { scaling, input: input(0) })
        }
        Layer::Combine(operation, finish) => {
            one(Call::Combine { operation: *operation, left: input(0), right: input(1), finish: *finish })
        }
        Layer::Concat => copies(net, homes, place, node),
        Layer::Norm(norm) => {
            let norm = LayerNorm::new(&norm.scale, &norm.offset, norm.epsilon);
            one(Call::Norm { norm, input: input(0) })
        }
        Layer::Attention(attention) => {
            let inputs = [input(0), input(1), input(2)];
            one(Call::Attention { attention: *attention, inputs, scratch })
        }
        Layer::Softmax => one(Call::Softmax { input: input(0) }),
        Layer::Pad(before) => one(Call::Pad { input: input(0), before: *before }),
        Layer::Part(first) => cut(homes, node, input(0), output, *first),
        Layer::Alias => cut(homes, node, input(0), output, 0),
        Layer::Quantize(to) => one(Call::Quantize { input: input(0), to: *to }),
        Layer::Dequantize(from) => one(Call::Dequantize { input: input(0), from: *from }),
        Layer::QuantizedConv(conv) => {
            let added = conv.sum.is_some().then(|| input(1));
            let calls = quantized_conv(conv, level, input(0), added, output);
            calls.into_iter().map(|call| Step { call, output, zero_point }).collect()
        }
        Layer::QuantizedSum(from, sum) => {
            one(Call::QuantizedSum { sum: *sum, inputs: [input(0), input(1)], from: *from })
        }
        Layer::MaxOfBytes(window) => one(Call::MaxOfBytes { window: *window, input: input(0) }),
    }
}

/// What of a concatenation was not made in place.
fn copies(net: &Net, homes: &Homes, place: &dyn Fn(Value) -> Place, node: &NetNode) -> Vec<Step> {
    let (whole, start) = homes.root(node.output);
    let mut steps = Vec::new();
    let mut channel = 0;
    for input in &node.inputs {
        let (root, plane) = homes.root(*input);
        if (root, plane * LANES) != (whole, start * LANES + channel) {
            let call = Call::Copy { input: place(*input), from: 0, to: channel };
            steps.push(Step { call, output: place(node.output), zero_point: None });
        }
        channel += net.shapes[*input].channels;
    }
    steps
}

/// One call for each remainder of the stride.
fn transposed(conv: &ConvLayer, level: Level, input: Place, output: Place, scratch: usize) -> Vec<Step> {
    let (outs, ins) = (output.shape.channels, input.shape.channels);
    let phases = conv.phases([output.shape.height, output.shape.width]).unwrap_or_default();
    let steps = phases.into_iter().map(|phase| {
        let weights = phase.weights(conv);
        let packed = Conv::new(level, phase.window, [outs, ins], input.lanes, &weights[..], &conv.bias, conv.finish);
        let shape = Shape { height: phase.count[0], width: phase.count[1], ..output.shape };
        let made = Place::blocked(scratch, shape, Halo::default());
        let call = Call::Phase { conv: packed, input, made, first: phase.first, stride: conv.window.stride };
        Step { call, output, zero_point: None }
    });
    steps.collect()
}

/// What was not cut in place.
fn cut(homes: &Homes, node: &NetNode, input: Place, output: Place, first: usize) -> Vec<Step> {
    let lies_there = homes.parts[node.output].is_some_and(|part| part.whole == node.inputs[0]);
    match lies_there {
        true => Vec::new(),
        false => {
            let zero_point = homes.zero_points[node.output];
            vec![Step { call: Call::Copy { input, from: first, to: 0 }, output, zero_point }]
        }
    }
}

/// One call, or one for each group of channels that make whole blocks.
fn convs(conv: &ConvLayer, level: Level, input: Place, residual: Option<Place>, output: Place) -> Vec<Step> {
    let (outs, ins) = (output.shape.channels, input.shape.channels);
    if conv.is_depthwise(ins) {
        let weights = conv.weights.by_output(outs);
        let depthwise = Depthwise::new(level, conv.window, &weights, &conv.bias, conv.finish);
        return vec![Step { call: Call::Depthwise { conv: depthwise, input, residual }, output, zero_point: None }];
    }
    if conv.groups == 1 {
        let Held { order, scale, .. } = &conv.weights;
        let weights = Weights { numbers: &conv.weights.numbers(), order: *order, scale };
        let packed = Conv::new(level, conv.window, [outs, ins], input.lanes, weights, &conv.bias, conv.finish);
        return vec![Step { call: Call::Conv { conv: packed, input, residual }, output, zero_point: None }];
    }
    let all = conv.weights.by_output(outs);
    let joined = joined_groups(conv.groups, ins / conv.groups, outs / conv.groups);
    let (ins, outs) = (ins / conv.groups * joined, outs / conv.groups * joined);
    let step = |first: usize| {
        let weights = dense_weights(conv, &all, first, joined);
        let bias = &conv.bias[first / joined * outs..][..outs];
        let packed = Conv::new(level, conv.window, [outs, ins], input.lanes, &weights[..], bias, conv.finish);
        let number = first / joined;
        let part = |place: Place, channels: usize| match joined == conv.groups {
            true => place,
            false => place.part(number * channels / LANES, channels),
        };
        let residual = residual.map(|residual| part(residual, outs));
        let call = Call::Conv { conv: packed, input: part(input, ins), residual };
        Step { call, output: part(output, outs), zero_point: None }
    };
    (0..conv.groups).step_by(joined).map(step).collect()
}

/// The convolution, and behind it what cannot be done on the way.
fn quantized_conv(
    layer: &QuantizedConvLayer,
    level: Level,
    input: Place,
    added: Option<Place>,
    output: Place,
) -> Vec<Call> {
    let QuantizedConvLayer { conv, from, to, sum } = layer;
    // Layers that hold other weights are not fused to this one.
    let Some(weights) = conv.weights.quantized() else { return Vec::new() };
    let channels = [output.shape.channels, input.shape.channels];
    let clamp = [conv.finish.low, conv.finish.high];
    if let Some(to) = to.filter(|_| conv.is_depthwise(input.shape.channels)) {
        let depthwise = QuantizedDepthwise::new(level, conv.window, &weights, &conv.bias, *from, clamp, to);
        return vec![Call::QuantizedDepthwise { conv: depthwise, input }];
    }
    let is_plain = conv.finish.activation == Activation::Identity;
    let rounded = match (*to, *sum) {
        (None, _) if is_plain => Rounded::No { clamp },
        (None, _) => Rounded::No { clamp: [f32::NEG_INFINITY, f32::INFINITY] },
        (Some(to), None) => Rounded::Once { clamp, to },
        (Some(through), Some(sum)) => Rounded::Sum { clamp, through, sum },
    };
    let packed = QuantizedConv::new(level, conv.window, channels, &weights, &conv.bias, *from, rounded);
    let mut calls = vec![Call::QuantizedConv { conv: packed, input, added }];
    if !is_plain {
        let ones = vec![1.0; conv.bias.len()];
        let scaling = Channelwise::new(&ones, &vec![0.0; conv.bias.len()], conv.finish);
        calls.push(Call::Scale { scaling, input: output });
    }
    calls
}

/// The weights of `count` groups from `first` on, as of one convolution: zero from one group to another.
fn dense_weights(conv: &ConvLayer, all: &[f32], first: usize, count: usize) -> Vec<f32> {
    let outs = conv.bias.len() / conv.groups;
    let of_out = all.len() / conv.bias.len();
    let from = &all[first * outs * of_out..][..count * outs * of_out];
    let mut dense = vec![0.0; count * outs * count * of_out];
    for (out, weights) in from.chunks_exact(of_out).enumerate() {
        let start = (out * count + out / outs) * of_out;
        dense[start..start + of_out].copy_from_slice(weights);
    }
    dense
}
