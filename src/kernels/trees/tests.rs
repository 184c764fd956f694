//! Against onnxruntime's answers (src/kernels/trees/fixtures), a naive walk, and files that lie.

mod fixtures;
mod indexed;
mod naive;
mod refusals;
