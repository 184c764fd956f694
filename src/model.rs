//! ONNX to a running model. The only folder that names tract; it knows nothing of sealing, images or HTTP.
//!
//! [`Graph::load`] takes the way of section 2 of the architecture: scan (is this graph safe), bind (every dimension gets
//! a number), load strictly, optimise, compare with what the graph declares. [`Pool`] holds the threads that
//! run sessions of it.

mod constants;
mod crew;
mod dequantize;
mod error;
mod lower;
mod machine;
mod ml;
mod onnx;
mod pool;
mod quantize;
mod reclaim;
mod scan;
mod signature;
mod spell;
mod tensor;
mod weights;

pub use error::{LoadError, RunError, ScanError};
pub use machine::{available_cores, free_memory, memory_limit, resident_memory};
pub use onnx::{Graph, Session};
pub use pool::{Pool, PoolError, QueueFull};
pub use reclaim::return_freed_memory;
pub use signature::{Binding, GraphSignature, Port};
pub use tensor::{DType, Element, Tensor};
