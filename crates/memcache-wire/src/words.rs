//! The words of a line: what stands between blanks. Only the blank parts words.

/// The words of a line that have not been taken yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    /// The words of a line, which has no end.
    #[inline]
    pub fn new(line: &'a [u8]) -> Self {
        Words { rest: line }
    }

    /// What follows the words that were taken, blanks included.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether there is no further word.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.clone_next().is_none()
    }

    #[inline]
    fn clone_next(mut self) -> Option<&'a [u8]> {
        self.next()
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.rest.iter().position(|&byte| byte != b' ')?;
        let from = &self.rest[start..];
        let len = memchr::memchr(b' ', from).unwrap_or(from.len());
        self.rest = &from[len..];
        Some(&from[..len])
    }
}

/// The first words of a line, and how many there are.
pub(crate) struct First<'a, const N: usize> {
    words: [&'a [u8]; N],
    /// How many words there are; `N + 1` if there are more than `N`.
    pub(crate) count: usize,
}

impl<'a, const N: usize> First<'a, N> {
    pub(crate) fn of(mut words: Words<'a>) -> Self {
        let mut first = First { words: [&[]; N], count: 0 };
        for slot in &mut first.words {
            match words.next() {
                Some(word) => *slot = word,
                None => return first,
            }
            first.count += 1;
        }
        first.count += usize::from(!words.is_empty());
        first
    }

    /// The last word; empty if there are more words than were looked at, or none.
    pub(crate) fn last(&self) -> &'a [u8] {
        self.count.checked_sub(1).and_then(|last| self.words.get(last)).copied().unwrap_or_default()
    }
}

impl<'a, const N: usize> std::ops::Index<usize> for First<'a, N> {
    type Output = &'a [u8];

    fn index(&self, index: usize) -> &Self::Output {
        &self.words[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blanks_part_words() {
        let words: Vec<_> = Words::new(b"  a\tb  c \x01 ").collect();
        assert_eq!(words, [&b"a\tb"[..], b"c", b"\x01"]);
        assert!(Words::new(b"   ").is_empty());
        let first = First::<2>::of(Words::new(b"a b"));
        assert_eq!((first.count, first[1], first.last()), (2, &b"b"[..], &b"b"[..]));
        let first = First::<2>::of(Words::new(b"a b c d"));
        assert_eq!((first.count, first.last()), (3, &b""[..]));
    }
}
