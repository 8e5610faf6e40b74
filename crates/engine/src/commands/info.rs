//! What a node tells of itself.

use crate::Command;

/// The commands of this family.
pub static COMMANDS: &[&Command] = &[];
