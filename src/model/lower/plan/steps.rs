//! From layers to calls of kernels.

use strongroom_kernels::{Channelwise, Conv, Depthwise, Halo, LANES, LayerNorm, Level, Place, Shape};

use super::super::layer::{ConvLayer, Layer, Net, NetNode, Value, joined_groups};
use super::super::program::{Call, Step};
use super::Homes;

/// The steps of `net`, each value being where `place` says.
pub(super) fn steps(
    net: &Net,
    level: Level,
    homes: &Homes,
    place: &dyn Fn(Value) -> Place,
    scratch: usize,
) -> Vec<Step> {
    net.nodes.iter().flat_map(|node| of_node(net, level, homes, place, scratch, node)).collect()
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
    let one = |call: Call| vec![Step { call, output }];
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
            steps.push(Step {
                call: Call::Copy { input: place(*input), from: 0, to: channel },
                output: place(node.output),
            });
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
        Step { call, output }
    });
    steps.collect()
}

/// What was not cut in place.
fn cut(homes: &Homes, node: &NetNode, input: Place, output: Place, first: usize) -> Vec<Step> {
    let lies_there = homes.parts[node.output].is_some_and(|part| part.whole == node.inputs[0]);
    match lies_there {
        true => Vec::new(),
        false => vec![Step { call: Call::Copy { input, from: first, to: 0 }, output }],
    }
}

/// One call, or one for each group of channels that make whole blocks.
fn convs(conv: &ConvLayer, level: Level, input: Place, residual: Option<Place>, output: Place) -> Vec<Step> {
    let (outs, ins) = (output.shape.channels, input.shape.channels);
    if conv.groups > 1 && conv.groups == ins && conv.groups == outs {
        let weights = conv.weights.by_output(outs);
        let depthwise = Depthwise::new(level, conv.window, &weights, &conv.bias, conv.finish);
        return vec![Step { call: Call::Depthwise { conv: depthwise, input, residual }, output }];
    }
    if conv.groups == 1 {
        let weights = conv.weights.weights();
        let packed = Conv::new(level, conv.window, [outs, ins], input.lanes, weights, &conv.bias, conv.finish);
        return vec![Step { call: Call::Conv { conv: packed, input, residual }, output }];
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
        Step { call: Call::Conv { conv: packed, input: part(input, ins), residual }, output: part(output, outs) }
    };
    (0..conv.groups).step_by(joined).map(step).collect()
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
