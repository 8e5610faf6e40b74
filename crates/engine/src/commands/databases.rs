//! Whole databases.

use crate::Command;

/// The commands of this family.
pub static COMMANDS: &[&Command] = &[];
