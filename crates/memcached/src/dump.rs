//! Items as a file of this project's own format: what a node keeps over a restart, and what a backup is.
//!
//! A file begins with [`MAGIC`] and a byte that is the version: 1, or 2 where all items are to go at some time, which then
//! follows in seconds since the epoch (8 bytes). Then come items: a byte that is 1; flags (4 bytes, all numbers
//! little-endian); when it expires in seconds since the epoch (8 bytes, zero for never); the lengths of the key (1 byte)
//! and of the value (4 bytes); both. A byte that is 0 ends them, followed by their number (8 bytes) and the CRC-64/XZ of
//! everything before it (8 bytes), after which nothing comes.
//!
//! Invariant: nothing is allocated for what a file only announces.
//!
//! Deliberately not here: which items there are, and cas ids, which mean nothing to another process.

use std::io::{self, ErrorKind, Read, Write};

use crc::{CRC_64_XZ, Crc, Digest};

use crate::node::Walked;

/// What a file begins with.
pub const MAGIC: &[u8; 7] = b"CARNMEM";
/// The versions that there are: without and with a time at which all items go.
const PLAIN: u8 = 1;
const FLUSHED: u8 = 2;
/// The longest key, in bytes.
const KEY_MAX: usize = 250;
/// A longer value is in no file, in bytes: the largest item that can be configured is 1 GB.
const VALUE_MAX: usize = 1 << 30;

const ITEM: u8 = 1;
const END: u8 = 0;

static CRC: Crc<u64> = Crc::<u64>::new(&CRC_64_XZ);

/// Writes a file, piece by piece: items are added while their shards are held, and written when they are not.
pub struct Writer {
    /// What has not been written.
    pending: Vec<u8>,
    digest: Digest<'static, u64>,
    items: u64,
}

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// It cannot be read at all.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is no such file, or damaged.
    #[error("at byte {offset}: {reason}")]
    Damaged {
        /// Where, from the beginning.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
}

/// What was in a file beside the items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// How many items there were.
    pub items: u64,
    /// When all of them go, in seconds since the epoch; nothing for never.
    pub flush_s: Option<i64>,
}

impl Writer {
    /// Begins a file. All items go at a time in seconds since the epoch if there is one.
    pub fn new(flush_s: Option<i64>) -> Self {
        let mut pending = MAGIC.to_vec();
        match flush_s {
            // Earlier programs read it, too.
            None => pending.push(PLAIN),
            Some(at_s) => {
                pending.push(FLUSHED);
                pending.extend_from_slice(&at_s.to_le_bytes());
            }
        }
        Writer { pending, digest: CRC.digest(), items: 0 }
    }

    /// Adds an item.
    pub fn add(&mut self, item: &Walked<'_>) {
        debug_assert!(item.key.len() <= KEY_MAX && item.value.len() <= VALUE_MAX);
        let pending = &mut self.pending;
        pending.push(ITEM);
        pending.extend_from_slice(&item.flags.to_le_bytes());
        pending.extend_from_slice(&item.expires_s.unwrap_or(0).to_le_bytes());
        pending.push(item.key.len() as u8);
        pending.extend_from_slice(&(item.value.len() as u32).to_le_bytes());
        pending.extend_from_slice(item.key);
        pending.extend_from_slice(item.value);
        self.items += 1;
    }

    /// Writes what has been added.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_to(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.digest.update(&self.pending);
        out.write_all(&self.pending)?;
        self.pending.clear();
        Ok(())
    }

    /// Writes what has been added, and the end. How many items there are.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn end(mut self, out: &mut impl Write) -> io::Result<u64> {
        self.pending.push(END);
        self.pending.extend_from_slice(&self.items.to_le_bytes());
        self.write_to(out)?;
        out.write_all(&self.digest.finalize().to_le_bytes())?;
        Ok(self.items)
    }
}

/// A file that is being read.
struct Source<R: Read> {
    input: R,
    digest: Digest<'static, u64>,
    offset: u64,
}

impl<R: Read> Source<R> {
    fn damaged(&self, reason: &'static str) -> DumpError {
        DumpError::Damaged { offset: self.offset, reason }
    }

    /// The next bytes; so many, in the place of what `into` has.
    fn take(&mut self, len: usize, into: &mut Vec<u8>) -> Result<(), DumpError> {
        into.clear();
        // What is reserved grows with what comes.
        let read = (&mut self.input).take(len as u64).read_to_end(into)?;
        if read < len {
            self.offset += read as u64;
            return Err(self.damaged("the file ends too soon"));
        }
        self.digest.update(into);
        self.offset += len as u64;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DumpError> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => self.damaged("the file ends too soon"),
            _ => error.into(),
        })?;
        self.digest.update(&bytes);
        self.offset += N as u64;
        Ok(bytes)
    }
}

