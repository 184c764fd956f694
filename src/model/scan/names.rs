//! Every value of a graph has one name, and is made before it is used. So a graph has no cycle, no value is silently
//! replaced by another of its name, and tract finds every name it looks up.

use std::collections::HashSet;

use tract_onnx::pb::{GraphProto, NodeProto};

use super::ScanError;

/// Longest name of anything: exporters write paths of modules, some hundred bytes.
const MAX_NAME: usize = 4096;
/// Inputs, outputs or attributes of one node.
const MAX_EDGES: usize = 4096;

/// The graphs in a node's attributes.
pub(in crate::model) fn subgraphs(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs))
}

/// The names of one graph, and through `outer` those of the graphs around it.
struct Scope<'a, 'o> {
    names: HashSet<&'a str>,
    outer: Option<&'o Scope<'a, 'o>>,
}

impl<'a> Scope<'a, '_> {
    fn knows(&self, name: &str) -> bool {
        self.names.contains(name) || self.outer.is_some_and(|outer| outer.knows(name))
    }

    fn define(&mut self, name: &'a str) -> Result<(), ScanError> {
        define(name, &mut self.names)
    }
}

/// Checks a graph and the graphs in it.
pub(super) fn check(graph: &GraphProto) -> Result<(), ScanError> {
    check_in(graph, None)
}

fn check_in<'a>(graph: &'a GraphProto, outer: Option<&Scope<'a, '_>>) -> Result<(), ScanError> {
    if !graph.sparse_initializer.is_empty() {
        return Err(ScanError::malformed("sparse initializers are not read; export them dense"));
    }
    let mut scope = Scope { names: HashSet::new(), outer };
    for initializer in &graph.initializer {
        scope.define(&initializer.name)?;
    }
    // Exporters of old list initializers among the inputs too: the same value, named twice.
    let mut inputs = HashSet::new();
    for input in &graph.input {
        define(&input.name, &mut inputs)?;
    }
    scope.names.extend(inputs);
    for node in &graph.node {
        check_node(node, &mut scope)?;
    }
    let missing = graph.output.iter().find(|output| !scope.knows(&output.name));
    missing.map_or(Ok(()), |output| Err(ScanError::malformed(format!("nothing makes output {}", shown(&output.name)))))
}

fn check_node<'a>(node: &'a NodeProto, scope: &mut Scope<'a, '_>) -> Result<(), ScanError> {
    for count in [node.input.len(), node.output.len(), node.attribute.len()] {
        super::within("inputs, outputs or attributes of one node", count, MAX_EDGES)?;
    }
    super::within("bytes in a name", node.name.len(), MAX_NAME)?;
    let unknown = node.input.iter().find(|name| !name.is_empty() && !scope.knows(name));
    if let Some(name) = unknown {
        let (user, name) = (shown(&node.name), shown(name));
        return Err(ScanError::malformed(format!("node {user} uses {name}, which nothing before it makes")));
    }
    for graph in subgraphs(node) {
        check_in(graph, Some(scope))?;
    }
    let outputs = node.output.iter().filter(|name| !name.is_empty());
    outputs.map(String::as_str).try_for_each(|output| scope.define(output))
}

fn define<'a>(name: &'a str, names: &mut HashSet<&'a str>) -> Result<(), ScanError> {
    super::within("bytes in a name", name.len(), MAX_NAME)?;
    if names.insert(name) {
        return Ok(());
    }
    Err(ScanError::malformed(format!("two values are called {}", shown(name))))
}

/// Names come from the file: they are cut and stripped of control characters before they reach a log.
fn shown(name: &str) -> String {
    let clean: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    format!("\"{clean}\"")
}
