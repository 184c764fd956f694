//! External data: weights in files of their own, beside the ONNX file, inside the bundle and nowhere else.
//!
//! tract reads such files from disk by itself; here there is no disk, and nothing it could be pointed at.

use bytes::Bytes;
use tract_onnx::pb::TensorProto;

use super::ScanError;
use super::numbers::width;
use crate::bundle::Files;

/// Tensors may share bytes (tied weights), but not so often that a small bundle fills the memory.
const MAX_SHARING: usize = 4;

pub(super) struct Reader<'a> {
    files: &'a Files,
    folder: &'a str,
    /// Bytes that may still be read.
    budget: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(files: &'a Files, onnx: &'a str) -> Self {
        let folder = onnx.rfind('/').map_or("", |slash| &onnx[..=slash]);
        let total = files.values().map(Bytes::len).fold(0, usize::saturating_add);
        Self { files, folder, budget: total.saturating_mul(MAX_SHARING) }
    }

    /// The tensor's `count` values; from now on it holds them itself.
    pub(super) fn take(&mut self, tensor: &mut TensorProto, count: usize) -> Result<&'a [u8], ScanError> {
        let bytes = self.slice(tensor, count)?;
        self.budget = self
            .budget
            .checked_sub(bytes.len())
            .ok_or_else(|| refusal(tensor, "", "tensors share these bytes too often".to_owned()))?;
        tensor.data_location = None;
        tensor.external_data.clear();
        Ok(bytes)
    }

    fn slice(&self, tensor: &TensorProto, count: usize) -> Result<&'a [u8], ScanError> {
        let location = entry(tensor, "location").unwrap_or_default();
        let refuse = |reason: String| refusal(tensor, location, reason);
        let path = location.strip_prefix("./").unwrap_or(location);
        if !crate::bundle::is_inside(path) {
            return Err(refuse("the path leads outside the bundle".to_owned()));
        }
        let path = format!("{}{path}", self.folder);
        let file = self.files.get(&path).ok_or_else(|| refuse(format!("the bundle has no file {path}")))?;
        let number = |key: &str| entry(tensor, key).map(str::parse::<usize>).transpose();
        let offset = number("offset").map_err(|_| refuse("offset is no number".to_owned()))?.unwrap_or(0);
        let rest = file.get(offset..).ok_or_else(|| refuse(format!("offset {offset} is behind the end")))?;
        let length = number("length").map_err(|_| refuse("length is no number".to_owned()))?.unwrap_or(rest.len());
        let expected = width(tensor.data_type).and_then(|width| width.checked_mul(count));
        if expected != Some(length) {
            return Err(refuse(format!("{length} bytes, where the shape {:?} takes {expected:?}", tensor.dims)));
        }
        rest.get(..length).ok_or_else(|| refuse(format!("{length} bytes at {offset} reach behind the end")))
    }
}

fn entry<'t>(tensor: &'t TensorProto, key: &str) -> Option<&'t str> {
    tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
}

fn refusal(tensor: &TensorProto, location: &str, reason: String) -> ScanError {
    let clean = |text: &str| text.chars().filter(|c| !c.is_control()).take(128).collect::<String>();
    ScanError::External { tensor: clean(&tensor.name), location: clean(location), reason }
}
