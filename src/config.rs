//! To be written.

pub mod aws;
pub mod key;
pub mod seal;
