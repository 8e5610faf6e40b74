//! memcached's protocols over bytes, as release 1.6.18 speaks them: the text protocol, its meta commands, and the binary
//! protocol. One incremental parser of requests, and writers of replies.
//!
//! Nothing here reads sockets, knows items, or keeps more than a position: a request borrows from the bytes in which it
//! came, and a block of data that has not come yet is given out piece by piece as it comes. What a client announces is
//! remembered as a number and nothing else.
//!
//! Source: memcached's `protocol.txt` and the binary protocol's description; observed on memcached 1.6.18 where they are
//! silent.

pub mod binary;
pub mod block;
pub mod error;
pub mod meta;
pub mod number;
pub mod parser;
pub mod percent;
pub mod reply;
pub mod text;
pub mod words;

pub use block::{Block, BlockEnd};
pub use error::{Error, Status};
pub use meta::{Meta, MetaVerb, Options};
pub use parser::{Parsed, Parser, Protocol};
pub use reply::Reply;
pub use text::{Admin, Get, Request, Store, Verb};
pub use words::Words;

/// Longest key, in bytes.
pub const KEY_MAX: usize = 250;
/// Release that is spoken.
pub const VERSION: &str = "1.6.18";
