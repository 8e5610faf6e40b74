//! The end of the stream, kept for those who read it.
//!
//! Of the stream at least the last `size` bytes are kept, so that a replica whose connection broke can go on; and what
//! readers have yet to read, up to a limit: one that is further behind is dropped, so that it does not cost memory
//! without end. Memory is taken and given back in chunks.

use std::collections::VecDeque;

/// What is allocated at once, in bytes.
const CHUNK: usize = 16 << 10;

/// The end of the stream; see the module.
#[derive(Debug)]
pub struct Backlog {
    /// How much is kept whoever reads, in bytes.
    size: u64,
    /// All of them full but for the last.
    chunks: VecDeque<Vec<u8>>,
    /// Where the first chunk begins.
    first: u64,
    end: u64,
    readers: Vec<Reader>,
}

/// Somebody who reads.
#[derive(Debug)]
struct Reader {
    id: u64,
    /// What comes before has been read.
    at: u64,
}

impl Backlog {
    /// A backlog of a stream from `offset` on.
    pub fn new(size: u64, offset: u64) -> Self {
        Backlog { size, chunks: VecDeque::new(), first: offset, end: offset, readers: Vec::new() }
    }

    /// How much is kept whoever reads, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Keeps more or less from now on.
    pub fn resize(&mut self, size: u64) {
        self.size = size;
        self.trim();
    }

    /// Where what is kept for everybody begins.
    pub fn start(&self) -> u64 {
        self.first.max(self.end.saturating_sub(self.size))
    }

    /// Where the stream ends.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The memory that is taken, in bytes.
    pub fn heap_bytes(&self) -> usize {
        self.chunks.len() * CHUNK
    }

    /// Whether who wants the stream from here on can have it.
    pub fn has(&self, offset: u64) -> bool {
        (self.start()..=self.end).contains(&offset)
    }

