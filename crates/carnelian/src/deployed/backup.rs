//! Backing up and restoring what runs, whatever it is.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use server::backup::Written;
use server::import::Target;
use server::{Holders, Workers};

use super::{Deployed, Later};

/// Makes one file of those that the shards of a node have been saved in.
pub(crate) fn join(files: &[PathBuf], into: &Path) -> io::Result<u64> {
    let files = files.iter().map(File::open).collect::<io::Result<Vec<_>>>()?;
    let joined = rdb::join(files, File::create(into)?).map_err(|error| match error {
        rdb::ReadError::Io(error) => error,
        rdb::ReadError::Format(error) => io::Error::new(io::ErrorKind::InvalidData, error),
    })?;
    joined.sync_all()?;
    Ok(joined.metadata()?.len())
}

/// The name of the file that a Memcached server's items are saved in.
const ITEMS: &str = "0.items";

impl Deployed {
    /// Saves all that it holds as files in a directory that is there and empty: of keys, or of commands that make them, which
    /// is the same for Memcached.
    pub(crate) fn back_up(
        &self,
        directory: PathBuf,
        as_commands: bool,
    ) -> Later<Result<Vec<Written>, String>> {
        let Some(holders) = self.holders() else {
            let path = directory.join(ITEMS);
            let Deployed::Memcached(own) = self else { return Box::pin(async { Ok(Vec::new()) }) };
            let saved = own.memcached.back_up(path.clone());
            return Box::pin(async move {
                let failed = |error: std::io::Error| format!("{}: {error}", path.display());
                saved.await.map_err(failed)?;
                let bytes = std::fs::metadata(&path).map_err(failed)?.len();
                Ok(vec![Written { name: ITEMS.to_owned(), bytes }])
            });
        };
        Box::pin(async move { holders.back_up(&directory, as_commands).await })
    }

    /// Puts what such files hold in the place of all that it holds. Whether that is on the disk when it is done, if the node
    /// has a directory.
    pub(crate) fn restore(&self, workers: &Arc<Workers>, files: Vec<PathBuf>) -> Later<Result<bool, String>> {
        let Some(holders) = self.holders() else {
            let (Deployed::Memcached(own), [path]) = (self, &files[..]) else {
                return Box::pin(async { Err("the backup is of something else".to_owned()) });
            };
            let restored = own.memcached.restore(path.clone());
            return Box::pin(async move { restored.await.map(|_| true) });
        };
        let workers = Arc::clone(workers);
        Box::pin(async move { holders.restore(&workers, &files).await })
    }

    /// Where keys are copied to that come from elsewhere; nothing if it is Memcached, or in the midst of a failover.
    pub(crate) fn import_target(&self) -> Option<Target> {
        match self {
            Deployed::Proxy(proxy) => Some(proxy.target()),
            _ => self.holders()?.target(),
        }
    }

    /// The nodes that have its keys; nothing if it is Memcached.
    fn holders(&self) -> Option<Holders> {
        match self {
            Deployed::One(running) => Some(Holders::of_one(running)),
            Deployed::Pair(pair) => Some(Holders::of_pair(pair)),
            Deployed::Cluster(cluster) => Some(Holders::of_cluster(cluster)),
            Deployed::Proxy(proxy) => Some(Holders::of_proxy(proxy)),
            Deployed::Memcached(_) => None,
        }
    }
}
