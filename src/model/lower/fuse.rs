//! Layers that become part of the one before them.

mod quantized;

use strongroom_kernels::{Activation, Finish, Operation, Shape};

use super::layer::{ConvLayer, Layer, Net, NetNode, NormLayer, ScaleLayer, Value};

/// Fuses until nothing is left to fuse.
pub(super) fn fuse(net: &mut Net) {
    drop_aliases(net);
    while fuse_once(net) {}
    quantized::fuse(net);
}

/// One pass over all nodes; whether it fused any.
fn fuse_once(net: &mut Net) -> bool {
    let before = net.nodes.len();
    let mut at = 0;
    while at < net.nodes.len() {
        match fuse_node(net, at) {
            true => at = at.saturating_sub(1),
            false => at += 1,
        }
    }
    net.nodes.len() < before
}

/// Whether a node changes nothing, not even the shape.
fn is_same(shapes: &[Shape], node: &NetNode) -> bool {
    matches!(node.layer, Layer::Alias) && shapes[node.inputs[0]] == shapes[node.output]
}

/// Who reads an alias reads what it is an alias of.
fn drop_aliases(net: &mut Net) {
    let mut meant: Vec<Value> = (0..net.shapes.len()).collect();
    for node in &net.nodes {
        if is_same(&net.shapes, node) {
            meant[node.output] = meant[node.inputs[0]];
        }
    }
    let shapes = std::mem::take(&mut net.shapes);
    net.nodes.retain(|node| !is_same(&shapes, node));
    net.shapes = shapes;
    let read = net.nodes.iter_mut().flat_map(|node| &mut node.inputs).chain(&mut net.outputs);
    read.for_each(|value| *value = meant[*value]);
}

/// Whether node `at` went into another one.
fn fuse_node(net: &mut Net, at: usize) -> bool {
    match net.nodes[at].layer.clone() {
        Layer::Scale(scale) => gelu(net, at, &scale) || into_maker(net, at, &scale),
        Layer::Combine(Operation::Add, finish) => added(net, at, finish),
        Layer::Combine(Operation::Multiply, _) => silu(net, at),
        Layer::Conv(_)
        | Layer::Pool(_)
        | Layer::PlaneMean(_)
        | Layer::Combine(..)
        | Layer::Concat
        | Layer::Part(_)
        | Layer::Norm(_)
        | Layer::Attention(_)
        | Layer::Softmax
        | Layer::Pad(_)
        | Layer::Alias
        | Layer::Quantize(_)
        | Layer::Dequantize(_)
        | Layer::QuantizedConv(_)
        | Layer::QuantizedSum(..)
        | Layer::MaxOfBytes(_) => false,
    }
}

/// A scaling goes into what makes its input, if nobody else reads that.
fn into_maker(net: &mut Net, at: usize, scale: &ScaleLayer) -> bool {
    let input = net.nodes[at].inputs[0];
    let Some(maker) = net.maker(input).filter(|_| net.readers(input) == 1) else { return false };
    let fused = match net.nodes[maker].layer.clone() {
        Layer::Conv(conv) => scaled(conv, scale).map(Layer::Conv),
        Layer::Scale(first) => both(first, scale).map(Layer::Scale),
        Layer::Combine(operation, finish) if is_identity(scale) => {
            then(finish, scale.finish).map(|finish| Layer::Combine(operation, finish))
        }
        Layer::PlaneMean(factor) => uniform(scale).map(|scale| Layer::PlaneMean(factor * scale)),
        Layer::Norm(norm) => normalised(norm, scale).map(Layer::Norm),
        Layer::Combine(..)
        | Layer::Pool(_)
        | Layer::Concat
        | Layer::Part(_)
        | Layer::Attention(_)
        | Layer::Softmax
        | Layer::Pad(_)
        | Layer::Alias
        | Layer::Quantize(_)
        | Layer::Dequantize(_)
        | Layer::QuantizedConv(_)
        | Layer::QuantizedSum(..)
        | Layer::MaxOfBytes(_) => None,
    };
    let Some(layer) = fused else { return false };
    net.nodes[maker].layer = layer;
    net.nodes[maker].output = net.nodes[at].output;
    net.nodes.remove(at);
    true
}

fn is_identity(scale: &ScaleLayer) -> bool {
    scale.scale.iter().all(|scale| *scale == 1.0) && scale.offset.iter().all(|offset| *offset == 0.0)
}

/// The one number that all channels are multiplied by, where nothing else is done.
fn uniform(scale: &ScaleLayer) -> Option<f32> {
    let first = *scale.scale.first()?;
    let is_all = scale.scale.iter().all(|scale| *scale == first) && scale.offset.iter().all(|offset| *offset == 0.0);
    (is_all && scale.finish == Finish::default()).then_some(first)
}

/// A convolution whose sums are scaled: its weights are.
fn scaled(mut conv: ConvLayer, scale: &ScaleLayer) -> Option<ConvLayer> {
    if !is_identity(scale) {
        if conv.finish != Finish::default() || conv.adds {
            return None;
        }
        conv.weights.scaled(&scale.scale);
        let both = scale.scale.iter().zip(&scale.offset);
        conv.bias.iter_mut().zip(both).for_each(|(bias, (scale, offset))| *bias = *bias * scale + offset);
    }
    if conv.adds && scale.finish.activation != Activation::Identity {
        return None;
    }
    conv.finish = then(conv.finish, scale.finish)?;
    Some(conv)
}

/// A normalisation that is scaled.
fn normalised(mut norm: NormLayer, scale: &ScaleLayer) -> Option<NormLayer> {
    if scale.finish != Finish::default() {
        return None;
    }
    let numbers = scale.scale.iter().zip(&scale.offset);
    norm.scale.iter_mut().zip(&mut norm.offset).zip(numbers).for_each(|((scale, offset), (by, plus))| {
        *scale *= by;
        *offset = *offset * by + plus;
    });
    Some(norm)
}

