//! LZF, as far as it takes to read and write compressed strings.
//!
//! ```text
//! 000nnnnn                      n + 1 bytes follow as they are
//! nnnooooo oooooooo             n + 2 bytes that stand o + 1 before
//! 111ooooo nnnnnnnn oooooooo    n + 9 bytes that stand o + 1 before
//! ```

/// Most bytes that stand as they are.
const MOST_PLAIN: usize = 32;
/// Fewest and most bytes that are copied.
const LEAST_COPY: usize = 3;
const MOST_COPY: usize = 264;
/// Farthest way back.
const FARTHEST: usize = 1 << 13;
/// Most bits of the hash of three bytes.
const MOST_HASH_BITS: u32 = 14;

/// The bytes that were compressed, if there are just so many.
pub(crate) fn decompress(compressed: &[u8], len: usize) -> Option<Vec<u8>> {
    // Three bytes stand for at most as many as a copy has: no more is allocated than the input can fill.
    if len > compressed.len().saturating_mul(MOST_COPY / 3) {
        return None;
    }
    let mut out = Vec::with_capacity(len);
    let mut input = compressed.iter();
    while let Some(&control) = input.next() {
        let control = usize::from(control);
        if control < MOST_PLAIN {
            let (plain, rest) = input.as_slice().split_at_checked(control + 1)?;
            out.extend_from_slice(plain);
            input = rest.iter();
        } else {
            let mut count = (control >> 5) + 2;
            if count == 9 {
                count += usize::from(*input.next()?);
            }
            let back = ((control & 0x1F) << 8 | usize::from(*input.next()?)) + 1;
            let from = out.len().checked_sub(back)?;
            if count > len - out.len() {
                return None;
            }
            // What is copied may begin with what it adds.
            for index in from..from + count {
                out.push(out[index]);
            }
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

/// The bytes in compressed form, if that takes at most so many.
pub(crate) fn compress(bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    // Where three bytes with a hash were last seen, plus one.
    let bits = (bytes.len().max(1).ilog2() + 1).min(MOST_HASH_BITS);
    let mut seen = vec![0u32; 1 << bits];
    let mut out = Vec::with_capacity(most);
    let (mut at, mut plain_from) = (0, 0);
    while at + LEAST_COPY <= bytes.len() {
        let hash = hash(&bytes[at..], bits);
        let from = std::mem::replace(&mut seen[hash], at as u32 + 1) as usize;
        let candidate = from.checked_sub(1).filter(|from| at - from <= FARTHEST);
        let count = candidate.map_or(0, |from| {
            let longest = MOST_COPY.min(bytes.len() - at);
            (0..longest).take_while(|&index| bytes[from + index] == bytes[at + index]).count()
        });
        if count < LEAST_COPY {
            at += 1;
            continue;
        }
        put_plain(&mut out, &bytes[plain_from..at]);
        let back = at - candidate.unwrap_or_default() - 1;
        if count < 9 {
            out.push(((count - 2) << 5 | back >> 8) as u8);
        } else {
            out.push((7 << 5 | back >> 8) as u8);
            out.push((count - 9) as u8);
        }
        out.push(back as u8);
        at += count;
        plain_from = at;
        if out.len() > most {
            return None;
        }
    }
    put_plain(&mut out, &bytes[plain_from..]);
    (out.len() <= most).then_some(out)
}

fn put_plain(out: &mut Vec<u8>, plain: &[u8]) {
    for run in plain.chunks(MOST_PLAIN) {
        out.push(run.len() as u8 - 1);
        out.extend_from_slice(run);
    }
}

fn hash(bytes: &[u8], bits: u32) -> usize {
    let three = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
    (three.wrapping_mul(0x9E37_79B1) >> (32 - bits)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn runs_shrink_and_noise_does_not() {
        let run = [b'a'; 10_000];
        let compressed = compress(&run, 200).expect("it is much shorter");
        assert_eq!(decompress(&compressed, run.len()).as_deref(), Some(&run[..]));
        assert_eq!(decompress(&compressed, run.len() - 1), None);
        assert_eq!(decompress(&compressed, run.len() + 1), None);
        assert_eq!(compress(b"abcdefghijklmnopqrstuvwxyz", 22), None);
    }

    #[test]
    fn nothing_is_allocated_that_is_only_announced() {
        assert_eq!(decompress(b"\x00a", usize::MAX), None);
    }

    proptest! {
        #[test]
        fn what_is_compressed_comes_back(bytes in prop::collection::vec(0u8..4, 0..3000)) {
            let compressed = compress(&bytes, 2 * bytes.len() + 1).expect("it fits");
            prop_assert_eq!(decompress(&compressed, bytes.len()), Some(bytes));
        }

        #[test]
        fn any_bytes_may_come(bytes in prop::collection::vec(any::<u8>(), 0..300), len in 0usize..3000) {
            if let Some(out) = decompress(&bytes, len) {
                prop_assert_eq!(out.len(), len);
            }
        }
    }
}
