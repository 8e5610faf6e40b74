//! A request with a large value that is yet to come in full: what has come lies where its item will have it, not in a buffer.

use std::cell::RefCell;

use memcache_wire::meta::KEY_ROOM;
use memcache_wire::{Block, BlockEnd, Parsed, Protocol, Reply, Request, Verb, binary};
use structures::cached::{Cached, Draft, Head};

use crate::clock::Now;
use crate::items::Mode;
use crate::node::Node;
use crate::session::{Session, Step};

/// An item that a request may put in its place as it is.
pub(crate) type Made = RefCell<Option<Cached>>;

/// A request; see the module.
#[derive(Debug)]
pub(crate) struct Unfinished {
    /// Its bytes, without the value.
    request: Vec<u8>,
    value: Value,
}

/// What there is of the value.
#[derive(Debug)]
enum Value {
    /// Some of it, or all but its end.
    Coming(Draft),
    /// All of it, in an item.
    Whole(Cached),
    /// It did not end where it was said to.
    Bad,
    /// There is no memory for it.
    GivenUp,
}

impl Session {
    /// Whether a request can be done whose value came in pieces.
    pub(crate) fn has_finished(&self) -> bool {
        self.unfinished.as_ref().is_some_and(|unfinished| !matches!(unfinished.value, Value::Coming(_)))
    }

    /// Whether a value has come in full whose end takes no bytes: it can be done without any.
    pub(crate) fn is_full(&self) -> bool {
        self.unfinished.is_some()
            && self.parser.protocol() == Protocol::Binary
            && self.parser.data_left() == 0
    }

    /// What is kept of a request whose value comes in pieces, in bytes.
    pub fn kept_bytes(&self) -> usize {
        self.unfinished.as_ref().map_or(0, |unfinished| {
            let value_bytes = match &unfinished.value {
                Value::Coming(draft) => draft.heap_bytes(),
                Value::Whole(item) => item.heap_bytes(),
                Value::Bad | Value::GivenUp => 0,
            };
            value_bytes + unfinished.request.capacity()
        })
    }

    /// Where what comes next of a value may be put, if there is room for so many bytes of it or for all that are yet to come.
    /// The session is to be told of what has been put there: [`Session::took`].
    pub fn room_for(&mut self, bytes: usize) -> Option<&mut Draft> {
        match &mut self.unfinished.as_mut()?.value {
            Value::Coming(draft) if !draft.is_full() && draft.has_room(bytes) => Some(draft),
            _ => None,
        }
    }

    /// Takes note that so many bytes have been put where [`Session::room_for`] had them put.
    pub fn took(&mut self, bytes: usize) {
        self.parser.took_data(bytes);
    }

    /// Keeps a request of these bytes whose value is large, and is going to be an item of its own. Whether it does.
    pub(crate) fn begin_value(&mut self, node: &Node, request: &Request, bytes: &[u8], now: Now) -> bool {
        let Some(draft) = draft(node, request, now) else { return false };
        self.unfinished = Some(Box::new(Unfinished { request: bytes.to_vec(), value: Value::Coming(draft) }));
        true
    }

    /// Takes another piece of a value, and its end if it has come.
    pub(crate) fn take_piece(&mut self, node: &Node, bytes: &[u8], end: Option<BlockEnd>, now: Now) {
        let Some(unfinished) = &mut self.unfinished else {
            debug_assert!(false, "no piece of another value is waited for");
            return;
        };
        if let Value::Coming(draft) = &mut unfinished.value {
            let growth = draft.growth(bytes.len());
            if growth > 0 {
                // What goes leaves its place to this. Whether there is room at all is seen when it is counted.
                node.make_room(growth, now);
            }
            draft.take(bytes);
        }
        unfinished.value = match (std::mem::replace(&mut unfinished.value, Value::Bad), end) {
            (Value::Coming(draft), Some(BlockEnd::Whole)) => Value::Whole(node.finish(draft)),
            (_, Some(BlockEnd::Bad)) => Value::Bad,
            (value, _) => value,
        };
    }

    /// Gives up the value that is coming: what is still to come of it is passed over. Whether there is one.
    pub(crate) fn give_up_value(&mut self) -> bool {
        match &mut self.unfinished {
            Some(unfinished) if matches!(unfinished.value, Value::Coming(_)) => {
                unfinished.value = Value::GivenUp;
                self.parser.swallow();
                true
            }
            _ => false,
        }
    }

    /// Does a request whose value came in pieces, or refuses it. It stays if its shard is held by somebody else.
    pub(crate) fn finish(&mut self, node: &Node, now: Now, reply: &mut Reply) -> Result<Step, usize> {
        let Some(mut unfinished) = self.unfinished.take() else { return Ok(Step::Done) };
        let mut parser = self.parser.clone();
        parser.restart();
        let Parsed::Request { request, .. } = parser.parse(&unfinished.request) else {
            debug_assert!(false, "it was a request before");
            return Ok(Step::Done);
        };
        let before = reply.len();
        let done = match unfinished.value {
            Value::Whole(item) => {
                let lent = item.lend();
                let made = Made::new(Some(item));
                let block = Block::Whole(lent.as_deref().unwrap_or_default());
                let done = self.perform(node, request.with_block(block), Some(&made), now, reply);
                drop(lent);
                unfinished.value = made.into_inner().map_or(Value::Bad, Value::Whole);
                done
            }
            Value::Bad => self.perform(node, request.with_block(Block::Bad), None, now, reply),
            Value::GivenUp => {
                let done = self.perform(node, request, None, now, reply);
                self.deferred = reply.split_off(before);
                done
            }
            Value::Coming(_) => {
                debug_assert!(false, "its value has yet to come");
                Ok(Step::Done)
            }
        };
        if done.is_err() {
            self.unfinished = Some(unfinished);
        }
        done
    }
}

/// The draft of the item that a request stores, if its value is large and becomes one as it is.
fn draft(node: &Node, request: &Request, now: Now) -> Option<Draft> {
    let len = request.block_len()? as usize;
    let head = |flags, expires| Head { flags, expires, ..Head::default() };
    match request {
        Request::Store(store) if !matches!(store.verb, Verb::Append | Verb::Prepend) => {
            Draft::new(store.key, &head(store.flags, node.clock.expiry(store.exptime.into(), now)), len)
        }
        Request::Meta(meta) => {
            let options = meta.options().ok()?;
            let expires = node.clock.expiry(options.exptime.unwrap_or(0).into(), now);
            let mut room = [0; KEY_ROOM];
            let key = meta.key(&options, &mut room);
            if matches!(crate::meta::mode(&options), Mode::Append | Mode::Prepend) {
                return None;
            }
            Draft::new(key, &head(options.client_flags, expires), len)
        }
        Request::Binary(frame) => match frame.command {
            binary::Command::Store { flags, exptime, .. } => {
                Draft::new(frame.key, &head(flags, node.clock.expiry(exptime.into(), now)), len)
            }
            _ => None,
        },
        _ => None,
    }
}