    /// Adds to the stream. Gives readers that would be more than `limit` bytes behind, which are dropped; zero for no
    /// limit.
    pub fn append(&mut self, mut bytes: &[u8], limit: u64) -> Vec<u64> {
        self.end += bytes.len() as u64;
        let mut grows = false;
        while !bytes.is_empty() {
            let room = self.chunks.back().map_or(0, |chunk| CHUNK - chunk.len());
            if room == 0 {
                self.chunks.push_back(Vec::with_capacity(CHUNK));
                grows = true;
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.chunks.back_mut().expect("it has room").extend_from_slice(now);
            bytes = later;
        }
        if grows { self.shrink(limit) } else { Vec::new() }
    }

    /// Drops readers that are too far behind, and what nobody needs.
    #[cold]
    fn shrink(&mut self, limit: u64) -> Vec<u64> {
        let mut dropped = Vec::new();
        let end = self.end;
        self.readers.retain(|reader| {
            let stays = limit == 0 || end - reader.at <= limit.max(self.size);
            if !stays {
                dropped.push(reader.id);
            }
            stays
        });
        self.trim();
        dropped
    }

    fn trim(&mut self) {
        let needed = self.readers.iter().map(|reader| reader.at).min().unwrap_or(self.end);
        let keep = needed.min(self.end.saturating_sub(self.size));
        while self.chunks.len() > 1 && self.first + CHUNK as u64 <= keep {
            self.chunks.pop_front();
            self.first += CHUNK as u64;
        }
    }

    /// Keeps the stream for a reader from here on; it must be there.
    pub fn hold(&mut self, id: u64, at: u64) {
        debug_assert!((self.first..=self.end).contains(&at));
        self.release(id);
        self.readers.push(Reader { id, at });
    }

    /// Keeps nothing for a reader any more.
    pub fn release(&mut self, id: u64) {
        self.readers.retain(|reader| reader.id != id);
        self.trim();
    }

    /// How far a reader is behind, in bytes; nothing if it has been dropped.
    pub fn lag(&self, id: u64) -> Option<u64> {
        self.readers.iter().find(|reader| reader.id == id).map(|reader| self.end - reader.at)
    }

    /// What comes next for a reader is added to `to`: a chunk at most, none if it has read everything. Nothing if it has
    /// been dropped.
    pub fn read(&mut self, id: u64, to: &mut Vec<u8>) -> Option<usize> {
        let (first, chunks) = (self.first, &self.chunks);
        let reader = self.readers.iter_mut().find(|reader| reader.id == id)?;
        let at = (reader.at - first) as usize;
        let rest = chunks.get(at / CHUNK).map_or(&[][..], |chunk| &chunk[at % CHUNK..]);
        to.extend_from_slice(rest);
        reader.at += rest.len() as u64;
        let len = rest.len();
        self.trim();
        Some(len)
    }

    /// Checks what always holds.
    pub fn check_invariants(&self) {
        let kept: usize = self.chunks.iter().map(Vec::len).sum();
        assert_eq!(self.first + kept as u64, self.end);
        let full = self.chunks.iter().rev().skip(1).all(|chunk| chunk.len() == CHUNK);
        assert!(full, "only the last chunk has room");
        assert!(self.readers.iter().all(|reader| (self.first..=self.end).contains(&reader.at)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The bytes of a stream from an offset on: each tells where it is.
    fn stream(from: u64, len: usize) -> Vec<u8> {
        (from..from + len as u64).map(|at| (at % 251) as u8).collect()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Append(usize),
        Begin(u64),
        Read(u64),
        End(u64),
        Resize(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0usize..60_000).prop_map(Step::Append),
            4 => (0usize..100).prop_map(Step::Append),
            2 => (0u64..4).prop_map(Step::Begin),
            6 => (0u64..4).prop_map(Step::Read),
            1 => (0u64..4).prop_map(Step::End),
            1 => (1u64..200_000).prop_map(Step::Resize),
        ]
    }

    const LIMIT: u64 = 150_000;

    proptest! {
        #[test]
        fn readers_get_the_stream_or_are_dropped(offset in 0u64..100_000, steps in prop::collection::vec(step(), 1..80)) {
            let mut backlog = Backlog::new(40_000, offset);
            let mut at = [None; 4];
            for step in steps {
                match step {
                    Step::Append(len) => {
                        let bytes = stream(backlog.end(), len);
                        for id in backlog.append(&bytes, LIMIT) {
                            prop_assert!(backlog.end() - at[id as usize].take().unwrap() > LIMIT.max(backlog.size()));
                        }
                    }
                    Step::Begin(id) => {
                        let from = backlog.start();
                        prop_assert!(backlog.has(from) && backlog.has(backlog.end()) && !backlog.has(backlog.end() + 1));
                        backlog.hold(id, from);
                        at[id as usize] = Some(from);
                    }
                    Step::Read(id) => {
                        let mut to = Vec::new();
                        let read = backlog.read(id, &mut to);
                        prop_assert_eq!(read.is_some(), at[id as usize].is_some());
                        if let Some(at) = &mut at[id as usize] {
                            prop_assert!(!to.is_empty() || *at == backlog.end());
                            prop_assert_eq!(&to, &stream(*at, to.len()));
                            *at += to.len() as u64;
                            prop_assert_eq!(backlog.lag(id), Some(backlog.end() - *at));
                        }
                    }
                    Step::End(id) => {
                        backlog.release(id);
                        at[id as usize] = None;
                    }
                    Step::Resize(size) => backlog.resize(size),
                }
                backlog.check_invariants();
                let needed = at.iter().flatten().copied().min().unwrap_or(backlog.end());
                let least = needed.min(backlog.end().saturating_sub(backlog.size()));
                // Memory is given back when more is taken.
                prop_assert!(backlog.first + 2 * CHUNK as u64 > least || backlog.chunks.len() <= 1);
                prop_assert!(backlog.heap_bytes() as u64 <= backlog.end() - backlog.first + 2 * CHUNK as u64);
            }
        }
    }
}
