//! `carnelian`: both planes, wired together.
//!
//! The control plane runs on this thread alone; nodes have threads of their own. So a burst of commands does not
//! make the REST interfaces slow, nor the other way round.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use cloud::Cloud;
use cloud::identity::{AccessKey, Directory, Named, Secret};
use cloud::quota::Quota;
use cloud::store::{OpenError, Store};
use gateway::Gateway;
use tokio::net::TcpListener;

use crate::banner;
use crate::clock::SharedClock;
use crate::files::Files;
use crate::https;
use crate::nodes::Nodes;
use crate::options::Settings;
use crate::signals::Signals;
use crate::users;

/// How long requests under way may take when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// Serves until a signal comes.
pub(crate) fn serve(settings: &Settings) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve_until_signal(settings))
}

async fn serve_until_signal(settings: &Settings) -> anyhow::Result<()> {
    let directory = directory(settings)?;
    let signals = Signals::listen_at_terminal()?;
    let listener = listen(settings.listen).await?;
    let address = listener.local_addr()?;
    check_bind(settings.bind)?;
    let store = if settings.ephemeral { Store::nowhere() } else { open_store(settings)? };
    let files = if settings.ephemeral {
        Files::Nowhere
    } else {
        Files::Below(std::path::absolute(&settings.data_dir)?)
    };
    let nodes = Arc::new(
        Nodes::new(settings.worker_threads(), settings.bind, files)?
            .advertise(settings.advertise.clone())
            .withhold(!settings.all_commands),
    );
    let cloud = Cloud::open(
        cloud_settings(settings),
        Arc::new(SharedClock(Arc::clone(&nodes.clock))),
        nodes.clone(),
        store,
    )
    .await;
    if let Some(buckets) = buckets(settings) {
        cloud.keep_buckets_in(std::path::absolute(buckets)?);
    }
    cloud.resume_migrations().await;
    let https = https::open(settings, address).await?;
    banner::print(settings, (address, https.as_ref()), &directory, &cloud);

    let crs = tencent_crs::service(&cloud, directory.clone(), settings.balance_cny.into());
    let services = huawei_dcs::services(&cloud, directory).into_iter().chain([crs]).collect();
    let gateway = Gateway::new(services, &huawei_dcs::SECURITY_SCHEMES, cloud.clone())?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (stop_https, https_stopped) = tokio::sync::oneshot::channel::<()>();
    let encrypted = https.map(|https| {
        gateway.vouch(https.authority);
        let stop = async { drop(https_stopped.await) };
        tokio::spawn(gateway.clone().serve_encrypted(https.listener, https.certificate, stop))
    });
    let serving = tokio::spawn(gateway.serve(listener, async { drop(stopped.await) }));
    let serving = async {
        drop(serving.await);
        if let Some(encrypted) = encrypted {
            drop(encrypted.await);
        }
    };
    let signal = signals.next().await;
    tracing::info!(signal, "stopping; a second signal stops at once");
    // The server may have ended by itself, and then there is nobody to tell.
    let _ = (stop.send(()), stop_https.send(()));
    if tokio::time::timeout(GRACE, serving).await.is_err() {
        tracing::warn!("requests under way were cut off");
    }
    let saved = nodes.stop_all().await;
    cloud.close();
    anyhow::ensure!(saved, "keys could not be saved");
    Ok(())
}

/// Where buckets lie, if anywhere.
fn buckets(settings: &Settings) -> Option<PathBuf> {
    let own = || (!settings.ephemeral).then(|| settings.data_dir.join("buckets"));
    settings.buckets.clone().or_else(own)
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow!(
                "{address} is in use; stop the program that listens there, or choose another with --listen"
            )
        }
        io::ErrorKind::PermissionDenied => {
            anyhow!("this user may not listen on {address}; choose a port from 1024 up with --listen")
        }
        _ => anyhow!("cannot listen on {address}: {error}; choose another address with --listen"),
    })
}

/// Sees that nodes can listen on `address`: none is started yet, and each would fail for itself.
fn check_bind(address: IpAddr) -> anyhow::Result<()> {
    match std::net::TcpListener::bind((address, 0)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
            Err(anyhow!("{address} is no address of this machine; choose one of its own with --bind"))
        }
        Err(error) => Err(anyhow!("cannot listen on {address}: {error}; choose another address with --bind")),
    }
}

fn open_store(settings: &Settings) -> anyhow::Result<(Store, cloud::store::Contents)> {
    Store::open(&settings.data_dir).map_err(|error| match &error {
        OpenError::InUse(_) => anyhow!("{error}; stop it, or choose another directory with --data-dir"),
        OpenError::Unusable { .. } | OpenError::NoDirectory(_) => {
            anyhow!("{error}; choose a directory that can be written with --data-dir, or keep nothing with --ephemeral")
        }
        OpenError::Damaged { .. } | OpenError::Later { .. } => {
            anyhow!("{error}; choose another directory with --data-dir")
        }
    })
    .context("the data directory cannot be used")
}

fn cloud_settings(settings: &Settings) -> cloud::Settings {
    cloud::Settings {
        profile: settings.tasks,
        quota: Quota { instances: settings.quota_instances, memory_gb: settings.quota_memory_gb },
        base_port: settings.base_port,
        bind: settings.bind,
        advertise: settings.advertise.clone(),
    }
}

fn directory(settings: &Settings) -> anyhow::Result<Directory> {
    let project = settings.project.as_ref().unwrap_or(&settings.region);
    let mut directory = Directory::with_administrator(
        &settings.domain,
        &settings.region,
        Named::derived("project", &[&settings.domain, project]),
        &settings.user,
        Secret::new(&settings.password),
        AccessKey { id: settings.access_key.clone(), secret: Secret::new(&settings.secret_key) },
    );
    settings.projects.iter().for_each(|name| directory.add_project(name));
    users::add(&mut directory, &settings.users, &settings.groups, &settings.policies)
        .map_err(|error| anyhow!(error))?;
    directory.is_open = !settings.auth;
    Ok(directory)
}
