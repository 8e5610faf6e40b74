//! Strings as arrays of bits.

use crate::Command;

/// The commands of this family.
pub static COMMANDS: &[&Command] = &[];
