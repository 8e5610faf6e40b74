//! `carnelian redis`: a node without a control plane.

use std::process::ExitCode;

use anyhow::bail;

use crate::data_plane;
use crate::options::Settings;
use crate::signals::Signals;

/// Runs a bare Redis node until a signal comes.
pub(crate) fn redis(settings: &Settings) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let signals = Signals::listen()?;
        let node = data_plane::BareNode {
            bind: settings.bind,
            port: settings.port,
            release: settings.release,
            threads: settings.threads,
            config: settings.config.clone(),
            directory: (!settings.ephemeral).then(std::env::current_dir).transpose()?,
        };
        data_plane::run_bare(node, async {
            signals.next().await;
        })
        .await
    })
}

/// There is no Memcached yet.
pub(crate) fn memcached() -> anyhow::Result<ExitCode> {
    bail!("Memcached nodes are not there yet; carnelian redis runs a Redis node")
}
