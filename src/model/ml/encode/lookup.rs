//! The operator that looks values up.

use std::fmt;

use tract_onnx::tract_core::ops::cast::cast;
use tract_onnx::tract_hir::internal::*;

use super::super::Parsed;
use super::super::labels::named;
use super::Keys;

/// What the place of a value becomes.
#[derive(Debug)]
pub(super) enum Makes {
    /// The value of that place; the last one where there is none.
    Values(Arc<Tensor>),
    /// A row of `count` numbers, all zero but a one at that place; an error where there is none and that is `strict`.
    Places { count: usize, strict: bool },
}

#[derive(Clone)]
pub(in super::super) struct Lookup {
    name: &'static str,
    keys: Arc<Keys>,
    makes: Arc<Makes>,
}

impl Lookup {
    pub(super) fn parsed(name: &'static str, keys: Keys, makes: Makes) -> Parsed {
        Ok((expand(Self { name, keys: Arc::new(keys), makes: Arc::new(makes) }), vec![]))
    }

    fn made(&self) -> DatumType {
        match &*self.makes {
            Makes::Values(values) => values.datum_type(),
            Makes::Places { .. } => DatumType::F32,
        }
    }

    fn made_shape(&self, shape: &[TDim]) -> TVec<TDim> {
        let row = match &*self.makes {
            Makes::Values(_) => None,
            Makes::Places { count, .. } => Some(count.to_dim()),
        };
        shape.iter().cloned().chain(row).collect()
    }
}

/// One file's operator is parsed once, so the same one is the same place in memory.
impl PartialEq for Lookup {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.keys, &other.keys) && Arc::ptr_eq(&self.makes, &other.makes)
    }
}

impl Eq for Lookup {}

impl fmt::Debug for Lookup {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct(self.name).finish_non_exhaustive()
    }
}

impl Expansion for Lookup {
    fn name(&self) -> StaticName {
        self.name.into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, 1)?;
        solver.equals(&outputs[0].datum_type, self.made())?;
        solver.given(&inputs[0].shape, move |solver, shape| solver.equals(&outputs[0].shape, self.made_shape(&shape)))
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let (found, wanted) = (model.outlet_fact(inputs[0])?.datum_type, self.keys.datum_type());
        let mut values = inputs[0];
        if found != wanted {
            // tract holds some integers as expressions.
            let integers =
                found == TDim::datum_type() || (found.is_number() && matches!(*self.makes, Makes::Places { .. }));
            ensure!(
                integers && wanted == DatumType::I64,
                "{} looks {wanted:?} up, the input is of {found:?}",
                self.name
            );
            values = model.wire_node(format!("{prefix}.integers"), cast(wanted), &[values])?[0];
        }
        model.wire_node(prefix, self.clone(), &[values])
    }
}

impl Op for Lookup {
    fn name(&self) -> StaticName {
        self.name.into()
    }

    op_as_typed_op!();
}

impl EvalOp for Lookup {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let places = self.keys.places(&input)?;
        match &*self.makes {
            Makes::Values(values) => {
                let last = values.len() - 1;
                let places: Vec<usize> = places.into_iter().map(|place| place.unwrap_or(last)).collect();
                Ok(tvec!(named(values, &places)?.into_tensor().into_shape(input.shape())?.into_tvalue()))
            }
            Makes::Places { count, strict } => {
                if *strict && places.contains(&None) {
                    bail!("{} was asked for a category it does not know", self.name);
                }
                let mut made = vec![0.0_f32; places.len() * count];
                for (row, place) in made.chunks_exact_mut(*count).zip(places) {
                    if let Some(place) = place {
                        row[place] = 1.0;
                    }
                }
                let shape: Vec<usize> = input.shape().iter().chain([count]).copied().collect();
                Ok(tvec!(Tensor::from_shape(&shape, &made)?.into_tvalue()))
            }
        }
    }
}

impl TypedOp for Lookup {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let shape: TVec<TDim> = inputs[0].shape.iter().cloned().collect();
        Ok(tvec!(self.made().fact(&*self.made_shape(&shape))))
    }

    as_op!();
}
