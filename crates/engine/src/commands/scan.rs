//! Walking through keys and members with a cursor.

use crate::Command;

/// The commands of this family.
pub static COMMANDS: &[&Command] = &[];
