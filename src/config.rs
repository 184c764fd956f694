//! To be written.

pub mod aws;
pub mod key;
