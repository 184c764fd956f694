//! How near a row is to each support vector.

use tract_onnx::pb::NodeProto;
use tract_onnx::tract_hir::internal::*;

use super::super::{floats, turned};

#[derive(Debug)]
pub(super) struct Vectors {
    kernel: Kernel,
    count: usize,
    features: usize,
    /// A feature of all vectors, feature by feature.
    numbers: Vec<f32>,
}

#[derive(Debug)]
enum Kernel {
    Linear,
    Poly { gamma: f32, offset: f32, degree: f32 },
    Rbf { gamma: f32 },
    Sigmoid { gamma: f32, offset: f32 },
}

impl Kernel {
    fn parse(node: &NodeProto) -> TractResult<Self> {
        let [gamma, offset, degree] = match *floats(node, "kernel_params")? {
            [gamma, offset, degree] => [gamma, offset, degree],
            [] => [0.0; 3],
            ref other => bail!("attribute kernel_params holds {} numbers, expected gamma, coef0, degree", other.len()),
        };
        Ok(match node.get_attr_opt("kernel_type")?.unwrap_or("LINEAR") {
            "LINEAR" => Self::Linear,
            "POLY" => Self::Poly { gamma, offset, degree },
            "RBF" => Self::Rbf { gamma },
            "SIGMOID" => Self::Sigmoid { gamma, offset },
            other => bail!("attribute kernel_type is {other:?}, expected LINEAR, POLY, RBF or SIGMOID"),
        })
    }
}

impl Vectors {
    pub(super) fn parse(node: &NodeProto, count: usize) -> TractResult<Self> {
        let rows = floats(node, "support_vectors")?;
        if count == 0 || rows.is_empty() || !rows.len().is_multiple_of(count) {
            bail!("attribute support_vectors holds {} numbers, expected as many for each of {count}", rows.len());
        }
        let features = rows.len() / count;
        Ok(Self { kernel: Kernel::parse(node)?, count, features, numbers: turned(rows, features) })
    }

    /// One vector, whose product with the row is taken.
    pub(super) fn linear(vector: &[f32]) -> TractResult<Self> {
        ensure!(!vector.is_empty(), "attribute coefficients is empty, expected one number a column");
        Ok(Self { kernel: Kernel::Linear, count: 1, features: vector.len(), numbers: vector.to_vec() })
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn features(&self) -> usize {
        self.features
    }

    pub(super) fn nearness(&self, row: &[f32]) -> Vec<f32> {
        let mut near = vec![0.0_f32; self.count];
        for (number, vectors) in row.iter().zip(self.numbers.chunks_exact(self.count)) {
            match self.kernel {
                Kernel::Rbf { .. } => near.iter_mut().zip(vectors).for_each(|(near, vector)| {
                    let apart = number - vector;
                    *near += apart * apart;
                }),
                Kernel::Linear | Kernel::Poly { .. } | Kernel::Sigmoid { .. } => {
                    near.iter_mut().zip(vectors).for_each(|(near, vector)| *near += number * vector);
                }
            }
        }
        match self.kernel {
            Kernel::Linear => {}
            Kernel::Poly { gamma, offset, degree } => {
                near.iter_mut().for_each(|near| *near = power(gamma * *near + offset, degree));
            }
            Kernel::Rbf { gamma } => near.iter_mut().for_each(|near| *near = (-gamma * *near).exp()),
            Kernel::Sigmoid { gamma, offset } => {
                near.iter_mut().for_each(|near| *near = (gamma * *near + offset).tanh());
            }
        }
        near
    }
}

/// Whole degrees, as all in use are, are multiplied out.
fn power(base: f32, degree: f32) -> f32 {
    let whole = degree as i32;
    if whole as f32 == degree { base.powi(whole) } else { base.powf(degree) }
}
