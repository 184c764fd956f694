//! The numbers of a graph's initializers are most of a file. They stay where they are, and the rest is decoded.

use bytes::Bytes;
use prost::Message;
use tract_onnx::pb::{GraphProto, ModelProto, TensorProto};

use super::ScanError;
use super::wire::{Field, each};

/// Fields of onnx.proto3: `ModelProto.graph`, `GraphProto.initializer`, `TensorProto.raw_data`.
const GRAPH: u64 = 7;
const INITIALIZER: u64 = 5;
const RAW: u64 = 9;

/// Decodes a file whose structure was walked, but for the `raw_data` of the initializers: they are parts of `file`, one for
/// each initializer, and empty where there is none.
pub(super) fn decode(file: &Bytes) -> Result<(ModelProto, Vec<Bytes>), ScanError> {
    let (mut model, mut graph, mut is_graph) = (Vec::new(), Vec::new(), false);
    let (mut initializers, mut raw) = (Vec::new(), Vec::new());
    let mut of_graph = |field: Field<'_>| {
        let Some(content) = field.content.filter(|_| field.number == INITIALIZER) else {
            graph.extend_from_slice(field.whole);
            return Ok(());
        };
        let (initializer, numbers) = tensor(content)?;
        initializers.push(initializer);
        raw.push(if numbers.is_empty() { Bytes::new() } else { file.slice_ref(numbers) });
        Ok(())
    };
    each(file, |field| {
        let Some(content) = field.content.filter(|_| field.number == GRAPH) else {
            model.extend_from_slice(field.whole);
            return Ok(());
        };
        // Should there be several, they are one graph: so says protobuf.
        is_graph = true;
        each(content, &mut of_graph)
    })?;
    let mut model = ModelProto::decode(&model[..])?;
    if is_graph {
        let graph = GraphProto::decode(&graph[..])?;
        model.graph = Some(GraphProto { initializer: initializers, ..graph });
    }
    Ok((model, raw))
}

/// A tensor without its `raw_data`, and these.
fn tensor(content: &[u8]) -> Result<(TensorProto, &[u8]), ScanError> {
    let (mut rest, mut raw) = (Vec::new(), &[][..]);
    each(content, |field| {
        match field.content.filter(|_| field.number == RAW) {
            Some(content) => raw = content,
            None => rest.extend_from_slice(field.whole),
        }
        Ok(())
    })?;
    Ok((TensorProto::decode(&rest[..])?, raw))
}
