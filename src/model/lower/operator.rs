//! A program as an operator of tract's graph.

use std::sync::Arc;

use strongroom_kernels::Arena;
use tract_onnx::tract_core::internal::*;

use super::super::crew::with_team;
use super::program::Program;

/// A program in the place of the nodes it was made from.
#[derive(Debug, Clone)]
pub(super) struct Lowered {
    program: Arc<Program>,
    facts: TVec<TypedFact>,
}

impl Lowered {
    /// `facts` are of the program's outputs.
    pub(super) fn new(program: Program, facts: TVec<TypedFact>) -> Self {
        Self { program: Arc::new(program), facts }
    }
}

/// Two are equal that share a program.
impl PartialEq for Lowered {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.program, &other.program)
    }
}

impl Eq for Lowered {}

impl Op for Lowered {
    fn name(&self) -> StaticName {
        "Lowered".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Lowered {
    not_out_of_plan!();

    fn state(&self, _ctx: &EvalContext) -> TractResult<Option<Box<dyn OpState>>> {
        Ok(Some(Box::new(LoweredState { arena: self.program.arena() })))
    }
}

impl TypedOp for Lowered {
    fn output_facts(&self, _inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(self.facts.clone())
    }

    as_op!();
}

/// One inference thread's memory.
#[derive(Debug, Clone)]
struct LoweredState {
    arena: Arena,
}

impl OpState for LoweredState {
    fn eval(&mut self, _ctx: &EvalContext, op: &dyn Op, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let op = op.downcast_ref::<Lowered>().context("the state of another operator")?;
        let views = inputs.iter().map(|input| input.try_as_plain_ram()).collect::<TractResult<TVec<_>>>()?;
        let inputs = views.iter().map(|view| view.as_slice::<f32>()).collect::<TractResult<TVec<_>>>()?;
        let zeros = |fact: &TypedFact| Tensor::zero::<f32>(fact.shape.as_concrete().context("an open shape")?);
        let mut outputs = op.facts.iter().map(zeros).collect::<TractResult<TVec<Tensor>>>()?;
        {
            let mut views =
                outputs.iter_mut().map(|output| output.try_as_plain_ram_mut()).collect::<TractResult<TVec<_>>>()?;
            let mut slices =
                views.iter_mut().map(|view| view.as_slice_mut::<f32>()).collect::<TractResult<TVec<_>>>()?;
            with_team(|team| op.program.run(team, &mut self.arena, &inputs, &mut slices));
        }
        Ok(outputs.into_iter().map(Tensor::into_tvalue).collect())
    }

    fn reset_lanes(&mut self, _lanes: &[LaneId]) -> TractResult<()> {
        // Nothing of a run is read by the next one.
        Ok(())
    }
}
