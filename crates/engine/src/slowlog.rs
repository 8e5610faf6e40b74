//! Commands that took long.

use crate::clients::Client;
use std::collections::VecDeque;
use std::net::SocketAddr;
use structures::ranked::Mutex;

/// Most arguments that are kept of a command.
const MOST_ARGUMENTS: usize = 32;
/// Most bytes that are kept of an argument.
const MOST_BYTES: usize = 128;

/// A command that took long.
#[derive(Clone, Debug)]
pub struct Slow {
    /// Its number; one more than that of the one before.
    pub id: i64,
    /// When it was run, in seconds since the epoch.
    pub at_s: i64,
    /// How long it took, in microseconds.
    pub took_us: i64,
    /// Its arguments, as far as they are kept.
    pub args: Vec<Box<[u8]>>,
    /// The client that sent it.
    pub peer: SocketAddr,
    /// The client's name.
    pub name: Box<[u8]>,
}

/// The commands of a node that took long.
#[derive(Debug, Default)]
pub struct SlowLog(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The newest first.
    entries: VecDeque<Slow>,
    next_id: i64,
}

impl SlowLog {
    /// Adds a command, and drops the oldest so that `most` are left.
    pub fn add<'a>(
        &self,
        client: &Client,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
        at_s: i64,
        took_us: i64,
        most: usize,
    ) {
        let (args, peer, name) = (shortened(args), client.peer, client.names.lock().name.clone());
        let mut inner = self.0.lock();
        let id = inner.next_id;
        inner.next_id += 1;
        inner.entries.push_front(Slow { id, at_s, took_us, args, peer, name });
        inner.entries.truncate(most);
    }

    /// The newest `most`, newest first.
    pub fn newest(&self, most: usize) -> Vec<Slow> {
        self.0.lock().entries.iter().take(most).cloned().collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.lock().entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all; numbers go on.
    pub fn clear(&self) {
        self.0.lock().entries.clear();
    }
}

/// The arguments without what is too much of them, which is told instead.
fn shortened<'a>(args: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<Box<[u8]>> {
    let count = args.len();
    let kept = if count > MOST_ARGUMENTS { MOST_ARGUMENTS - 1 } else { count };
    let mut short: Vec<Box<[u8]>> = args
        .take(kept)
        .map(|arg| match arg.split_at_checked(MOST_BYTES) {
            Some((start, rest)) if !rest.is_empty() => {
                [start, format!("... ({} more bytes)", rest.len()).as_bytes()].concat().into()
            }
            _ => arg.into(),
        })
        .collect();
    if kept < count {
        short.push(format!("... ({} more arguments)", count - kept).into_bytes().into());
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        let address = "127.0.0.1:1".parse().unwrap();
        Client::new(1, 0, address, address, 0)
    }

    #[test]
    fn the_oldest_go_and_numbers_go_on() {
        let log = SlowLog::default();
        for at_s in 0..5 {
            log.add(&client(), [&b"get"[..]].into_iter(), at_s, 1, 3);
        }
        let ids = |most| log.newest(most).iter().map(|slow| slow.id).collect::<Vec<_>>();
        assert_eq!((ids(2), ids(9), log.len()), (vec![4, 3], vec![4, 3, 2], 3));
        log.clear();
        log.add(&client(), [&b"get"[..]].into_iter(), 0, 1, 3);
        assert_eq!(ids(9), [5]);
        log.add(&client(), [&b"get"[..]].into_iter(), 0, 1, 0);
        assert!(log.is_empty());
    }

    #[test]
    fn long_commands_are_shortened() {
        let (exact, long) = ([b'x'; 128], [b'y'; 131]);
        let args: Vec<&[u8]> = [&exact[..], &long].into_iter().cycle().take(33).collect();
        let short = shortened(args[..32].iter().copied());
        assert_eq!((short.len(), &*short[0]), (32, &exact[..]));
        assert_eq!(*short[1], *[&long[..128], b"... (3 more bytes)"].concat());
        let short = shortened(args.iter().copied());
        assert_eq!((short.len(), &*short[31]), (32, &b"... (2 more arguments)"[..]));
    }
}
