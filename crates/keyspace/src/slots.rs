//! The hash slots of Redis Cluster, and which keys of a shard belong to which slot.
//!
//! Only the nodes of a cluster keep an index, since it takes memory and time with every key that comes or goes. It names
//! keys by their hashes: two keys of a slot with the same 64 bits are as good as impossible.
//!
//! Not here: who serves a slot.

use std::collections::{BTreeSet, HashMap};

/// The number of slots.
pub const SLOTS: u16 = 16_384;

/// What the index takes for a key, in bytes: its place in a tree whose nodes are two thirds full.
const KEY_BYTES: usize = 24;

/// The slot of a key: that of what stands between the first `{` and the next `}`, unless that is nothing; see "Redis
/// cluster specification", hash tags.
#[inline]
pub fn slot_of(key: &[u8]) -> u16 {
    let tagged = |open: usize| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|&byte| byte == b'}')?;
        (close > 0).then(|| &rest[..close])
    };
    let hashed = key.iter().position(|&byte| byte == b'{').and_then(tagged).unwrap_or(key);
    crc(hashed) % SLOTS
}

/// What `n` more bytes of zeros make of a byte, for each `n` below eight: eight bytes are then looked at together, rather
/// than each having to wait for the one before.
static TABLES: [[u16; 256]; 8] = {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut table = 0;
        while table < 8 {
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
                bit += 1;
            }
            tables[table][byte] = crc;
            table += 1;
        }
        byte += 1;
    }
    tables
};

/// CRC16 as Redis Cluster has it: XMODEM.
#[inline]
fn crc(bytes: &[u8]) -> u16 {
    let mut crc: u16 = 0;
    let (chunks, rest) = bytes.as_chunks::<8>();
    for chunk in chunks {
        let [high, low] = crc.to_be_bytes();
        let [a, b, c, d, e, f, g, h] = *chunk;
        let mixed = [a ^ high, b ^ low, c, d, e, f, g, h];
        crc = (0..8).fold(0, |sum, at| sum ^ TABLES[7 - at][usize::from(mixed[at])]);
    }
    for byte in rest {
        crc = (crc << 8) ^ TABLES[0][usize::from((crc >> 8) as u8 ^ byte)];
    }
    crc
}

/// The keys of a shard by their slots.
#[derive(Debug, Default)]
pub(crate) struct SlotIndex {
    hashes: BTreeSet<(u16, u64)>,
    counts: HashMap<u16, usize, foldhash::fast::RandomState>,
}

impl SlotIndex {
    /// Adds a key that was not there; gives by how many bytes the index has grown.
    pub(crate) fn add(&mut self, key: &[u8], hash: u64) -> isize {
        let slot = slot_of(key);
        self.hashes.insert((slot, hash));
        *self.counts.entry(slot).or_default() += 1;
        KEY_BYTES as isize
    }

    /// Removes a key that was there; gives by how many bytes the index has grown, which is less than zero.
    pub(crate) fn remove(&mut self, key: &[u8], hash: u64) -> isize {
        let slot = slot_of(key);
        self.hashes.remove(&(slot, hash));
        if let Some(count) = self.counts.get_mut(&slot) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&slot);
            }
        }
        -(KEY_BYTES as isize)
    }

    /// Removes all keys; gives by how many bytes the index has grown.
    pub(crate) fn clear(&mut self) -> isize {
        let bytes = self.heap_bytes();
        *self = SlotIndex::default();
        -(bytes as isize)
    }

    /// The number of keys of a slot.
    pub(crate) fn count(&self, slot: u16) -> usize {
        self.counts.get(&slot).copied().unwrap_or(0)
    }

    /// The hashes of the keys of a slot.
    pub(crate) fn hashes(&self, slot: u16) -> impl Iterator<Item = u64> {
        self.hashes.range((slot, 0)..=(slot, u64::MAX)).map(|&(_, hash)| hash)
    }

    /// What the index takes, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.hashes.len() * KEY_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_follow_from_what_is_tagged() {
        // Observed on redis-server 7.0.
        for (key, slot) in [
            ("foo", 12_182),
            ("bar", 5_061),
            ("{a}b", 15_495),
            ("baz{bar}", 5_061),
            ("{bar}{foo}", 5_061),
            ("", 0),
        ] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
        for key in ["foo{}{bar}", "{}", "a{b", "a}b{", "{"] {
            assert_eq!(
                slot_of(key.as_bytes()),
                crc16::State::<crc16::XMODEM>::calculate(key.as_bytes()) % SLOTS
            );
        }
    }

    #[test]
    fn eight_bytes_together_are_as_one_by_one() {
        let bytes: Vec<u8> = (0..200_u32).map(|n| ((n * n * 31) >> 3) as u8).collect();
        for from in 0..20 {
            for to in from..bytes.len() {
                let expected = crc16::State::<crc16::XMODEM>::calculate(&bytes[from..to]);
                assert_eq!(crc(&bytes[from..to]), expected, "{from} {to}");
            }
        }
    }

    #[test]
    fn a_key_that_has_gone_is_not_counted() {
        let mut index = SlotIndex::default();
        assert_eq!(index.add(b"bar", 7) + index.add(b"x{bar}", 9) + index.add(b"foo", 8), 72);
        assert_eq!((index.count(5_061), index.hashes(5_061).collect::<Vec<_>>()), (2, vec![7, 9]));
        assert_eq!(index.remove(b"bar", 7), -24);
        assert_eq!((index.count(5_061), index.hashes(5_061).collect::<Vec<_>>()), (1, vec![9]));
        assert_eq!((index.clear(), index.heap_bytes(), index.count(5_061)), (-48, 0, 0));
    }
}
