//! Exports: a backup of an instance with several shards as one file.
//!
//! Invariant: a backup that is exported has one more file, which goes with the others.
//!
//! Deliberately not here: how files become one. The data plane knows.

use std::sync::Arc;

use crate::backup::{Backup, File, State};
use crate::cloud::{Cloud, TaskError};
use crate::state::Claim;
use crate::store::Change;
use crate::task::{self, Task};

/// The name of the file.
const FILE: &str = "all.rdb";

/// Why an export does not begin.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The instance has no such backup.
    #[error("there is no such backup")]
    NoBackup,
    /// The backup has no files, or is exported already.
    #[error("the backup cannot be exported")]
    WrongState,
    /// The instance cannot do it now.
    #[error(transparent)]
    Task(#[from] TaskError),
}

impl Cloud {
    /// Begins to make one file of those of a backup; under the instant profile it is over when this returns: the task says how
    /// it went.
    ///
    /// # Errors
    /// [`ExportError`]
    pub async fn export(
        self: &Arc<Self>,
        project_id: &str,
        instance_id: &str,
        backup_id: &str,
    ) -> Result<Arc<Task>, ExportError> {
        let backup = self.backup(backup_id).filter(|backup| backup.instance_id == instance_id);
        let backup = backup.ok_or(ExportError::NoBackup)?;
        if backup.state != State::Succeeded || backup.exported.is_some() {
            return Err(ExportError::WrongState);
        }
        let details = task::Details { export: Some(backup_id.to_owned()), ..task::Details::default() };
        Ok(self.carry_out(project_id, instance_id, task::Kind::Export, details).await?)
    }

    /// Whether a backup is being exported.
    pub fn is_being_exported(&self, backup: &Backup) -> bool {
        let Some(instance) = self.instance(&backup.project_id, &backup.instance_id) else { return false };
        let Some(task_id) = &instance.task else { return false };
        let state = self.state.read();
        let task = state.tasks.values().rev().find(|task| task.id == *task_id);
        task.is_some_and(|task| task.details.export.as_ref() == Some(&backup.id))
    }

    /// Does the work of the task.
    pub(crate) async fn do_export(&self, Claim { task, .. }: &Claim) -> task::State {
        let found = task.details.export.as_ref().and_then(|id| self.backup(id));
        let Some(backup) = found.filter(|backup| backup.state == State::Succeeded) else {
            return task::State::Failed;
        };
        let Some(directory) = self.vault.directory_of(&backup) else { return task::State::Failed };
        let files: Vec<_> = backup.files.iter().map(|file| directory.join(&file.name)).collect();
        let size_bytes = match self.data_plane.join(&files, &directory.join(FILE)).await {
            Ok(size_bytes) => size_bytes,
            Err(error) => {
                tracing::error!(id = %backup.id, %error, "an export failed");
                return task::State::Failed;
            }
        };
        let exported = {
            let mut state = self.state.write();
            // Its files may have gone meanwhile.
            let backup = state.records.backup(&backup.id).filter(|backup| backup.state == State::Succeeded);
            let Some(backup) = backup else { return task::State::Failed };
            let exported = Some(File { name: FILE.to_owned(), size_bytes });
            let exported = Arc::new(Backup { exported, ..Backup::clone(backup) });
            state.records.put(&exported);
            exported
        };
        let change = Change { put_backups: vec![exported], ..Change::default() };
        if let Err(error) = self.store.commit(change).await {
            tracing::error!(id = %backup.id, %error, "an export is forgotten");
            self.state.write().records.put(&backup);
            return task::State::Failed;
        }
        task::State::Succeeded
    }
}
