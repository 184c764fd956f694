//! To be written.

pub mod aws;
