//! Places: sorted sets whose scores are positions on Earth.

use crate::Command;

/// The commands of this family.
pub static COMMANDS: &[&Command] = &[];
