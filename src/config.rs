//! To be written.

pub mod aws;
pub mod promote;
pub mod publish;
pub mod registry;
