//! Reading a file from where it is.

use crate::{Event, ReadError, Reader};
use std::io::Read;

/// How much is asked for at once, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// A [`Reader`] that gets its bytes by itself. Beyond the file's end it may have read more: see [`Reader::rest`].
pub struct FileReader<R> {
    reader: Reader,
    from: R,
}

impl<R: Read> FileReader<R> {
    /// Reads what comes from here; it needs no buffer.
    pub fn new(reader: Reader, from: R) -> Self {
        FileReader { reader, from }
    }

    /// The next part of the file; nothing after its end.
    ///
    /// # Errors
    /// What is wrong with the file, or with getting it.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, ReadError> {
        let part = loop {
            if let Some(part) = self.reader.take()? {
                break part;
            }
            if self.reader.is_over() {
                return Ok(None);
            }
            if self.reader.feed_from(&mut self.from, PIECE_BYTES)? == 0 {
                self.reader.finish()?;
            }
        };
        Ok(Some(self.reader.read(part)?))
    }

    /// What reads, to ask it how far it is.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// What reads and what is read, to go on with what follows the file.
    pub fn into_parts(self) -> (Reader, R) {
        (self.reader, self.from)
    }
}
