//! The block of data behind a request.

/// The data of a request that stores something, as far as it had come with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block<'a> {
    /// All of it: it belongs to the request.
    Whole(&'a [u8]),
    /// All of it has come, but it does not end where it was said to: nothing is to be stored.
    Bad,
    /// It follows, in pieces that the parser gives next.
    Follows,
}

/// How a block ended that came in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockEnd {
    /// Where it was said to.
    Whole,
    /// Not there: nothing is to be stored.
    Bad,
}
