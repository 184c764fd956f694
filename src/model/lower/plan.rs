//! Where each value of a net lies, and the steps that compute them.
//!
//! Values whose lives do not overlap share memory. What is joined to other channels is made where it will be read, and
//! what is computed number by number is written onto its input where nobody reads that any more.

mod memory;
mod steps;

use strongroom_kernels::{Halo, Level, Place};

use super::layer::{Layer, Net, QuantizedConvLayer, Value};
use super::program::{Program, Tensors};
use memory::Memory;

/// Most numbers of a value, the zeros around it included: as many as of any value of a graph.
const MOST_NUMBERS: usize = 1 << 29;

/// A net whose values have their places.
pub(super) struct Laid {
    net: Net,
    homes: Homes,
}

/// Finds a place for each value of `net`; `None` where one with the zeros around it is too large.
pub(super) fn lay(net: Net) -> Option<Laid> {
    let homes = Homes::of(&net);
    let fits = (0..net.shapes.len()).all(|value| homes.own_place(&net, value, 0).len() <= MOST_NUMBERS);
    fits.then_some(Laid { net, homes })
}

impl Laid {
    /// The program that computes it at `level`.
    pub(super) fn program(self, level: Level, tensors: Tensors) -> Program {
        let Self { mut net, homes } = self;
        let memory = Memory::of(&net, &homes);
        let nodes = std::mem::take(&mut net.nodes);
        let places = |value: Value| memory.place(&net, &homes, value);
        let scratch = memory.len();
        let steps = steps::steps(nodes, &net, level, &homes, &places, scratch);
        let most = steps.iter().map(|step| step.scratch(level)).max().unwrap_or_default();
        let inputs = net.inputs.iter().map(|value| places(*value)).collect();
        let outputs = net.outputs.iter().map(|value| places(*value)).collect();
        Program { level, steps, inputs, outputs, tensors, len: scratch + most }
    }
}

/// Which values are a part of another one's memory, and how each lies in memory.
struct Homes {
    parts: Vec<Option<Part>>,
    halos: Vec<Halo>,
    planar: Vec<bool>,
    /// The byte that means zero, of values in bytes.
    zero_points: Vec<Option<u8>>,
}

/// A value within another one.
#[derive(Debug, Clone, Copy)]
struct Part {
    whole: Value,
    first_plane: usize,
}

impl Homes {
    fn of(net: &Net) -> Self {
        let planar = (0..net.shapes.len()).map(|value| is_planar(net, value)).collect();
        let zero_points = net.zero_points();
        let mut homes = Self { parts: vec![None; net.shapes.len()], halos: halos(net), planar, zero_points };
        homes.join(net);
        homes.cut(net);
        homes.share_halos();
        homes.reuse(net);
        homes
    }

    /// The value whose memory `value` lies in, and its first plane there.
    fn root(&self, mut value: Value) -> (Value, usize) {
        let mut plane = 0;
        while let Some(part) = self.parts[value] {
            plane += part.first_plane;
            value = part.whole;
        }
        (value, plane)
    }

    /// Makes what is concatenated where the whole lies, as far as blocks of channels allow. The last concatenation goes
    /// first: one that begins as a later one does is its beginning.
    fn join(&mut self, net: &Net) {
        let concats: Vec<_> = net.nodes.iter().filter(|node| matches!(node.layer, Layer::Concat)).collect();
        for (at, concat) in concats.iter().enumerate().rev() {
            let beginning = concats[at + 1..].iter().find(|later| {
                later.inputs.starts_with(&concat.inputs)
                    && later.inputs.iter().all(|input| self.lies_in(*input, later.output))
            });
            if let Some(later) = beginning {
                self.parts[concat.output] = Some(Part { whole: later.output, first_plane: 0 });
                continue;
            }
            let mut channel = 0_usize;
            for input in &concat.inputs {
                let shape = net.shapes[*input];
                let is_free = self.parts[*input].is_none() && !self.planar[*input];
                let is_once = concat.inputs.iter().filter(|other| *other == input).count() == 1;
                if is_free && is_once && channel.is_multiple_of(strongroom_kernels::LANES) {
                    let whole_blocks = shape.channels.is_multiple_of(strongroom_kernels::LANES);
                    let is_last = channel + shape.channels == net.shapes[concat.output].channels;
                    if whole_blocks || is_last {
                        let first_plane = channel / strongroom_kernels::LANES;
                        self.parts[*input] = Some(Part { whole: concat.output, first_plane });
                    }
                }
                channel += shape.channels;
            }
        }
    }

    /// Some channels of a value, and a value under another shape, lie where it does, if blocks and edges allow.
    fn cut(&mut self, net: &Net) {
        for node in &net.nodes {
            let first = match node.layer {
                Layer::Part(first) => first,
                Layer::Alias => 0,
                _ => continue,
            };
            let (whole, part) = (node.inputs[0], node.output);
            let same_plane = |value: Value| (net.shapes[value].height, net.shapes[value].width);
            let is_dense = |value: Value| self.family(value).all(|other| self.halos[other].is_none());
            let fits = same_plane(whole) == same_plane(part) || is_dense(whole) && is_dense(part);
            if first.is_multiple_of(strongroom_kernels::LANES)
                && self.parts[part].is_none()
                && !self.planar[whole]
                && fits
            {
                self.parts[part] = Some(Part { whole, first_plane: first / strongroom_kernels::LANES });
            }
        }
    }

