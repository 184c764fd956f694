//! Arguments of `strongroom key`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::keys::KeySource;

/// Makes sealing keys.
#[derive(Debug, Args)]
pub struct Key {
    /// What to do.
    #[command(subcommand)]
    pub verb: KeyVerb,
}

/// What `strongroom key` can do.
#[derive(Debug, Subcommand)]
pub enum KeyVerb {
    /// Make a new sealing key of 32 random bytes and print its name
    New(KeyNew),
}

/// Arguments of `strongroom key new`.
#[derive(Debug, Args)]
#[group(id = "place", required = true, multiple = false, args = ["output", "to"])]
pub struct KeyNew {
    /// New key file, of mode 0600; never overwrites one
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// New secret, whose first version the key becomes
    #[arg(long, value_name = "secretsmanager:NAME")]
    pub to: Option<KeySource>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl KeyNew {
    /// Where the key is to be kept; one of the two is given, as clap sees to.
    pub fn place(&self) -> Option<KeySource> {
        self.output.clone().map(KeySource::File).or_else(|| self.to.clone())
    }
}
