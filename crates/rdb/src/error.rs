//! What can be wrong with a file.

use std::fmt;
use std::io;
use thiserror::Error;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("at byte {offset}: {problem}")]
pub struct Error {
    /// How far the file was understood, in bytes from its beginning.
    pub offset: u64,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// It does not begin as such a file does.
    #[error("this is no RDB file")]
    Signature,
    /// It is of a version that is not read.
    #[error("RDB version {version} is none of those from 1 to {most}")]
    Version {
        /// What it says.
        version: u16,
        /// The latest that is read.
        most: u16,
    },
    /// There is no such type or opcode, or it came with a later version.
    #[error("type or opcode {0} is unknown")]
    Unknown(u8),
    /// A part that is not a value does not hold what it should.
    #[error("opcode {0} is followed by something else than it should be")]
    Record(u8),
    /// The value of this key, of this type, does not hold what it should.
    #[error("the value of key '{}', of type {code}, is damaged", key.escape_ascii())]
    Value {
        /// The key.
        key: Box<[u8]>,
        /// The byte that stands for the type.
        code: u8,
    },
    /// The value of this key can only be read by a module.
    #[error("the value of key '{}' is one of module '{module}', which is not there", key.escape_ascii())]
    Module {
        /// The key.
        key: Box<[u8]>,
        /// The module.
        module: ModuleId,
    },
    /// The bytes are not those that were written.
    #[error("the checksum is {computed:016x} where the file says {stored:016x}")]
    Checksum {
        /// What the file says.
        stored: u64,
        /// That of the bytes.
        computed: u64,
    },
    /// There are no more bytes, but the file has not come to its end.
    #[error("the file breaks off")]
    BreaksOff,
}

/// Why the next part of a file could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// Its bytes could not be had.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Its bytes are wrong.
    #[error(transparent)]
    Format(#[from] Error),
}

/// The name and the version of a module's type, in one number: nine characters of six bits, and ten bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleId(pub u64);

const VERSION_BITS: u32 = 10;
const CHARACTER_BITS: u32 = 6;
const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The name.
impl fmt::Display for ModuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..9).rev().try_for_each(|place| {
            let character = self.0 >> (VERSION_BITS + place * CHARACTER_BITS) & 0x3F;
            write!(f, "{}", char::from(CHARACTERS[character as usize]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_called_by_its_name() {
        let id = b"ReJSON-RL".iter().fold(0, |id, character| {
            let place =
                CHARACTERS.iter().position(|own| own == character).expect("it is a character of names");
            id << CHARACTER_BITS | place as u64
        });
        assert_eq!(ModuleId(id << VERSION_BITS | 3).to_string(), "ReJSON-RL");
    }
}
