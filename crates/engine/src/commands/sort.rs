//! Sorted copies of lists, sets and sorted sets.

use crate::Command;

/// The commands of this family.
pub static COMMANDS: &[&Command] = &[];