fn both(mut first: ScaleLayer, second: &ScaleLayer) -> Option<ScaleLayer> {
    if is_identity(second) {
        first.finish = then(first.finish, second.finish)?;
        return Some(first);
    }
    if first.finish != Finish::default() {
        return None;
    }
    let numbers = second.scale.iter().zip(&second.offset);
    first.scale.iter_mut().zip(&mut first.offset).zip(numbers).for_each(|((scale, offset), (by, plus))| {
        *scale *= by;
        *offset = *offset * by + plus;
    });
    first.finish = second.finish;
    Some(first)
}

/// One finish and then another one, as one.
fn then(first: Finish, second: Finish) -> Option<Finish> {
    let is_clamped = first.low != f32::NEG_INFINITY || first.high != f32::INFINITY;
    match (first.activation, second.activation) {
        (_, Activation::Identity) => Some(Finish {
            activation: first.activation,
            low: first.low.max(second.low).min(second.high),
            high: first.high.max(second.low).min(second.high),
        }),
        (Activation::Identity, _) if !is_clamped => Some(second),
        (_, _) => None,
    }
}

/// A sum of a convolution and something else: the convolution adds it.
fn added(net: &mut Net, at: usize, finish: Finish) -> bool {
    let inputs = net.nodes[at].inputs.clone();
    let [left, right] = inputs[..] else { return false };
    if net.shapes[left] != net.shapes[right] || left == right {
        return false;
    }
    for (sum, other) in [(right, left), (left, right)] {
        let Some(maker) = net.maker(sum).filter(|_| net.readers(sum) == 1) else { continue };
        // What is added has to be there when the convolution runs.
        if net.maker(other).is_some_and(|other| other > maker) {
            continue;
        }
        let Layer::Conv(mut conv) = net.nodes[maker].layer.clone() else { continue };
        let is_open =
            !conv.transposed && conv.finish.low == f32::NEG_INFINITY && conv.finish.high == f32::INFINITY && !conv.adds;
        if !is_open || finish.activation != Activation::Identity {
            continue;
        }
        conv.adds = true;
        conv.finish = Finish { activation: conv.finish.activation, ..finish };
        net.nodes[maker].layer = Layer::Conv(conv);
        net.nodes[maker].inputs.push(other);
        net.nodes[maker].output = net.nodes[at].output;
        net.nodes.remove(at);
        return true;
    }
    false
}

/// `x` times its own sigmoid.
fn silu(net: &mut Net, at: usize) -> bool {
    let inputs = net.nodes[at].inputs.clone();
    let [left, right] = inputs[..] else { return false };
    for (value, gate) in [(left, right), (right, left)] {
        let Some(maker) = net.maker(gate).filter(|_| net.readers(gate) == 1) else { continue };
        let Layer::Scale(sigmoid) = &net.nodes[maker].layer else { continue };
        let only = Finish { activation: Activation::Sigmoid, ..Finish::default() };
        if net.nodes[maker].inputs[0] != value || !is_identity(sigmoid) || sigmoid.finish != only {
            continue;
        }
        let silu = Finish { activation: Activation::Silu, ..Finish::default() };
        let channels = sigmoid.scale.len();
        net.nodes[at].layer = Layer::Scale(ScaleLayer { finish: silu, ..ScaleLayer::identity(channels) });
        net.nodes[at].inputs = vec![value];
        net.nodes.remove(maker);
        return true;
    }
    false
}

/// Half of `x` times one more than the error function of `x` over the root of two.
fn gelu(net: &mut Net, at: usize, half: &ScaleLayer) -> bool {
    if uniform(half) != Some(0.5) {
        return false;
    }
    let only_read = |net: &Net, value: Value| net.maker(value).filter(|_| net.readers(value) == 1);
    let Some(product) = only_read(net, net.nodes[at].inputs[0]) else { return false };
    if !matches!(net.nodes[product].layer, Layer::Combine(Operation::Multiply, finish) if finish == Finish::default()) {
        return false;
    }
    let inputs = net.nodes[product].inputs.clone();
    for (value, factor) in [(inputs[0], inputs[1]), (inputs[1], inputs[0])] {
        let Some(more) = only_read(net, factor) else { continue };
        let Some(error) = only_read(net, net.nodes[more].inputs[0]) else { continue };
        let (Layer::Scale(plus), Layer::Scale(erf)) = (&net.nodes[more].layer, &net.nodes[error].layer) else {
            continue;
        };
        let one_more = plus.offset.iter().all(|offset| *offset == 1.0)
            && plus.scale.iter().all(|scale| *scale == 1.0)
            && plus.finish == Finish::default();
        let near = |scale: &f32| (scale - std::f32::consts::FRAC_1_SQRT_2).abs() < 1e-6;
        let of_root = erf.scale.iter().all(near)
            && erf.offset.iter().all(|offset| *offset == 0.0)
            && erf.finish == Finish { activation: Activation::Erf, ..Finish::default() };
        if !one_more || !of_root || net.nodes[error].inputs[0] != value {
            continue;
        }
        let finish = Finish { activation: Activation::Gelu, ..Finish::default() };
        let channels = half.scale.len();
        net.nodes[at].layer = Layer::Scale(ScaleLayer { finish, ..ScaleLayer::identity(channels) });
        net.nodes[at].inputs = vec![value];
        let mut gone = [product, more, error];
        gone.sort_unstable();
        gone.into_iter().rev().for_each(|node| drop(net.nodes.remove(node)));
        return true;
    }
    false
}
