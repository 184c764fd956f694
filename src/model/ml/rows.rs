//! Operators that compute each row of a table by itself.

use std::fmt;

use tract_onnx::tract_core::ops::cast::cast;
use tract_onnx::tract_hir::internal::*;

use super::Parsed;
use super::labels::named;

/// What is computed of a row.
pub(super) trait Row: fmt::Debug + Send + Sync {
    /// Fills `made`; answers with the row's class, 0 where there are none.
    fn compute(&self, row: &[f32], made: &mut [f32]) -> usize;
}

/// An operator of rows, as tract has it.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) name: &'static str,
    pub(super) row: Arc<dyn Row>,
    /// Numbers of a row that it reads, where it does not take any.
    pub(super) features: Option<usize>,
    /// Numbers it makes of a row; as many as it reads where nothing is said, in a tensor of the same shape.
    pub(super) columns: Option<usize>,
    /// The labels of the classes, of a classifier.
    pub(super) labels: Option<Arc<Tensor>>,
}

impl Rows {
    pub(super) fn parsed(self) -> Parsed {
        Ok((expand(self), vec![]))
    }

    fn check(&self, features: usize) -> TractResult<()> {
        let fits = self.features.unwrap_or(features) == features && features > 0;
        let expected = self.features.map_or("some".to_owned(), |features| features.to_string());
        ensure!(fits, "{} reads {expected} numbers of a row, the input has {features}", self.name);
        Ok(())
    }
}

/// One file's operator is parsed once, so the same one is the same place in memory.
impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.row, &other.row)
    }
}

impl Eq for Rows {}

impl Expansion for Rows {
    fn name(&self) -> StaticName {
        self.name.into()
    }

    fn nboutputs(&self) -> TractResult<usize> {
        Ok(if self.labels.is_some() { 2 } else { 1 })
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, self.nboutputs()?)?;
        let made = &outputs[outputs.len() - 1];
        solver.equals(&made.datum_type, f32::datum_type())?;
        if let Some(labels) = &self.labels {
            solver.equals(&outputs[0].datum_type, labels.datum_type())?;
            solver.equals(&outputs[0].rank, 1)?;
            solver.equals(&outputs[0].shape[0], &made.shape[0])?;
        }
        let Some(columns) = self.columns else { return solver.equals(&inputs[0].shape, &made.shape) };
        solver.equals(&made.rank, 2)?;
        solver.equals(&made.shape[1], columns.to_dim())?;
        // A tensor of one dimension is one row.
        solver.given(&inputs[0].rank, move |solver, rank| match rank {
            1 => solver.equals(&made.shape[0], 1.to_dim()),
            2 => solver.equals(&made.shape[0], &inputs[0].shape[0]),
            _ => bail!("{} reads rows: a tensor of one or two dimensions, not of {rank}", self.name),
        })
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let mut rows = inputs[0];
        let fact = model.outlet_fact(rows)?.clone();
        let Some(features) = fact.shape.last() else { bail!("{} reads rows, not a single number", self.name) };
        if let Ok(features) = features.to_usize() {
            self.check(features)?;
        }
        if self.columns.is_some() && fact.rank() == 1 {
            rows = model.wire_node(format!("{prefix}.row"), AxisOp::Add(0), &[rows])?[0];
        }
        if fact.datum_type != f32::datum_type() {
            rows = model.wire_node(format!("{prefix}.floats"), cast(f32::datum_type()), &[rows])?[0];
        }
        model.wire_node(prefix, self.clone(), &[rows])
    }
}

impl Op for Rows {
    fn name(&self) -> StaticName {
        self.name.into()
    }

    op_as_typed_op!();
}

impl EvalOp for Rows {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let mut shape = input.shape().to_vec();
        let Some(last) = shape.last_mut() else { bail!("{} reads rows, not a single number", self.name) };
        let features = *last;
        self.check(features)?;
        *last = self.columns.unwrap_or(features);
        let columns = *last;
        let mut made = vec![0.0; shape.iter().product()];
        let rows = input.try_as_plain_ram()?.as_slice::<f32>()?.chunks_exact(features);
        let computed = rows.zip(made.chunks_exact_mut(columns)).map(|(row, made)| self.row.compute(row, made));
        let classes: Vec<usize> = computed.collect();
        let made = Tensor::from_shape(&shape, &made)?.into_tvalue();
        Ok(match &self.labels {
            Some(labels) => tvec!(named(labels, &classes)?, made),
            None => tvec!(made),
        })
    }
}

impl TypedOp for Rows {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let mut shape: TVec<TDim> = inputs[0].shape.iter().cloned().collect();
        if let (Some(last), Some(columns)) = (shape.last_mut(), self.columns) {
            *last = columns.to_dim();
        }
        let made = f32::fact(&*shape);
        Ok(match &self.labels {
            Some(labels) => tvec!(labels.datum_type().fact([shape[0].clone()]), made),
            None => tvec!(made),
        })
    }

    as_op!();
}
