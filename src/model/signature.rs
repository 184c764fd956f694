//! What goes into a graph and what comes out: names, element types, and shapes with every dimension bound.

use std::collections::BTreeMap;
use std::fmt;

use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Dim};
use tract_onnx::pb::{GraphProto, ValueInfoProto, tensor_proto::DataType, type_proto};
use tract_onnx::prelude::DatumType;

use super::{DType, LoadError, ScanError};

/// Most numbers in one value, an input or any other: 2 GiB in single precision.
pub(super) const MAX_VALUES: u64 = 1 << 29;

/// Values for what a graph leaves open, so that every shape is known at load (tract is 4 to 8 times faster then).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Binding {
    /// Full shape of an input by its name; stands above `dimensions`.
    pub inputs: BTreeMap<String, Vec<usize>>,
    /// Values of symbolic dimensions by name. A leading (batch) dimension that is named nowhere is bound to 1.
    pub dimensions: BTreeMap<String, usize>,
}

/// Name, element type and bound shape of one input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// As the graph names it.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Every dimension bound. 0 in an output stands for a dimension that depends on the values of the inputs, as after
    /// `NonMaxSuppression`; an input never has one.
    pub shape: Vec<usize>,
}

impl fmt::Display for Port {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?} {:?}", self.dtype, self.shape)
    }
}

/// Names, element types and shapes of a graph's inputs and outputs, in the graph's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphSignature {
    /// In the graph's order.
    pub inputs: Vec<Port>,
    /// In the graph's order.
    pub outputs: Vec<Port>,
}

/// What a graph says of an output: dimensions that are an expression or nothing at all stay open.
#[derive(Debug, Clone)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) dtype: DType,
    /// Absent where the graph does not even say the rank.
    pub(super) shape: Option<Vec<Option<usize>>>,
}

impl fmt::Display for Declared {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(shape) = &self.shape else { return write!(out, "{:?} of any shape", self.dtype) };
        let dims = shape.iter().map(|dim| dim.map_or_else(|| "?".to_owned(), |dim| dim.to_string()));
        write!(out, "{:?} [{}]", self.dtype, dims.collect::<Vec<_>>().join(", "))
    }
}

/// Writes numbers for every bound dimension into the graph's inputs, outputs and `value_info`, and returns the inputs
/// and what the outputs are declared to be. Initializers among the inputs (as old exporters write them) are no inputs.
pub(super) fn bind(graph: &mut GraphProto, binding: &Binding) -> Result<(Vec<Port>, Vec<Declared>), LoadError> {
    let mut numbers = binding.dimensions.clone();
    let constants: std::collections::BTreeSet<&str> = graph.initializer.iter().map(|it| it.name.as_str()).collect();
    let mut inputs = Vec::new();
    for input in graph.input.iter_mut().filter(|input| !constants.contains(input.name.as_str())) {
        let forced = binding.inputs.get(&input.name).map(Vec::as_slice);
        inputs.push(bind_input(input, forced, &mut numbers)?);
    }
    refuse_strangers(binding, &inputs)?;
    for port in graph.output.iter_mut().chain(&mut graph.value_info) {
        substitute(port, &numbers);
    }
    let outputs = graph.output.iter().map(declared).collect::<Result<_, _>>()?;
    Ok((inputs, outputs))
}

fn refuse_strangers(binding: &Binding, inputs: &[Port]) -> Result<(), LoadError> {
    let stranger = binding.inputs.keys().find(|name| inputs.iter().all(|port| port.name != **name));
    let Some(name) = stranger else { return Ok(()) };
    let names: Vec<&str> = inputs.iter().map(|port| port.name.as_str()).collect();
    Err(LoadError::Binding { what: "input names".to_owned(), expected: names.join(", "), found: name.clone() })
}

fn bind_input(
    input: &mut ValueInfoProto,
    forced: Option<&[usize]>,
    numbers: &mut BTreeMap<String, usize>,
) -> Result<Port, LoadError> {
    let name = input.name.clone();
    let dtype = dtype_of(input)?;
    if let Some(forced) = forced {
        force_shape(input, forced, numbers)?;
    }
    let Some(dims) = dims_mut(input) else {
        return Err(LoadError::Unbound { input: name, dimension: "the whole shape".to_owned() });
    };
    let mut shape = Vec::with_capacity(dims.len());
    for (place, dim) in dims.iter_mut().enumerate() {
        let number = number_of(dim, place, numbers).ok_or_else(|| unbound(&name, place, dim))?;
        dim.value = Some(Dim::DimValue(i64::try_from(number).unwrap_or(i64::MAX)));
        shape.push(number);
    }
    let found = volume(&shape);
    if found <= MAX_VALUES {
        return Ok(Port { name, dtype, shape });
    }
    let source = ScanError::Limit { what: format!("numbers in input {name}"), found, limit: MAX_VALUES };
    Err(LoadError::Scan { name, source })
}

/// Product of a shape; the largest number there is where it would be larger.
pub(super) fn volume(shape: &[usize]) -> u64 {
    shape.iter().fold(1, |product: u64, dim| product.saturating_mul(*dim as u64))
}

