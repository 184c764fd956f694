//! `DequantizeLinear` as one operator of tract's graph.
//!
//! tract spells it out in three operators where scales are by channel, and computes those of constant weights several times
//! over while it analyses a graph (seconds, for some tens of megabytes). Here it stays as the file has it, until
//! [`lower`](super::lower) has taken the bytes.

use tract_onnx::model::{OnnxOpRegister, ParsingContext};
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_hir::internal::*;

/// Replaces tract's own.
pub(super) fn register(operators: &mut OnnxOpRegister) {
    operators.insert("DequantizeLinear", parse);
}

fn parse(_: &ParsingContext<'_>, node: &NodeProto) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let block = node.get_attr_opt::<i64>("block_size")?.unwrap_or(0);
    if block != 0 {
        bail!("attribute block_size is {block}; scales by blocks are not supported, only by tensor or by axis");
    }
    let has_zero_point = node.input.get(2).is_some_and(|name| !name.is_empty());
    let inputs = 2 + usize::from(has_zero_point);
    Ok((expand(Parsed { axis: node.get_attr_opt("axis")?.unwrap_or(1), inputs }), vec![]))
}

/// As the file has it.
#[derive(Debug, Clone)]
struct Parsed {
    axis: i64,
    inputs: usize,
}

impl Expansion for Parsed {
    fn name(&self) -> StaticName {
        "DequantizeLinear".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, self.inputs)?;
        check_output_arity(outputs, 1)?;
        solver.equals(&inputs[1].datum_type, f32::datum_type())?;
        solver.equals(&outputs[0].datum_type, f32::datum_type())?;
        if let [bytes, _, zero_point] = inputs {
            solver.equals(&bytes.datum_type, &zero_point.datum_type)?;
        }
        solver.equals(&inputs[0].shape, &outputs[0].shape)
    }

    /// Not while the graph is analysed.
    fn runs_out_of_plan(&self) -> bool {
        false
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let fact = model.outlet_fact(inputs[0])?.clone();
        let held = |slot: usize| {
            let held = model.outlet_fact(inputs[slot])?.konst.clone();
            held.with_context(|| format!("input {slot} of DequantizeLinear is computed; expected a constant"))
        };
        let scale = held(1)?.try_as_plain_ram()?.as_slice::<f32>()?.to_vec();
        let mut zero_point = match self.inputs {
            3 => held(2)?.cast_to::<i32>()?.try_as_plain_ram()?.as_slice::<i32>()?.to_vec(),
            _ => vec![0],
        };
        // A convolution by channel may have one for all.
        if let [one] = *zero_point {
            zero_point.resize(scale.len(), one);
        }
        let rank = fact.rank() as i64;
        let axis = if self.axis < 0 { self.axis + rank } else { self.axis };
        let of_axis = usize::try_from(axis).ok().and_then(|axis| fact.shape.get(axis));
        let fits = zero_point.len() == scale.len()
            && (scale.len() == 1 || of_axis.is_some_and(|dim| *dim == scale.len().to_dim()));
        if !fits {
            bail!(
                "{} scales and {} zero points of axis {} of a tensor of shape {:?}; expected one, or one for each index",
                scale.len(),
                zero_point.len(),
                self.axis,
                fact.shape
            );
        }
        let axis = if scale.len() == 1 { 0 } else { axis as usize };
        model.wire_node(prefix, Dequantize { scale, zero_point, axis }, &inputs[..1])
    }
}

/// Numbers from whole ones: less a zero point, times a scale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dequantize {
    /// One, or one for each index of `axis`.
    pub(super) scale: Vec<f32>,
    /// As many.
    pub(super) zero_point: Vec<i32>,
    pub(super) axis: usize,
}

impl Eq for Dequantize {}

impl Dequantize {
    fn numbers<T: Datum + Copy + Into<i64>>(&self, whole: &Tensor) -> TractResult<Tensor> {
        let inner: usize = whole.shape().iter().skip(self.axis + 1).product();
        let of_scale = if self.scale.len() == 1 { whole.len() } else { inner }.max(1);
        let whole_numbers = whole.try_as_plain_ram()?;
        let runs = whole_numbers.as_slice::<T>()?.chunks(of_scale);
        let parameters = self.scale.iter().zip(&self.zero_point).cycle();
        let mut numbers = Vec::with_capacity(whole.len());
        for (run, (scale, zero_point)) in runs.zip(parameters) {
            numbers.extend(run.iter().map(|number| ((*number).into() - i64::from(*zero_point)) as f32 * scale));
        }
        Tensor::from_shape(whole.shape(), &numbers)
    }

    /// What `whole` means.
    ///
    /// # Errors
    /// It is neither of bytes nor of `i32`.
    pub(super) fn of(&self, whole: &Tensor) -> TractResult<Tensor> {
        match whole.datum_type() {
            DatumType::I8 => self.numbers::<i8>(whole),
            DatumType::U8 => self.numbers::<u8>(whole),
            DatumType::I32 => self.numbers::<i32>(whole),
            other => bail!("DequantizeLinear of {other:?}; expected I8, U8 or I32"),
        }
    }
}

impl Op for Dequantize {
    fn name(&self) -> StaticName {
        "Dequantize".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Dequantize {
    // Constants are left to `fold`.
    not_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        Ok(tvec!(self.of(&input)?.into_tvalue()))
    }
}

impl TypedOp for Dequantize {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(inputs[0].shape.clone())))
    }

    as_op!();
}

/// Computes what constants mean, but for those of which `keeps` says so of a node that reads them and the slot.
pub(super) fn fold(model: &mut TypedModel, keeps: impl Fn(&TypedNode, usize) -> bool) -> TractResult<()> {
    let mut held = Vec::new();
    for node in model.nodes() {
        let Some(op) = node.op_as::<Dequantize>() else { continue };
        let Some(constant) = model.nodes()[node.inputs[0].node].op_as::<Const>() else { continue };
        let readers = &node.outputs[0].successors;
        if !readers.is_empty() && !readers.iter().any(|reader| keeps(&model.nodes()[reader.node], reader.slot)) {
            held.push((node.id, op.of(constant.val())?));
        }
    }
    for (id, numbers) in held {
        let mut patch = TypedModelPatch::default();
        let wire = patch.add_const(model.node(id).name.clone(), numbers)?;
        patch.shunt_outside(model, id.into(), wire)?;
        patch.apply(model)?;
    }
    Ok(())
}
