//! The arguments of a request: slices of one buffer.

use std::ops::{Index, Range};

/// Where an argument lies in its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

/// The arguments of a request, the command's name first.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    buffer: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// Arguments that lie in `buffer` at `spans`.
    #[inline]
    pub fn new(buffer: &'a [u8], spans: &'a [Span]) -> Self {
        debug_assert!(spans.iter().all(|span| (span.start + span.len) as usize <= buffer.len()));
        Args { buffer, spans }
    }

    /// The number of arguments, the command's name included.
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no argument at all; such requests are not commands.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The argument number `index`, if there are so many.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|span| &self.buffer[span.start as usize..(span.start + span.len) as usize])
    }

    /// The argument number `index`, which the caller knows to be there: arities are checked before handlers run.
    #[inline]
    pub fn at(&self, index: usize) -> &'a [u8] {
        let span = self.spans[index];
        &self.buffer[span.start as usize..(span.start + span.len) as usize]
    }

    /// The arguments from number `from` on.
    #[inline]
    pub fn iter_from(
        &self,
        from: usize,
    ) -> impl DoubleEndedIterator<Item = &'a [u8]> + ExactSizeIterator + Clone + use<'a> {
        let buffer = self.buffer;
        self.spans
            .get(from..)
            .unwrap_or_default()
            .iter()
            .map(move |span| &buffer[span.start as usize..(span.start + span.len) as usize])
    }

    /// All arguments.
    #[inline]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &'a [u8]> + ExactSizeIterator + Clone + use<'a> {
        self.iter_from(0)
    }

    /// The arguments from number `range.start` up to, not including, number `range.end`.
    #[inline]
    pub fn slice(&self, range: Range<usize>) -> Args<'a> {
        Args { buffer: self.buffer, spans: &self.spans[range] }
    }

    /// A copy that owns its bytes.
    pub fn to_owned(&self) -> OwnedArgs {
        OwnedArgs::new(self.iter())
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        self.at(index)
    }
}

/// Arguments that own their bytes: of queued and of blocked commands.
#[derive(Clone, Debug)]
pub struct OwnedArgs {
    buffer: Box<[u8]>,
    spans: Box<[Span]>,
}

impl OwnedArgs {
    /// Copies of these arguments.
    pub fn new<'a>(args: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        let total = args.clone().map(<[u8]>::len).sum();
        let mut buffer = Vec::with_capacity(total);
        let spans = args
            .map(|arg| {
                let span = Span { start: buffer.len() as u32, len: arg.len() as u32 };
                buffer.extend_from_slice(arg);
                span
            })
            .collect();
        OwnedArgs { buffer: buffer.into_boxed_slice(), spans }
    }

    /// The arguments.
    #[inline]
    pub fn as_args(&self) -> Args<'_> {
        Args { buffer: &self.buffer, spans: &self.spans }
    }

    /// What the copy takes from the allocator, in bytes, size classes not considered.
    pub fn heap_bytes(&self) -> usize {
        self.buffer.len() + self.spans.len() * size_of::<Span>()
    }
}
