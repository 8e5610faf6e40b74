//! The server itself: time, role, shutdown.

use crate::Command;

/// The commands of this family.
pub static COMMANDS: &[&Command] = &[];
