//! Is this graph safe to hand to tract? Everything here is counted before it is followed.

use bytes::Bytes;
use prost::Message;
use tract_onnx::pb::ModelProto;

use super::ScanError;

pub(super) fn read(bytes: &Bytes) -> Result<ModelProto, ScanError> {
    let model = ModelProto::decode(bytes.as_ref())?;
    Ok(model)
}
