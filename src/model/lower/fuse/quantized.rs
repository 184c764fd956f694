//! Layers between bytes that become numbers and numbers that become bytes: they are computed with bytes.
//!
//! A quantized graph says of every value how it is written in bytes, and computes with what they mean. Here the numbers
//! between are dropped: sums of products of bytes are whole numbers, which are scaled and rounded once.

use strongroom_kernels::{Activation, Finish, MOST_PRODUCTS, Operation, Pooling, Quantization, Sum};

use super::super::layer::{ConvLayer, Layer, Net, QuantizedConvLayer, Value};

/// Fuses until nothing is left to fuse.
pub(super) fn fuse(net: &mut Net) {
    let rules = [same_bytes, conv, rounded, sum, sum_of_conv, max];
    let mut at = 0;
    while at < net.nodes.len() {
        if rules.iter().any(|rule| rule(net, at)) {
            drop_unread(net);
            // An earlier node may have waited for this.
            at = at.saturating_sub(3);
        } else {
            at += 1;
        }
    }
}

/// Without what nobody reads.
fn drop_unread(net: &mut Net) {
    let mut is_read = vec![false; net.shapes.len()];
    let read = net.nodes.iter().flat_map(|node| &node.inputs).chain(&net.outputs);
    read.for_each(|value| is_read[*value] = true);
    let before = net.nodes.len();
    net.nodes.retain(|node| is_read[node.output]);
    if net.nodes.len() < before {
        drop_unread(net);
    }
}

/// The bytes that a value is the meaning of, and how they are written.
fn bytes_of(net: &Net, value: Value) -> Option<(Value, Quantization)> {
    let maker = &net.nodes[net.maker(value)?];
    match maker.layer {
        Layer::Dequantize(from) => Some((maker.inputs[0], from)),
        _ => None,
    }
}

/// What makes the value that node `at` alone reads.
fn only_maker(net: &Net, at: usize) -> Option<usize> {
    let input = net.nodes[at].inputs[0];
    net.maker(input).filter(|_| net.readers(input) == 1)
}

/// Bytes that become numbers and the same bytes again.
fn same_bytes(net: &mut Net, at: usize) -> bool {
    let Layer::Quantize(to) = net.nodes[at].layer else { return false };
    let Some((bytes, _)) = bytes_of(net, net.nodes[at].inputs[0]).filter(|(_, from)| *from == to) else { return false };
    let output = net.nodes[at].output;
    let read = net.nodes.iter_mut().flat_map(|node| &mut node.inputs);
    read.filter(|value| **value == output).for_each(|value| *value = bytes);
    true
}

/// A convolution of what bytes mean, with whole weights.
fn conv(net: &mut Net, at: usize) -> bool {
    let Layer::Conv(conv) = &net.nodes[at].layer else { return false };
    let input = net.nodes[at].inputs[0];
    let Some((bytes, from)) = bytes_of(net, input) else { return false };
    let channels = net.shapes[input].channels;
    let is_depthwise = conv.is_depthwise(channels);
    let products = if is_depthwise { 1 } else { channels }.saturating_mul(conv.window.kernel.iter().product());
    let fits = (conv.groups == 1 || is_depthwise)
        && conv.weights.quantized().is_some()
        && !conv.transposed
        && !conv.adds
        && products <= MOST_PRODUCTS;
    // The kernel of each channel by itself makes bytes alone.
    if !fits || is_depthwise && !is_quantized_next(net, at, conv) {
        return false;
    }
    let layer = QuantizedConvLayer { conv: conv.clone(), from, to: None, sum: None };
    net.nodes[at].layer = Layer::QuantizedConv(layer);
    net.nodes[at].inputs[0] = bytes;
    true
}

fn is_quantized_next(net: &Net, at: usize, conv: &ConvLayer) -> bool {
    let output = net.nodes[at].output;
    let mut readers = net.nodes.iter().filter(|node| node.inputs.contains(&output));
    let is_next = readers.next().is_some_and(|node| matches!(node.layer, Layer::Quantize(_)));
    is_next && net.readers(output) == 1 && conv.finish.activation == Activation::Identity
}

/// A convolution whose sums become bytes.
fn rounded(net: &mut Net, at: usize) -> bool {
    let Layer::Quantize(to) = net.nodes[at].layer else { return false };
    let Some(maker) = only_maker(net, at) else { return false };
    let output = net.nodes[at].output;
    let Layer::QuantizedConv(conv) = &mut net.nodes[maker].layer else { return false };
    if conv.to.is_some() || conv.conv.finish.activation != Activation::Identity {
        return false;
    }
    conv.to = Some(to);
    net.nodes[maker].output = output;
    net.nodes.remove(at);
    true
}

/// A sum of what bytes mean that becomes bytes.
fn sum(net: &mut Net, at: usize) -> bool {
    let Layer::Quantize(to) = net.nodes[at].layer else { return false };
    let Some(maker) = only_maker(net, at) else { return false };
    let Layer::Combine(Operation::Add, finish) = net.nodes[maker].layer else { return false };
    let [left, right] = net.nodes[maker].inputs[..] else { return false };
    let (Some((first, from)), Some((second, added))) = (bytes_of(net, left), bytes_of(net, right)) else {
        return false;
    };
    if finish.activation != Activation::Identity || net.shapes[left] != net.shapes[right] {
        return false;
    }
    let sum = Sum { added, clamp: clamp(&finish), to };
    net.nodes[at].layer = Layer::QuantizedSum(from, sum);
    net.nodes[at].inputs = vec![first, second];
    true
}

fn clamp(finish: &Finish) -> [f32; 2] {
    [finish.low, finish.high]
}

/// A sum of bytes, of which one value is a convolution's: the convolution adds the other one.
fn sum_of_conv(net: &mut Net, at: usize) -> bool {
    let Layer::QuantizedSum(from, sum) = net.nodes[at].layer else { return false };
    let [left, right] = net.nodes[at].inputs[..] else { return false };
    for (value, other, added) in [(left, right, sum.added), (right, left, from)] {
        let Some(maker) = net.maker(value).filter(|_| net.readers(value) == 1) else { continue };
        // What is added has to be there when the convolution runs.
        if net.maker(other).is_some_and(|other| other > maker) {
            continue;
        }
        let channels = net.shapes[net.nodes[maker].inputs[0]].channels;
        let output = net.nodes[at].output;
        let Layer::QuantizedConv(conv) = &mut net.nodes[maker].layer else { continue };
        if conv.to.is_none() || conv.sum.is_some() || conv.conv.is_depthwise(channels) {
            continue;
        }
        conv.sum = Some(Sum { added, ..sum });
        net.nodes[maker].inputs.push(other);
        net.nodes[maker].output = output;
        net.nodes.remove(at);
        return true;
    }
    false
}

/// The largest of what bytes mean is what the largest byte means.
fn max(net: &mut Net, at: usize) -> bool {
    let Layer::Pool(pool) = &net.nodes[at].layer else { return false };
    let (window, input) = (pool.window, net.nodes[at].inputs[0]);
    let Some((bytes, from)) = bytes_of(net, input).filter(|_| pool.pooling == Pooling::Max) else { return false };
    let output = net.nodes[at].output;
    let shape = net.shapes[output];
    let largest = net.add(Layer::MaxOfBytes(window), vec![bytes], shape);
    let Some(made) = net.nodes.pop() else { return false };
    net.nodes[at].layer = Layer::Dequantize(from);
    net.nodes[at].inputs = vec![largest];
    net.nodes.insert(at, made);
    true
}