    fn lies_in(&self, value: Value, whole: Value) -> bool {
        self.parts[value].is_some_and(|part| part.whole == whole)
    }

    /// Parts have the planes of the whole, halo included.
    fn share_halos(&mut self) {
        let roots: Vec<Value> = (0..self.parts.len()).map(|value| self.root(value).0).collect();
        for (value, root) in roots.iter().enumerate() {
            self.halos[*root] = self.halos[*root].union(self.halos[value]);
        }
        for (value, root) in roots.iter().enumerate() {
            self.halos[value] = self.halos[*root];
        }
    }

    /// Writes what is computed number by number onto an input that is read for the last time and is all of its memory.
    fn reuse(&mut self, net: &Net) {
        let last_reads = last_reads(net);
        for (at, node) in net.nodes.iter().enumerate() {
            if !matches!(node.layer, Layer::Scale(_) | Layer::Combine(..) | Layer::Softmax | Layer::QuantizedSum(..))
                || self.is_shared(node.output)
            {
                continue;
            }
            let fits = |value: &&Value| {
                net.shapes[**value] == net.shapes[node.output]
                    && self.halos[**value] == self.halos[node.output]
                    && !self.planar[**value]
                    && !self.is_joined(net, **value)
                    && self.family(**value).all(|other| last_reads[other] <= at)
            };
            if let Some(input) = node.inputs.iter().find(fits) {
                // Of the root: a long chain of parts would be walked for each of its values.
                let (whole, first_plane) = self.root(*input);
                self.parts[node.output] = Some(Part { whole, first_plane });
            }
        }
    }

    fn is_shared(&self, value: Value) -> bool {
        self.parts[value].is_some() || self.parts.iter().flatten().any(|part| part.whole == value)
    }

    /// Whether the memory that `value` lies in is of a concatenation.
    fn is_joined(&self, net: &Net, value: Value) -> bool {
        let root = self.root(value).0;
        net.nodes.iter().any(|node| node.output == root && matches!(node.layer, Layer::Concat))
    }

    /// All values in the memory of `value`.
    fn family(&self, value: Value) -> impl Iterator<Item = Value> + '_ {
        let root = self.root(value).0;
        (0..self.parts.len()).filter(move |other| self.root(*other).0 == root)
    }
}

/// The last node that reads each value; none is behind the reader of an output.
fn last_reads(net: &Net) -> Vec<usize> {
    let mut last = vec![0; net.shapes.len()];
    for (at, node) in net.nodes.iter().enumerate() {
        node.inputs.iter().for_each(|value| last[*value] = at);
    }
    net.outputs.iter().for_each(|value| last[*value] = usize::MAX);
    last
}

/// The zeros that the readers of each value look at.
fn halos(net: &Net) -> Vec<Halo> {
    let mut halos = vec![Halo::default(); net.shapes.len()];
    for node in &net.nodes {
        if let Layer::Conv(conv) | Layer::QuantizedConv(QuantizedConvLayer { conv, .. }) = &node.layer {
            let (from, to) = (net.shapes[node.inputs[0]], net.shapes[node.output]);
            let plane = [from.height, from.width];
            let windows = match conv.transposed {
                false => vec![(conv.window, [to.height, to.width])],
                true => {
                    conv.phases([to.height, to.width]).unwrap_or_default().iter().map(|p| (p.window, p.count)).collect()
                }
            };
            for (window, count) in windows {
                halos[node.inputs[0]] = halos[node.inputs[0]].union(window.halo(plane, count));
            }
        }
    }
    halos
}

/// Few channels are not padded to a block where only convolutions read them, or what makes bytes of them, as an image's
/// are.
fn is_planar(net: &Net, value: Value) -> bool {
    const FEW: usize = 8;
    let readers = || net.nodes.iter().filter(|node| node.inputs.contains(&value));
    let is_dense = |node: &super::layer::NetNode| match &node.layer {
        Layer::Conv(conv) => {
            conv.groups == 1 && !conv.transposed && node.inputs[0] == value && node.inputs.get(1) != Some(&value)
        }
        Layer::Quantize(_) => true,
        _ => false,
    };
    let few = net.shapes[value].channels <= FEW && net.inputs.contains(&value) && !net.outputs.contains(&value);
    few && readers().all(is_dense)
}

impl Homes {
    /// How many numbers of a value lie where one `f32` does.
    fn of_number(&self, value: Value) -> usize {
        if self.zero_points[value].is_some() { size_of::<f32>() } else { 1 }
    }

    fn own_place(&self, net: &Net, value: Value, offset: usize) -> Place {
        match self.planar[value] {
            true => Place::planar(offset, net.shapes[value], self.halos[value]),
            false => Place::blocked(offset, net.shapes[value], self.halos[value]),
        }
    }
}
