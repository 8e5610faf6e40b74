//! The latency monitor.

use crate::Command;

/// The commands of this family.
pub static COMMANDS: &[&Command] = &[];
