//! What is tried with arbitrary bytes; the crate's tests try it with some, too.

use memcache_wire::meta::KEY_ROOM;
use memcache_wire::{Block, KEY_MAX, Parsed, Parser, Request};

/// Parses bytes that come in pieces, whose size the first byte says, and once more all at once, and holds that it makes no
/// difference. Every second request's data is not wanted. Gives how many requests that were.
pub(crate) fn parse(data: &[u8]) -> usize {
    let Some((size, bytes)) = data.split_first() else { return 0 };
    let whole = requests(bytes, bytes.len());
    let pieces = requests(bytes, usize::from(*size) + 1);
    assert_eq!(whole, pieces);
    whole.len()
}

/// Requests and how much data came with each, of bytes that come in pieces of a size.
fn requests(bytes: &[u8], size: usize) -> Vec<(String, usize)> {
    let mut all: Vec<(String, usize)> = Vec::new();
    let mut parser = Parser::new();
    let (mut at, mut end) = (0, 0);
    let (mut came, mut is_wanted) = (0, true);
    loop {
        match parser.parse(&bytes[at..end]) {
            Parsed::Incomplete if end == bytes.len() => return all,
            Parsed::Incomplete => end = bytes.len().min(end + size.max(1)),
            Parsed::Broken => return all,
            Parsed::Request { len, request } => {
                assert!(0 < len && len <= end - at);
                at += len;
                is_wanted = all.len().is_multiple_of(2);
                came = 0;
                let (kind, data) = look(&request);
                let follows = request.block() == Some(Block::Follows);
                all.push((kind, if is_wanted { data } else { 0 }));
                if follows && !is_wanted {
                    parser.swallow();
                }
            }
            Parsed::Data { len, bytes, end: ends } => {
                assert!(is_wanted && bytes.len() <= len && len <= end - at);
                at += len;
                came += bytes.len();
                if ends.is_some() {
                    all.last_mut().expect("data is of a request").1 = came;
                }
            }
            Parsed::Swallowed { len, .. } => {
                assert!(!is_wanted && len <= end - at);
                at += len;
            }
        }
    }
}

/// Looks at all parts of a request; gives what it is and how much data came with it.
fn look(request: &Request) -> (String, usize) {
    let mut room = [0; KEY_ROOM];
    let key = match request {
        Request::Get(get) => {
            assert!(get.keys.clone().all(|key| (1..=KEY_MAX).contains(&key.len())));
            get.keys.clone().next().unwrap_or_default().to_vec()
        }
        Request::Store(store) => store.key.to_vec(),
        Request::Meta(meta) => match meta.options() {
            Ok(options) => {
                let flags = options.flags().count();
                assert!(flags < 20);
                meta.key(&options, &mut room).to_vec()
            }
            Err(error) => error.to_string().into_bytes(),
        },
        Request::Binary(frame) => frame.key.to_vec(),
        Request::Delete { key, .. } | Request::Touch { key, .. } | Request::Arithmetic { key, .. } => {
            key.to_vec()
        }
        Request::Admin(_, words) => words.clone().next().unwrap_or_default().to_vec(),
        other => format!("{other:?}").into_bytes(),
    };
    let data = match request.block() {
        // What is bad is as long as it was said to be when it comes in pieces.
        Some(Block::Bad) => request.block_len().unwrap_or(0) as usize,
        Some(Block::Whole(data)) => data.len(),
        _ => 0,
    };
    (format!("{:?} {}", std::mem::discriminant(request), key.escape_ascii()), data)
}
