//! The one reader of arguments and environment: clap's types, turned into the modules' own configuration.

pub mod aws;
pub mod key;
pub mod promote;
pub mod publish;
pub mod registry;
