//! To be written.

pub mod aws;
pub mod key;
pub mod promote;
pub mod publish;
pub mod registry;
