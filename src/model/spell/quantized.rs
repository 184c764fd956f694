//! A quantized operator, spelled out.

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, NodeProto, TensorProto};

use super::constants::Constant;
use super::pairs::integer;
use super::table::{Read, Spelling};
use super::{Book, ScanError, Spelled, refused};

/// Puts what `node` becomes behind what there is.
pub(super) fn spell(
    node: &NodeProto,
    spelling: &Spelling,
    book: &mut Book<'_>,
    spelled: &mut Spelled,
) -> Result<(), ScanError> {
    let [made] = &*node.output else {
        return Err(refused(node, "one output", node.output.len().to_string()));
    };
    let mut one = One { node, book, spelled };
    let mut inputs = Vec::with_capacity(spelling.inputs.len());
    for read in &spelling.inputs {
        one.read(*read, &mut inputs)?;
    }
    let attribute = one.attributes()?;
    let quantized = !spelling.may_be_plain || one.input(spelling.output).is_some();
    let output = if quantized { one.book.names.fresh(&format!("{made}.plain")) } else { made.clone() };
    one.spelled.nodes.push(NodeProto {
        input: inputs,
        output: vec![output.clone()],
        name: node.name.clone(),
        op_type: spelling.plain.to_owned(),
        attribute,
        ..NodeProto::default()
    });
    if quantized { one.quantize(output, spelling.output, made) } else { Ok(()) }
}

/// One node while it is spelled out.
struct One<'a, 'b> {
    node: &'a NodeProto,
    book: &'a mut Book<'b>,
    spelled: &'a mut Spelled,
}

impl One<'_, '_> {
    /// The name at a place; nothing where it is left out.
    fn input(&self, place: usize) -> Option<&str> {
        self.node.input.get(place).map(String::as_str).filter(|name| !name.is_empty())
    }

    fn needed(&self, place: usize) -> Result<String, ScanError> {
        let found = self.node.input.len();
        let input = self.input(place).map(str::to_owned);
        input.ok_or_else(|| {
            refused(self.node, format!("an input {place}"), format!("{found} inputs, or it is left out"))
        })
    }

    fn read(&mut self, read: Read, inputs: &mut Vec<String>) -> Result<(), ScanError> {
        match read {
            Read::Plain(place) => inputs.push(self.needed(place)?),
            Read::Numbers(place) => inputs.push(self.numbers(place, None)?),
            Read::Weights(place, axis) => inputs.push(self.numbers(place, Some(axis))?),
            Read::Bias(place, scales) => inputs.extend(self.bias(place, scales)?),
            Read::AllFrom(first) => {
                let found = self.node.input.len();
                if found <= first || !(found - first).is_multiple_of(3) {
                    let expected =
                        format!("a value, its scale and its zero point again and again after the first {first}");
                    return Err(refused(self.node, expected, format!("{found} inputs")));
                }
                for place in (first..found).step_by(3) {
                    inputs.push(self.numbers(place, None)?);
                }
            }
        }
        Ok(())
    }

    /// The plain numbers of the value at `place`; those of weights may have a scale for each place of an `axis`.
    fn numbers(&mut self, place: usize, axis: Option<i64>) -> Result<String, ScanError> {
        let value = self.needed(place)?;
        let scales = self.scale(place + 1)?.floats.len();
        let axis = axis.filter(|_| scales > 1);
        if scales > 1 {
            self.check_channels(&value, scales, axis)?;
        }
        let mut input = vec![value.clone(), self.needed(place + 1)?];
        if let Some(zero) = self.input(place + 2).map(str::to_owned) {
            let found = self.zero_point(place + 2)?.len();
            if found != 1 && found != scales as i64 {
                return Err(refused(self.node, format!("a zero point for each of {scales} scales"), found.to_string()));
            }
            input.push(zero);
        }
        Ok(self.dequantize(&value, input, axis))
    }

    fn check_channels(&self, value: &str, scales: usize, axis: Option<i64>) -> Result<(), ScanError> {
        let Some(axis) = axis else {
            return Err(refused(self.node, format!("one scale for {value}"), scales.to_string()));
        };
        let Some(weights) = self.book.constants.named(value) else { return Ok(()) };
        let dims = &weights.dims;
        let dim = if axis < 0 { dims.last() } else { dims.first() };
        if dim.is_some_and(|dim| *dim == scales as i64) {
            return Ok(());
        }
        Err(refused(
            self.node,
            format!("one scale for {value} of shape {dims:?}, or one a channel"),
            scales.to_string(),
        ))
    }

