//! The numbers in a graph.

use tract_onnx::pb::ModelProto;

use super::ScanError;
use crate::bundle::Files;

pub(super) fn embed_external(_model: &mut ModelProto, _files: &Files, _name: &str) -> Result<(), ScanError> {
    Ok(())
}

pub(super) fn check(_model: &ModelProto) -> Result<(), ScanError> {
    Ok(())
}

pub(super) fn flush_subnormals(_model: &mut ModelProto) -> usize {
    0
}
