//! One file out of several, such as those of the shards that share the keys of one instance.
//!
//! Values go over as they are: they are not looked at, so a file that is joined is as sound as its parts.

use crate::{Event, FileReader, Form, ReadError, Reader, Version, Writer};
use std::io::{self, Read, Write};

/// Writes what files hold that are of one version to one file with a checksum. What they say of themselves is taken from the
/// first; no key may be in two of them. Gives back what was written to, flushed.
///
/// # Errors
/// What is wrong with a file, or with getting or writing it.
pub fn join<R: Read, W: Write>(files: impl IntoIterator<Item = R>, to: W) -> Result<W, ReadError> {
    let (mut to, mut joined) = (Some(to), None);
    let mut database = None;
    for (number, file) in files.into_iter().enumerate() {
        let mut reader = FileReader::new(Reader::new(Version::V12), file);
        while let Some(event) = reader.next_event()? {
            if let Event::Version(version) = event {
                match (to.take(), &joined) {
                    (Some(to), _) => {
                        let form = Form { version, compresses: false, has_checksum: true };
                        joined = Some((version, Writer::new(to, form)));
                    }
                    (None, Some((first, _))) if *first == version => {}
                    (None, _) => return Err(invalid("the files are of different versions")),
                }
                continue;
            }
            // Nothing comes before the version.
            let Some((_, writer)) = &mut joined else { break };
            match event {
                Event::Aux { name, value } if number == 0 => writer.aux(&name, &value)?,
                Event::Library(library) if number == 0 => writer.library(&library)?,
                Event::Key(key) => {
                    if database != Some(key.database) {
                        writer.database(key.database, 0, 0)?;
                        database = Some(key.database);
                    }
                    writer.copy(&key)?;
                }
                _ => {}
            }
        }
    }
    let Some((_, writer)) = joined else { return Err(invalid("there are no files")) };
    Ok(writer.finish()?)
}

fn invalid(reason: &str) -> ReadError {
    io::Error::new(io::ErrorKind::InvalidInput, reason).into()
}
