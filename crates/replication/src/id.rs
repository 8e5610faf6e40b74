//! The name of a stream.

use std::fmt;

/// The name of a stream: forty characters, hexadecimal where a server has made them up.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id([u8; Id::LEN]);

impl Id {
    /// How many characters it has.
    pub const LEN: usize = 40;
    /// That of no stream, as servers write it.
    pub const NONE: Id = Id([b'0'; Id::LEN]);

    /// An id in the form in which it is sent; nothing if it has not as many characters, or some that do not print.
    pub fn parse(text: &[u8]) -> Option<Id> {
        let bytes: [u8; Id::LEN] = text.try_into().ok()?;
        bytes.iter().all(u8::is_ascii_graphic).then_some(Id(bytes))
    }

    /// As it is sent.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("it consists of characters that print")
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
