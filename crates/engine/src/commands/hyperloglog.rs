//! HyperLogLogs: how many different members there were, in 12 KB at most.

use crate::Command;

/// The commands of this family.
pub static COMMANDS: &[&Command] = &[];
