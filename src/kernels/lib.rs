//! What convolutional networks are computed with, sixteen channels at a time.
//!
//! Values lie in an arena of one inference thread, in blocks of [`LANES`] channels ([`Place`]): a pixel's channels of a
//! block are neighbours, so every kernel loads and stores whole registers, and a convolution's inner loop is one broadcast
//! and a few multiply-adds. Around a plane lies a border of zeros (its halo), as wide as the value's readers look beyond
//! its edges, so no kernel knows about edges.
//!
//! Each kernel is written once, over the instruction set ([`simd`]), and compiled for every [`Level`]; the processor is
//! asked once which one it has. Nothing here knows of graphs or files.
//!
//! `unsafe` is allowed in this folder alone. A safe function checks where its places end before it hands pointers on;
//! what is unsafe says by whom it may be called.
#![allow(unsafe_code, reason = "registers and pointers: each block has its proof")]
#![allow(clippy::needless_range_loop, reason = "one index for several registers reads better than a zip of them")]

mod activation;
mod arena;
mod attention;
mod channelwise;
mod conv;
mod convert;
mod depthwise;
mod level;
mod norm;
mod place;
mod pool;
mod quantized;
mod simd;
mod team;
pub mod trees;

pub use activation::Activation;
pub use arena::Arena;
pub use attention::Attention;
pub use channelwise::{Channelwise, Operation, combine, fill_halo};
pub use conv::{Conv, Finish, Order, Weights, Window};
pub use convert::{from_planar, to_planar};
pub use depthwise::Depthwise;
pub use level::Level;
pub use norm::{LayerNorm, softmax};
pub use place::{Halo, Place, Shape};
pub use pool::{Pool, Pooling, mean_of_planes};
pub use quantized::{
    MOST_PRODUCTS, Quantization, QuantizedConv, QuantizedDepthwise, QuantizedWeights, Rounded, Sum, bytes_mut,
    dequantize, max_of_bytes, quantize,
};
pub use simd::LANES;
pub use team::{Offer, Team};
