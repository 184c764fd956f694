//! From an image file to a graph's input, and from an answer back to a picture.
//!
//! The only module that names the crates `image`, `fast_image_resize` and `embedded-graphics`.

mod decode;
mod draw;
mod fit;
mod jpeg;
mod picture;
mod pixels;
mod resize;
mod warp;

pub use ::image::RgbImage;

pub(in crate::predict) use decode::looks_like_image;
pub use decode::{ImageLimits, decode};
pub use draw::{DrawError, draw, encode_png};
pub use fit::{Fitted, Placement, fit};
pub use jpeg::give_back;
pub use picture::Picture;
pub use pixels::tensor;
pub use warp::{Similarity, warp};
