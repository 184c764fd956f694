//! The arguments of `strongroom completions`.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Arguments;

/// Write a completion script for a shell
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  strongroom completions bash > ~/.local/share/bash-completion/completions/strongroom
  strongroom completions fish > ~/.config/fish/completions/strongroom.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl CompletionsArgs {
    /// The script.
    pub fn script(&self) -> Vec<u8> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "strongroom", &mut script);
        script
    }
}
