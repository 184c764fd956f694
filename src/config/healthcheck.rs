//! The arguments of `strongroom healthcheck`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::Args;

use super::checked::{Checked, SettingsError};

const HELP: &str = "\
It asks GET /ping where `strongroom serve` with the same settings listens. A container's health check, without a shell:
  HEALTHCHECK CMD [\"/strongroom\", \"healthcheck\"]

Exit codes: 0 ready, 1 not ready or not there.";

/// Ask a server on this machine whether it is ready
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub struct HealthcheckArgs {
    /// Where the server listens [default: this machine and the port below]
    #[arg(long, env = "STRONGROOM_BIND", value_name = "ADDRESS:PORT")]
    bind: Option<Checked<SocketAddr>>,
    /// The port it listens on
    #[arg(long, env = "SAGEMAKER_BIND_TO_PORT", value_name = "PORT", default_value = "8080")]
    port: Checked<u16>,
    /// How long the answer may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout: u64,
}

impl HealthcheckArgs {
    /// Whom to ask: a server that listens everywhere is asked on the loopback address.
    ///
    /// # Errors
    /// It is no address.
    pub fn address(&self) -> Result<SocketAddr, SettingsError> {
        let bind = self.bind.as_ref().map(|bind| bind.value("STRONGROOM_BIND (--bind)")).transpose()?;
        let port = self.port.value("SAGEMAKER_BIND_TO_PORT (--port)")?;
        let address = bind.unwrap_or(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port));
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        Ok(SocketAddr::new(ip, address.port()))
    }

    /// How long to wait.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}