    /// A bias is in steps of the product of its operands' scales, which no input holds: a new initializer does.
    fn bias(&mut self, place: usize, scales: [usize; 2]) -> Result<Option<String>, ScanError> {
        let Some(value) = self.input(place).map(str::to_owned) else { return Ok(None) };
        let [numbers, weights] = [self.scale(scales[0])?, self.scale(scales[1])?];
        let alpha = self.node.attribute.iter().find(|held| held.name == "alpha").map_or(1.0, |held| held.f);
        let steps: Vec<f32> =
            numbers.floats.iter().flat_map(|one| weights.floats.iter().map(move |two| one * two)).collect();
        let many = steps.len() > 1;
        let found = self.book.constants.named(&value);
        if let Some(found) = found.filter(|found| many && found.dims.last() != Some(&(steps.len() as i64))) {
            return Err(refused(
                self.node,
                format!("a bias for each of {} scales", steps.len()),
                format!("{:?}", found.dims),
            ));
        }
        let name = self.book.names.fresh(&format!("{value}.scale"));
        self.spelled.initializers.push(TensorProto {
            name: name.clone(),
            data_type: DataType::Float as i32,
            dims: if many { vec![steps.len() as i64] } else { Vec::new() },
            float_data: steps.iter().map(|step| step * alpha).collect(),
            ..TensorProto::default()
        });
        Ok(Some(self.dequantize(&value.clone(), vec![value, name], many.then_some(-1))))
    }

    fn dequantize(&mut self, value: &str, input: Vec<String>, axis: Option<i64>) -> String {
        self.spelled.dequantize(self.book.names, value, input, axis)
    }

    fn quantize(&mut self, value: String, place: usize, made: &str) -> Result<(), ScanError> {
        let scales = self.scale(place)?.floats.len();
        if scales != 1 {
            return Err(refused(self.node, "one scale for the output", scales.to_string()));
        }
        let steps = [self.needed(place)?, self.output_zero_point(place + 1)?];
        self.spelled.quantize(self.book.names, value, steps, made);
        Ok(())
    }

    /// It says whether the output is signed. Where it is left out, it is 0, and of the type of another one.
    fn output_zero_point(&mut self, place: usize) -> Result<String, ScanError> {
        if let Some(zero) = self.input(place).map(str::to_owned) {
            let found = self.zero_point(place)?.len();
            return if found == 1 {
                Ok(zero)
            } else {
                Err(refused(self.node, "one zero point for the output", found.to_string()))
            };
        }
        let bytes = |constant: &&Constant| is_byte(constant.data_type);
        let other = self.node.input.iter().filter_map(|name| self.book.constants.named(name)).find(bytes);
        let Some(data_type) = other.map(|constant| constant.data_type) else {
            return Err(refused(self.node, "a zero point for the output, which says its type", "none"));
        };
        let name = self.book.names.fresh(&format!("{}.zero_point", self.node.output[0]));
        self.spelled.initializers.push(TensorProto {
            name: name.clone(),
            data_type,
            int32_data: vec![0],
            ..TensorProto::default()
        });
        Ok(name)
    }

    fn scale(&self, place: usize) -> Result<&Constant, ScanError> {
        let name = self.needed(place)?;
        let expected = || format!("a scale of constant 32-bit numbers as input {place}");
        let constant = self.book.constants.named(&name);
        let constant =
            constant.ok_or_else(|| refused(self.node, expected(), format!("{name}, which is no constant")))?;
        if constant.floats.is_empty() || constant.dims.len() > 1 {
            let found = format!("{name} of type {} and shape {:?}", constant.data_type, constant.dims);
            return Err(refused(self.node, expected(), found));
        }
        Ok(constant)
    }

    fn zero_point(&self, place: usize) -> Result<&Constant, ScanError> {
        let name = self.needed(place)?;
        let expected = || format!("a zero point of constant 8-bit integers as input {place}");
        let constant = self.book.constants.named(&name);
        let constant =
            constant.ok_or_else(|| refused(self.node, expected(), format!("{name}, which is no constant")))?;
        if is_byte(constant.data_type) {
            return Ok(constant);
        }
        Err(refused(self.node, expected(), format!("{name} of type {}", constant.data_type)))
    }

    /// The plain operator's attributes.
    fn attributes(&self) -> Result<Vec<AttributeProto>, ScanError> {
        let found = |name: &str| self.node.attribute.iter().find(|held| held.name == name).map(|held| held.i);
        if found("channels_last").unwrap_or(0) != 0 {
            return Err(refused(self.node, "channels_last = 0", "another layout"));
        }
        // Before version 13 a softmax is over all axes from its own on, which for the last one is the same.
        let (axis, set) = (found("axis").unwrap_or(-1), found("opset").unwrap_or(self.book.version));
        let mut plain = self.node.attribute.clone();
        if self.node.op_type == "QLinearSoftmax" {
            if axis != -1 && (set < 13) != (self.book.version < 13) {
                let found = format!("axis {axis} in a file of opset {}", self.book.version);
                return Err(refused(self.node, format!("the last axis, for a softmax of opset {set}"), found));
            }
            plain.retain(|held| held.name != "axis");
            plain.push(integer("axis", axis));
        }
        plain.retain(|held| !matches!(held.name.as_str(), "channels_last" | "opset"));
        Ok(plain)
    }
}

pub(super) fn is_byte(data_type: i32) -> bool {
    data_type == DataType::Uint8 as i32 || data_type == DataType::Int8 as i32
}
