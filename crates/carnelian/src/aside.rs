//! What a node had that writes no files, from its end to its next beginning: an instance that is restarted, or isolated and
//! renewed, has its keys again, whether or not the cloud outlives the process.
//!
//! Invariant: what is set aside lies in a directory of the system's temporary files, and goes when the node begins again or is
//! removed.
//!
//! Deliberately not here: the end of the process, with which such a node ends for good.

use cloud::data_plane::{DataPlane, Endpoint, NodeId, NodeSpec, StartError};
use tempfile::TempDir;

use crate::layout::Reserve;
use crate::nodes::Nodes;

/// What a node had.
pub(crate) struct Aside {
    reserve: Reserve,
    /// Where that lies.
    _directory: TempDir,
}

impl Nodes {
    /// Stops a node that has no directory and keeps what it has. Whether nothing has been lost.
    pub(crate) async fn stop_and_set_aside(&self, id: &NodeId) -> bool {
        if !self.running.lock().contains_key(id) {
            return true;
        }
        let kept = match self.keep_aside(id).await {
            Ok(aside) => {
                self.aside.lock().insert(id.clone(), aside);
                true
            }
            Err(error) => {
                tracing::error!("what node {id} holds could not be set aside: {error}");
                false
            }
        };
        self.stop(id).await;
        kept
    }

    async fn keep_aside(&self, id: &NodeId) -> Result<Aside, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let reserve = Reserve::beside(&directory.path().join("node"));
        self.set_aside(id, &reserve).await?;
        Ok(Aside { reserve, _directory: directory })
    }

    /// Starts a node that has no directory, with what it had when it was stopped.
    ///
    /// # Errors
    /// [`StartError`]; then it does not run, and what it had is kept.
    pub(crate) async fn start_from_aside(&self, node: NodeSpec) -> Result<Endpoint, StartError> {
        let taken = self.aside.lock().remove(&node.id);
        let Some(aside) = taken else { return self.bring_up(node).await };
        let files = aside.reserve.files().unwrap_or_default();
        let renewed = self.replace(&node, &aside.reserve, &files).await;
        let begun = self.begun(&node.id, renewed).await;
        if begun.is_err() {
            self.aside.lock().insert(node.id.clone(), aside);
        }
        begun
    }
}
