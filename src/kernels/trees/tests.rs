//! Against onnxruntime's answers (tests/trees), a naive walk, and files that lie.

mod fixtures;
mod indexed;
mod naive;
mod refusals;
