//! Names that nothing in a file has yet.

use std::collections::HashSet;

use tract_onnx::pb::GraphProto;

use super::subgraphs;

pub(super) struct Names {
    taken: HashSet<String>,
    /// Never goes back: a file whose names are chosen to collide costs no more than its names.
    count: usize,
}

impl Names {
    /// Those in use in a graph and the graphs in it.
    pub(super) fn of(graph: &GraphProto) -> Self {
        let mut taken = HashSet::new();
        collect(graph, &mut taken);
        Self { taken, count: 0 }
    }

    /// A new name that begins with `base`.
    pub(super) fn fresh(&mut self, base: &str) -> String {
        loop {
            self.count += 1;
            let name = format!("{base}.{}", self.count);
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

fn collect(graph: &GraphProto, names: &mut HashSet<String>) {
    names.extend(graph.initializer.iter().map(|tensor| tensor.name.clone()));
    names.extend(graph.input.iter().map(|input| input.name.clone()));
    for node in &graph.node {
        names.insert(node.name.clone());
        names.extend(node.output.iter().cloned());
        subgraphs(node).for_each(|graph| collect(graph, names));
    }
}
