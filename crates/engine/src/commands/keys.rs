//! Keys of any type.

use crate::Command;

/// The commands of this family.
pub static COMMANDS: &[&Command] = &[];
