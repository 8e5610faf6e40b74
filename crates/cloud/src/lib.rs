//! The provider-neutral cloud: instances, the tasks that work on them, quotas, identities, the metadata store, and
//! the interface of the data plane.
//!
//! Invariants:
//! - The data plane is reached through [`data_plane::DataPlane`] alone.
//! - Time is read from a [`clock::Clock`] alone.
//!
//! Deliberately not here: anything that a provider's documents decide (field names, error codes, validation,
//! specification codes), and HTTP.

use std::future::Future;
use std::pin::Pin;

pub mod backup;
pub mod backup_policy;
mod backups;
mod busyness;
pub mod capacity;
pub mod clock;
mod cloud;
pub mod configuration;
pub mod data_plane;
pub mod engine;
mod export;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
pub mod identity;
pub mod inspection;
pub mod instance;
pub mod links;
pub mod maintenance;
pub mod migration;
mod migrations;
pub mod password;
pub mod policy;
pub mod quota;
pub mod resize;
mod schedule;
pub mod service;
mod state;
pub mod store;
pub mod task;
pub mod topology;
mod update;
pub mod vault;
pub mod whitelist;
mod work;
pub mod zone;

pub use crate::backups::{DeleteBackupError, RestoreError};
pub use crate::cloud::{Cloud, CreateError, Settings, TaskError};
pub use crate::export::ExportError;
pub use crate::migrations::{MigrationError, MigrationOrder};
pub use crate::update::{ForgetError, UpdateError};

/// A future behind a pointer, so that traits with asynchronous methods can be used as objects.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