fn unbound(input: &str, place: usize, dim: &Dimension) -> LoadError {
    let dimension = match &dim.value {
        Some(Dim::DimParam(symbol)) if !symbol.is_empty() => symbol.clone(),
        Some(Dim::DimParam(_) | Dim::DimValue(_)) | None => format!("number {place}"),
    };
    LoadError::Unbound { input: input.to_owned(), dimension }
}

/// The number of one dimension of an input; a leading one that is named nowhere is the batch, and 1.
fn number_of(dim: &Dimension, place: usize, numbers: &mut BTreeMap<String, usize>) -> Option<usize> {
    let open = if place == 0 { Some(1) } else { None };
    match &dim.value {
        Some(Dim::DimValue(number)) => usize::try_from(*number).ok().filter(|number| *number > 0).or(open),
        Some(Dim::DimParam(symbol)) => {
            let number = numbers.get(symbol).copied().or(open)?;
            numbers.insert(symbol.clone(), number);
            Some(number)
        }
        None => open,
    }
}

/// Puts a full shape over what the graph says, and learns the graph's symbols from it.
fn force_shape(
    input: &mut ValueInfoProto,
    forced: &[usize],
    numbers: &mut BTreeMap<String, usize>,
) -> Result<(), LoadError> {
    let name = input.name.clone();
    let contradiction = |expected: String| LoadError::Binding {
        what: format!("shape of input {name}"),
        expected,
        found: format!("{forced:?}"),
    };
    if forced.contains(&0) {
        return Err(contradiction("no dimension of 0".to_owned()));
    }
    if dims_mut(input).is_none() {
        open_shape(input, forced.len());
    }
    let dims = dims_mut(input).map(Vec::as_mut_slice).unwrap_or_default();
    if dims.len() != forced.len() {
        return Err(contradiction(format!("{} dimensions", dims.len())));
    }
    for (dim, &number) in dims.iter_mut().zip(forced) {
        match &dim.value {
            Some(Dim::DimValue(fixed)) if *fixed > 0 && usize::try_from(*fixed) != Ok(number) => {
                return Err(contradiction(format!("{fixed} where {number} is asked for")));
            }
            Some(Dim::DimParam(symbol)) => {
                if let Some(other) = numbers.insert(symbol.clone(), number).filter(|other| *other != number) {
                    return Err(contradiction(format!("{symbol} = {other} elsewhere")));
                }
            }
            Some(Dim::DimValue(_)) | None => {}
        }
        dim.value = Some(Dim::DimValue(i64::try_from(number).unwrap_or(i64::MAX)));
    }
    Ok(())
}

fn open_shape(input: &mut ValueInfoProto, rank: usize) {
    if let Some(type_proto::Value::TensorType(tensor)) = input.r#type.as_mut().and_then(|it| it.value.as_mut()) {
        let dim = vec![Dimension::default(); rank];
        tensor.shape = Some(tract_onnx::pb::TensorShapeProto { dim });
    }
}

/// Bound symbols become numbers. What is left (an expression, or a name no input has) is opened: tract would not unify
/// a symbol with the number it infers, and infers these dimensions itself.
fn substitute(port: &mut ValueInfoProto, numbers: &BTreeMap<String, usize>) {
    for dim in dims_mut(port).into_iter().flatten() {
        if let Some(Dim::DimParam(symbol)) = &dim.value {
            let number = numbers.get(symbol).and_then(|number| i64::try_from(*number).ok());
            dim.value = number.map(Dim::DimValue);
        }
    }
}

fn declared(output: &ValueInfoProto) -> Result<Declared, LoadError> {
    let shape = dims(output).map(|dims| dims.iter().map(fixed).collect());
    Ok(Declared { name: output.name.clone(), dtype: dtype_of(output)?, shape })
}

fn fixed(dim: &Dimension) -> Option<usize> {
    match &dim.value {
        Some(Dim::DimValue(number)) => usize::try_from(*number).ok(),
        Some(Dim::DimParam(_)) | None => None,
    }
}

fn dtype_of(port: &ValueInfoProto) -> Result<DType, LoadError> {
    let element = tensor_type(port).map_or(0, |tensor| tensor.elem_type);
    let datum = DataType::try_from(element).ok().and_then(|it| DatumType::try_from(it).ok());
    datum.and_then(DType::of).ok_or_else(|| LoadError::Scan {
        name: port.name.clone(),
        source: ScanError::malformed(format!("element type {element} of {} is not one that tract computes", port.name)),
    })
}

fn tensor_type(port: &ValueInfoProto) -> Option<&type_proto::Tensor> {
    let type_proto::Value::TensorType(tensor) = port.r#type.as_ref()?.value.as_ref()?;
    Some(tensor)
}

fn dims(port: &ValueInfoProto) -> Option<&Vec<Dimension>> {
    Some(&tensor_type(port)?.shape.as_ref()?.dim)
}

fn dims_mut(port: &mut ValueInfoProto) -> Option<&mut Vec<Dimension>> {
    let type_proto::Value::TensorType(tensor) = port.r#type.as_mut()?.value.as_mut()?;
    Some(&mut tensor.shape.as_mut()?.dim)
}