/// Reads a file to its end and has each item visited. What else there was.
///
/// Items are visited before the checksum is known: whoever needs all or nothing keeps them apart until this returns.
///
/// # Errors
/// [`DumpError`], or what the visit says.
pub fn read(
    input: impl Read,
    mut visit: impl FnMut(Walked<'_>) -> Result<(), DumpError>,
) -> Result<Contents, DumpError> {
    let mut source = Source { input, digest: CRC.digest(), offset: 0 };
    let magic: [u8; MAGIC.len()] = source.array()?;
    if magic != *MAGIC {
        return Err(DumpError::Damaged { offset: 0, reason: "this is no file of a Memcached node" });
    }
    let flush_s = match source.array()? {
        [PLAIN] => None,
        [FLUSHED] => Some(i64::from_le_bytes(source.array()?)),
        _ => return Err(DumpError::Damaged { offset: 7, reason: "a later version wrote the file" }),
    };
    let (mut key, mut value, mut items) = (Vec::new(), Vec::new(), 0u64);
    loop {
        match source.array::<1>()? {
            [ITEM] => {}
            [END] => break,
            _ => return Err(DumpError::Damaged { offset: source.offset - 1, reason: "no item begins here" }),
        }
        let flags = u32::from_le_bytes(source.array()?);
        let expires_s = i64::from_le_bytes(source.array()?);
        let key_len = usize::from(source.array::<1>()?[0]);
        let value_len = u32::from_le_bytes(source.array()?) as usize;
        if key_len == 0 || key_len > KEY_MAX || value_len > VALUE_MAX || expires_s < 0 {
            return Err(source.damaged("an item is not possible"));
        }
        source.take(key_len, &mut key)?;
        source.take(value_len, &mut value)?;
        visit(Walked {
            key: &key,
            value: &value,
            flags,
            expires_s: Some(expires_s).filter(|at_s| *at_s != 0),
        })?;
        items += 1;
    }
    if u64::from_le_bytes(source.array()?) != items {
        return Err(source.damaged("the number of items is wrong"));
    }
    let sum = source.digest.clone().finalize();
    if u64::from_le_bytes(source.array()?) != sum {
        return Err(source.damaged("the checksum is wrong"));
    }
    if source.input.read(&mut [0])? != 0 {
        return Err(source.damaged("something comes after the end"));
    }
    Ok(Contents { items, flush_s })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(flush_s: Option<i64>) -> Vec<u8> {
        let (mut writer, mut out) = (Writer::new(flush_s), Vec::new());
        let item = |key, value, flags, expires_s| Walked { key, value, flags, expires_s };
        writer.add(&item(b"a", b"value", 7, None));
        writer.write_to(&mut out).unwrap();
        writer.add(&item(&[b'k'; 250], b"", u32::MAX, Some(1_900_000_000)));
        assert_eq!(writer.end(&mut out).unwrap(), 2);
        out
    }

    /// Key, value, flags, and when it expires.
    type Item = (Vec<u8>, Vec<u8>, u32, Option<i64>);

    fn all(bytes: &[u8]) -> Result<Vec<Item>, DumpError> {
        let mut all = Vec::new();
        read(bytes, |item| {
            all.push((item.key.to_vec(), item.value.to_vec(), item.flags, item.expires_s));
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn what_was_written_is_read() {
        let expected = vec![
            (b"a".to_vec(), b"value".to_vec(), 7, None),
            (vec![b'k'; 250], Vec::new(), u32::MAX, Some(1_900_000_000)),
        ];
        for flush_s in [None, Some(1_900_000_000)] {
            assert_eq!(all(&written(flush_s)).unwrap(), expected);
            let contents = read(&written(flush_s)[..], |_| Ok(())).unwrap();
            assert_eq!(contents, Contents { items: 2, flush_s });
        }
    }

    /// What was written before there was another version.
    #[test]
    fn an_early_file_is_read() {
        let mut file =
            b"CARNMEM\x01\x01\x07\0\0\0\0\0\0\0\0\0\0\0\x01\x01\0\0\0kv\0\x01\0\0\0\0\0\0\0".to_vec();
        let sum = CRC.checksum(&file);
        file.extend_from_slice(&sum.to_le_bytes());
        assert_eq!(all(&file).unwrap(), [(b"k".to_vec(), b"v".to_vec(), 7, None)]);
        assert_eq!(file[..8], written(None)[..8]);
    }

    #[test]
    fn a_file_that_is_cut_or_longer_or_changed_is_refused_and_told_where() {
        cut_longer_or_changed(&written(None));
        cut_longer_or_changed(&written(Some(1_900_000_000)));
        assert_eq!(
            all(b"REDIS0009").unwrap_err().to_string(),
            "at byte 0: this is no file of a Memcached node"
        );
        assert_eq!(all(b"CARNMEM\x03").unwrap_err().to_string(), "at byte 7: a later version wrote the file");
    }

    fn cut_longer_or_changed(whole: &[u8]) {
        for len in 0..whole.len() {
            let error = all(&whole[..len]).unwrap_err();
            assert!(
                matches!(error, DumpError::Damaged { offset, .. } if offset <= len as u64),
                "{len}: {error}"
            );
        }
        for at in 0..whole.len() {
            for change in [0x01, 0x80] {
                let mut damaged = whole.to_vec();
                damaged[at] ^= change;
                assert!(all(&damaged).is_err(), "byte {at} may be another");
            }
        }
        let longer = [whole, b"x"].concat();
        let error = all(&longer).unwrap_err().to_string();
        assert_eq!(error, format!("at byte {}: something comes after the end", whole.len()));
    }

    /// A value of a gigabyte that is only announced takes no memory.
    #[test]
    fn what_is_announced_is_not_allocated() {
        let mut bytes = [&MAGIC[..], &[PLAIN]].concat();
        bytes.extend_from_slice(&[ITEM, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        bytes.extend_from_slice(&(1u32 << 30).to_le_bytes());
        bytes.push(b'k');
        let mut source = Source { input: &bytes[19..], digest: CRC.digest(), offset: 0 };
        let mut value = Vec::new();
        assert!(source.take(1 << 30, &mut value).is_err());
        assert!(value.capacity() < 1 << 16, "{}", value.capacity());
        assert!(all(&bytes).is_err());
    }
}
