//! Is this graph safe to hand to tract? Everything here is counted before it is followed.
//!
//! The order is the point: the wire format is walked without memory ([`wire`]), then decoded ([`split`]; prost refuses more
//! than 100 nested messages), then names and operators are checked ([`names`], [`operators`]). Weights come after, in
//! `model/weights.rs`, because they may lie outside the file.

mod names;
mod operators;
mod split;
mod wire;

use bytes::Bytes;
use tract_onnx::pb::{GraphProto, ModelProto};

use super::ScanError;

pub(super) use names::subgraphs;

/// Longest ONNX file: protobuf's own bound. Larger models keep their weights beside it as external data.
const MAX_FILE: usize = (1 << 31) - 1;

/// Decodes an ONNX file whose structure is sound: bounded in every count, every name defined once and before its use,
/// every operator known to tract. What a run does not need (training, documentation, local functions) is dropped. The
/// initializers' `raw_data` are not in the message but beside it, as parts of the file.
pub(super) fn read(file: &Bytes) -> Result<(ModelProto, Vec<Bytes>), ScanError> {
    within("bytes in the ONNX file", file.len(), MAX_FILE)?;
    wire::walk(file)?;
    let (mut model, raw) = split::decode(file)?;
    model.training_info.clear();
    model.functions.clear();
    model.metadata_props.clear();
    operators::check_sets(&model.opset_import)?;
    let graph = model.graph.as_ref().ok_or_else(|| ScanError::malformed("there is no graph"))?;
    check_ports(graph)?;
    names::check(graph)?;
    operators::check(graph)?;
    Ok((model, raw))
}

fn check_ports(graph: &GraphProto) -> Result<(), ScanError> {
    if graph.output.is_empty() {
        return Err(ScanError::malformed("the graph has no output"));
    }
    Ok(())
}

/// Refuses more than `limit`.
fn within(what: &str, found: usize, limit: usize) -> Result<(), ScanError> {
    if found <= limit {
        return Ok(());
    }
    Err(ScanError::Limit { what: what.to_owned(), found: found as u64, limit: limit as u64 })
}
