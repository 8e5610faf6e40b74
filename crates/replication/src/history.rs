//! Which stream a server has, and how far.

use crate::Id;

/// The stream that a server writes or follows, how far it has come, and which one it went on with before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    id: Id,
    offset: u64,
    /// The stream that this server followed before it began its own, and the first byte of it that it does not have.
    former: Option<(Id, u64)>,
}

impl History {
    /// A stream that has just begun.
    pub fn new(id: Id) -> Self {
        History { id, offset: 0, former: None }
    }

    /// A stream of which another server has given everything up to here.
    pub fn at(id: Id, offset: u64) -> Self {
        History { id, offset, former: None }
    }

    /// The stream's id.
    pub fn id(&self) -> Id {
        self.id
    }

    /// How far it has come, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The former stream, and its first byte that is not known here: bytes are counted from one.
    pub fn former(&self) -> Option<(Id, u64)> {
        self.former
    }

    /// Goes on by so many bytes.
    pub fn advance(&mut self, bytes: usize) {
        self.offset += bytes as u64;
    }

    /// Begins an own stream, which goes on where the one before stands: who followed that may follow this.
    pub fn branch(&mut self, id: Id) {
        self.former = Some((self.id, self.offset + 1));
        self.id = id;
    }

    /// Goes by another name: the master, from which all comes, has begun its own stream.
    pub fn rename(&mut self, id: Id) {
        if id != self.id {
            self.branch(id);
        }
    }

    /// Gives the stream another name, so that nobody goes on with what has not been kept.
    pub fn forget(&mut self, id: Id) {
        *self = History { id, offset: self.offset, former: None };
    }

    /// Whether who has this stream, and wants it from byte `next` on (counted from one), has the same as this server.
    pub fn shares(&self, id: Id, next: u64) -> bool {
        id == self.id || self.former.is_some_and(|(former, until)| id == former && next <= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(letter: u8) -> Id {
        Id::parse(&[letter; Id::LEN]).expect("it is an id")
    }

    #[test]
    fn who_followed_the_same_master_may_follow_the_replica_that_became_one() {
        let mut history = History::at(id(b'a'), 100);
        history.branch(id(b'b'));
        assert_eq!(history.former(), Some((id(b'a'), 101)));
        assert!(history.shares(id(b'a'), 101) && history.shares(id(b'a'), 50));
        assert!(!history.shares(id(b'a'), 102), "the old master went on by itself");
        history.advance(10);
        assert!(history.shares(id(b'b'), 111) && !history.shares(id(b'c'), 1));
        history.forget(id(b'c'));
        assert!(!history.shares(id(b'a'), 50) && !history.shares(id(b'b'), 50));
        assert_eq!(history.offset(), 110);
    }

    #[test]
    fn a_master_that_goes_by_another_name_is_the_same() {
        let mut history = History::at(id(b'a'), 7);
        history.rename(id(b'a'));
        assert_eq!(history.former(), None);
        history.rename(id(b'b'));
        assert!(history.shares(id(b'a'), 8) && history.shares(id(b'b'), 8));
    }

    #[test]
    fn ids_have_forty_characters() {
        assert_eq!(Id::parse(&[b'f'; 40]).map(|id| id.to_string()), Some("f".repeat(40)));
        assert_eq!(
            (Id::parse(&[b'f'; 39]), Id::parse(&[b'f'; 41]), Id::parse(&[b' '; 40])),
            (None, None, None)
        );
        assert_eq!(Id::NONE.as_str(), "0".repeat(40));
    }
}
