//! The protobuf wire format walked before anything is decoded: a few bytes can ask for kilobytes of messages.
//!
//! Only fields that hold messages are entered; how often they occur, and graphs inside graphs, is bounded. Everything
//! else is skipped by its length. Field numbers are those of onnx.proto3.

use super::ScanError;

/// Messages of all kinds, and strings in lists, in one file: graphs in use have some 10,000; a decoded message takes up to 1 KB.
const MAX_MESSAGES: usize = 400_000;
/// Nodes of all graphs of a file.
const MAX_NODES: usize = 50_000;
/// Tensors of all graphs of a file.
const MAX_TENSORS: usize = 100_000;
/// Graphs inside graphs (`If`, `Scan`).
const MAX_NESTING: usize = 8;

/// Messages of onnx.proto3 that hold messages; those that hold none, and strings in lists, are leaves.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Model,
    Training,
    Function,
    Graph,
    Node,
    Attribute,
    Tensor,
    SparseTensor,
    Annotation,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    Leaf,
}

#[derive(Default)]
struct Counts {
    messages: usize,
    nodes: usize,
    tensors: usize,
}

/// Counts the messages of a file.
pub(super) fn walk(bytes: &[u8]) -> Result<(), ScanError> {
    message(bytes, Kind::Model, 0, &mut Counts::default())
}

fn message(bytes: &[u8], kind: Kind, nesting: usize, counts: &mut Counts) -> Result<(), ScanError> {
    each(bytes, |field| match field.content.zip(inner(kind, field.number)) {
        Some((content, inner)) => enter(content, inner, nesting, counts),
        None => Ok(()),
    })
}

/// One field of a message.
pub(super) struct Field<'a> {
    pub(super) number: u64,
    /// Key and all.
    pub(super) whole: &'a [u8],
    /// Of what has a length: messages, strings, bytes, packed numbers.
    pub(super) content: Option<&'a [u8]>,
}

/// Visits a message's fields.
pub(super) fn each<'a>(
    mut bytes: &'a [u8],
    mut visit: impl FnMut(Field<'a>) -> Result<(), ScanError>,
) -> Result<(), ScanError> {
    while !bytes.is_empty() {
        visit(field(&mut bytes)?)?;
    }
    Ok(())
}

fn field<'a>(bytes: &mut &'a [u8]) -> Result<Field<'a>, ScanError> {
    let from = *bytes;
    let key = varint(bytes)?;
    let mut content = None;
    match key & 7 {
        0 => drop(varint(bytes)?),
        1 => drop(take(bytes, 8)?),
        2 => {
            let len = varint(bytes)?;
            content = Some(take(bytes, usize::try_from(len).unwrap_or(usize::MAX))?);
        }
        5 => drop(take(bytes, 4)?),
        other => return Err(ScanError::malformed(format!("wire type {other} is none of protobuf's"))),
    }
    Ok(Field { number: key >> 3, whole: &from[..from.len() - bytes.len()], content })
}

fn enter(content: &[u8], kind: Kind, nesting: usize, counts: &mut Counts) -> Result<(), ScanError> {
    let nesting = nesting + usize::from(kind == Kind::Graph);
    counts.messages += 1;
    counts.nodes += usize::from(kind == Kind::Node);
    counts.tensors += usize::from(kind == Kind::Tensor);
    super::within("messages and strings in the ONNX file", counts.messages, MAX_MESSAGES)?;
    super::within("nodes", counts.nodes, MAX_NODES)?;
    super::within("tensors", counts.tensors, MAX_TENSORS)?;
    // The outermost graph is no nesting.
    super::within("graphs inside graphs", nesting.saturating_sub(1), MAX_NESTING)?;
    if kind == Kind::Leaf { Ok(()) } else { message(content, kind, nesting, counts) }
}

/// The kind of message in field `field` of a `kind`; nothing for numbers and single strings.
fn inner(kind: Kind, field: u64) -> Option<Kind> {
    Some(match (kind, field) {
        (Kind::Model, 7) | (Kind::Training, 1 | 2) | (Kind::Attribute, 6 | 11) => Kind::Graph,
        (Kind::Model, 20) => Kind::Training,
        (Kind::Model, 25) => Kind::Function,
        (Kind::Graph, 1) | (Kind::Function, 7) => Kind::Node,
        (Kind::Node, 5) => Kind::Attribute,
        (Kind::Graph, 5) | (Kind::Attribute, 5 | 10) | (Kind::SparseTensor, 1 | 2) => Kind::Tensor,
        (Kind::Graph, 15) | (Kind::Attribute, 22 | 23) => Kind::SparseTensor,
        (Kind::Graph, 11..=13) => Kind::ValueInfo,
        (Kind::Graph, 14) => Kind::Annotation,
        (Kind::ValueInfo, 2) | (Kind::Attribute, 15) => Kind::Type,
        (Kind::Type, 1) => Kind::TensorType,
        (Kind::TensorType, 2) => Kind::Shape,
        (Kind::Model, 8 | 14) | (Kind::Training, 3 | 4) | (Kind::Function, 9) => Kind::Leaf,
        // Strings in lists: an empty one takes two bytes here and 24 when decoded.
        (Kind::Node, 1 | 2) | (Kind::Attribute, 9) | (Kind::Tensor, 6) => Kind::Leaf,
        (Kind::Tensor, 3 | 13) | (Kind::Annotation, 2) | (Kind::Shape, 1) => Kind::Leaf,
        _ => return None,
    })
}

fn varint(bytes: &mut &[u8]) -> Result<u64, ScanError> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?.first().copied().unwrap_or_default();
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(ScanError::malformed("a number of more than 64 bits"))
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Result<&'a [u8], ScanError> {
    let (head, rest) = bytes.split_at_checked(len).ok_or_else(|| ScanError::malformed("the file is truncated"))?;
    *bytes = rest;
    Ok(head)
}
