//! Memory for values that are alive, in one arena.

use strongroom_kernels::{LANES, Place};

use super::super::layer::{Net, Value};
use super::Homes;

/// Where the values that are no part of another one begin.
pub(super) struct Memory {
    offsets: Vec<Option<usize>>,
    len: usize,
}

/// A stretch of memory until the last node that reads it.
struct Taken {
    start: usize,
    end: usize,
    last: usize,
}

impl Memory {
    /// Each value lies in the first gap that it fits into from the node that makes it to the last one that reads it.
    pub(super) fn of(net: &Net, homes: &Homes) -> Self {
        let mut lives = vec![None; net.shapes.len()];
        let mut use_at = |value: Value, at: usize| {
            let life: &mut Option<(usize, usize)> = &mut lives[homes.root(value).0];
            let (first, last) = life.unwrap_or((at, at));
            *life = Some((first.min(at), last.max(at)));
        };
        net.inputs.iter().for_each(|value| use_at(*value, 0));
        for (at, node) in net.nodes.iter().enumerate() {
            node.inputs.iter().chain([&node.output]).for_each(|value| use_at(*value, at));
        }
        net.outputs.iter().for_each(|value| use_at(*value, net.nodes.len()));
        let mut memory = Self { offsets: vec![None; lives.len()], len: 0 };
        let mut by_birth: Vec<_> =
            lives.iter().enumerate().filter_map(|(value, life)| Some((value, (*life)?))).collect();
        by_birth.sort_by_key(|(_, (first, _))| *first);
        let mut taken: Vec<Taken> = Vec::new();
        for (value, (first, last)) in by_birth {
            taken.retain(|other| other.last >= first);
            let len = homes.own_place(net, value, 0).len().div_ceil(homes.of_number(value)).next_multiple_of(LANES);
            let start = first_gap(&mut taken, len);
            taken.push(Taken { start, end: start + len, last });
            memory.offsets[value] = Some(start);
            memory.len = memory.len.max(start + len);
        }
        memory
    }

    /// Numbers in all.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Where `value` lies.
    pub(super) fn place(&self, net: &Net, homes: &Homes, value: Value) -> Place {
        let (root, plane) = homes.root(value);
        let offset = self.offsets[root].unwrap_or_default() * homes.of_number(root);
        let whole = homes.own_place(net, root, offset);
        match root == value {
            true => whole,
            // Of as many pixels, in other rows perhaps.
            false => Place { shape: net.shapes[value], ..whole.part(plane, net.shapes[value].channels) },
        }
    }
}

fn first_gap(taken: &mut [Taken], len: usize) -> usize {
    taken.sort_by_key(|other| other.start);
    let mut start = 0;
    for other in taken.iter() {
        if start + len <= other.start {
            break;
        }
        start = start.max(other.end);
    }
    start
}
