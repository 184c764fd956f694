//! `Scaler`, `Normalizer`, `Imputer` and `Binarizer`: a table becomes another of the same shape.

use tract_onnx::model::{OnnxOpRegister, ParsingContext};
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::ops::cast::{cast, wire_cast};
use tract_onnx::tract_core::ops::math::{mul, sub};
use tract_onnx::tract_hir::internal::*;

use super::rows::{Row, Rows};
use super::{Parsed, floats};

pub(super) fn register(operators: &mut OnnxOpRegister) {
    operators.insert("Scaler", scaler);
    operators.insert("Normalizer", normalizer);
    operators.insert("Imputer", imputer);
    operators.insert("Binarizer", binarizer);
}

fn same_shape(name: &'static str, row: impl Row + 'static, features: Option<usize>) -> Parsed {
    Rows { name, row: Arc::new(row), features, columns: None, labels: None }.parsed()
}

fn scaler(_: &ParsingContext<'_>, node: &NodeProto) -> Parsed {
    let (offset, scale) = (floats(node, "offset")?, floats(node, "scale")?);
    if offset.is_empty() || offset.len() != scale.len() {
        bail!(
            "attributes offset and scale hold {} and {} numbers, expected one each or one a column",
            offset.len(),
            scale.len()
        );
    }
    Ok((expand(Scaler { offset: offset.to_vec(), scale: scale.to_vec() }), vec![]))
}

/// `(x - offset) * scale`, in double precision where x is: large numbers that differ by little are what it is for.
#[derive(Debug, Clone, PartialEq)]
struct Scaler {
    offset: Vec<f32>,
    scale: Vec<f32>,
}

impl Eq for Scaler {}

impl Expansion for Scaler {
    fn name(&self) -> StaticName {
        "Scaler".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, 1)?;
        solver.equals(&outputs[0].datum_type, f32::datum_type())?;
        solver.equals(&outputs[0].shape, &inputs[0].shape)
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let fact = model.outlet_fact(inputs[0])?.clone();
        let Some(features) = fact.shape.last() else { bail!("Scaler reads rows, not a single number") };
        let found = self.offset.len();
        if found != 1 && *features != found.to_dim() {
            bail!("attributes offset and scale hold {found} numbers, the input has {features} columns");
        }
        let within = if fact.datum_type == f64::datum_type() { f64::datum_type() } else { f32::datum_type() };
        let mut constant = |name: &str, numbers: &[f32]| {
            let mut shape = tvec![1; fact.rank()];
            shape[fact.rank() - 1] = numbers.len();
            let numbers = tensor1(numbers).into_shape(&shape)?.cast_to_dt(within)?.into_owned();
            model.add_const(format!("{prefix}.{name}"), numbers)
        };
        let (offset, scale) = (constant("offset", &self.offset)?, constant("scale", &self.scale)?);
        let rows = wire_cast(format!("{prefix}.floats"), model, inputs, within)?[0];
        let centred = model.wire_node(format!("{prefix}.centred"), sub(), &[rows, offset])?[0];
        let scaled = model.wire_node(format!("{prefix}.scaled"), mul(), &[centred, scale])?[0];
        model.wire_node(prefix, cast(f32::datum_type()), &[scaled])
    }
}

fn normalizer(_: &ParsingContext<'_>, node: &NodeProto) -> Parsed {
    let norm = match node.get_attr_opt("norm")?.unwrap_or("MAX") {
        "MAX" => Norm::Max,
        "L1" => Norm::L1,
        "L2" => Norm::L2,
        other => bail!("attribute norm is {other:?}, expected MAX, L1 or L2"),
    };
    same_shape("Normalizer", norm, None)
}

/// What a row is divided by, unless it is 0.
#[derive(Debug)]
enum Norm {
    /// The largest number, by its sign too.
    Max,
    L1,
    L2,
}

impl Row for Norm {
    fn compute(&self, row: &[f32], made: &mut [f32]) -> usize {
        let norm = match self {
            Self::Max => row.iter().copied().fold(f32::MIN, f32::max),
            Self::L1 => row.iter().map(|number| number.abs()).sum(),
            Self::L2 => row.iter().map(|number| number * number).sum::<f32>().sqrt(),
        };
        let norm = if norm == 0.0 { 1.0 } else { norm };
        made.iter_mut().zip(row).for_each(|(made, number)| *made = number / norm);
        0
    }
}

fn imputer(_: &ParsingContext<'_>, node: &NodeProto) -> Parsed {
    if node.attribute.iter().any(|attribute| attribute.name == "imputed_value_int64s" && !attribute.ints.is_empty()) {
        bail!("attribute imputed_value_int64s is not supported; export the model with float inputs");
    }
    let imputed = floats(node, "imputed_value_floats")?.to_vec();
    let features = match imputed.len() {
        0 => bail!("attribute imputed_value_floats is empty, expected one number, or one a column"),
        1 => None,
        columns => Some(columns),
    };
    let replaced = node.get_attr_opt("replaced_value_float")?.unwrap_or(0.0);
    same_shape("Imputer", Imputer { imputed, replaced }, features)
}

#[derive(Debug)]
struct Imputer {
    /// One for all columns, or one for each.
    imputed: Vec<f32>,
    replaced: f32,
}

impl Row for Imputer {
    fn compute(&self, row: &[f32], made: &mut [f32]) -> usize {
        for ((made, &number), imputed) in made.iter_mut().zip(row).zip(self.imputed.iter().cycle()) {
            let missing = number == self.replaced || (number.is_nan() && self.replaced.is_nan());
            *made = if missing { *imputed } else { number };
        }
        0
    }
}

fn binarizer(_: &ParsingContext<'_>, node: &NodeProto) -> Parsed {
    same_shape("Binarizer", Above(node.get_attr_opt("threshold")?.unwrap_or(0.0)), None)
}

/// 1 above the threshold, else 0.
#[derive(Debug)]
struct Above(f32);

impl Row for Above {
    fn compute(&self, row: &[f32], made: &mut [f32]) -> usize {
        made.iter_mut().zip(row).for_each(|(made, number)| *made = f32::from(u8::from(*number > self.0)));
        0
    }
}
