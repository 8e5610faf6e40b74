//! What test suites ask of a server.

use crate::Command;

/// The commands of this family.
pub static COMMANDS: &[&Command] = &[];
