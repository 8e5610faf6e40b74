//! Large values that come in pieces, to where their items will have them: what is answered and kept does not depend on where
//! the pieces end.

use bytes::BufMut;
use memcache_wire::Reply;
use memcache_wire::binary::opcode;
use memcached::{Access, Next, Node, Policy, Session, Settings};
use proptest::prelude::*;
use world::{NOW_MS, frame, node, node_with, say, set};

mod world;

/// How bytes reach a session.
#[derive(Clone, Copy, Debug)]
struct Piece {
    len: usize,
    /// Whether they are put where the session has room for them, rather than kept by the caller.
    is_put: bool,
}

/// A connection as the server has it: what is not done with stays.
struct Connection<'n> {
    node: &'n Node,
    session: Session,
    input: Vec<u8>,
    heard: Vec<u8>,
    /// What is kept of its requests, as the node knows.
    kept: usize,
    /// When it is, in ms since the beginning.
    after_ms: i64,
}

impl Connection<'_> {
    fn new(node: &Node) -> Connection<'_> {
        let session = Session::new(node);
        Connection { node, session, input: Vec::new(), heard: Vec::new(), kept: 0, after_ms: 0 }
    }

    /// Gives as much of these bytes as this piece has; how many that were.
    fn give(&mut self, bytes: &[u8], piece: Piece) -> usize {
        let len = piece.len.min(bytes.len());
        let put = match self.session.room_for(len) {
            Some(draft) if piece.is_put && self.input.is_empty() => {
                let len = len.min(draft.remaining_mut());
                draft.put_slice(&bytes[..len]);
                self.session.took(len);
                Some(len)
            }
            _ => None,
        };
        if put.is_none() {
            self.input.extend_from_slice(&bytes[..len]);
        }
        self.run();
        put.unwrap_or(len)
    }

    fn run(&mut self) {
        loop {
            let mut reply = Reply::new();
            let now = self.node.clock.at(NOW_MS + self.after_ms);
            let (taken, next) = self.session.run(self.node, &self.input, now, &mut reply);
            self.input.drain(..taken);
            self.heard.extend_from_slice(&reply.to_vec());
            let bytes = self.session.kept_bytes();
            if !self.node.keep(self.kept, bytes, now) {
                let mut reply = Reply::new();
                let (taken, _) = self.session.give_up(self.node, &self.input, now, &mut reply);
                self.input.drain(..taken);
                self.heard.extend_from_slice(&reply.to_vec());
                assert!(self.node.keep(self.kept, self.session.kept_bytes(), now));
            }
            self.kept = self.session.kept_bytes();
            if next != Next::Flush {
                assert_eq!(next, Next::Read);
                return;
            }
        }
    }

    fn give_all(&mut self, bytes: &[u8], pieces: &[Piece]) {
        let mut rest = bytes;
        for &piece in pieces.iter().cycle() {
            rest = &rest[self.give(rest, piece)..];
            if rest.is_empty() {
                return;
            }
        }
    }
}

const WHOLE: Piece = Piece { len: usize::MAX, is_put: false };

/// Requests with values of about this length.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let lines = prop_oneof![
        Just("set K 7 0 N"),
        Just("set K 0 100 N"),
        Just("set K 0 -1 N"),
        Just("set K 0 0 N noreply"),
        Just("add K 0 0 N"),
        Just("replace K 3 0 N"),
        Just("append K 0 0 N"),
        Just("prepend K 0 0 N"),
        Just("cas K 0 0 N 3"),
        Just("cas K 1 50 N 999"),
        Just("ms K N c"),
        Just("ms K N F5 T30 k Oxy"),
        Just("ms K N ME"),
        Just("ms K N MA"),
        Just("ms K N MR q"),
        Just("ms K N C3 I"),
        Just("ms K N C2 I T9"),
        Just("ms YWJj N b k"),
        Just("ms K N MZ"),
    ];
    let len = prop_oneof![Just(16_383_usize), Just(16_384), 16_000..17_000_usize, 10..90_000_usize];
    let text = (lines, "[abc]", len.clone(), prop::sample::select(&["\r\n", "\r\n", "xx", "\n\r\n"][..]))
        .prop_map(|(line, key, len, end)| {
            let mut bytes = line.replace('K', &key).replace('N', &len.to_string()).into_bytes();
            bytes.extend_from_slice(b"\r\n");
            bytes.extend((0..len).map(|at| b'a' + (at / 11 % 23) as u8));
            bytes.extend_from_slice(end.as_bytes());
            bytes
        });
    let short = prop_oneof![
        Just("get a b c\r\n"),
        Just("gets abc\r\n"),
        Just("mg a s t f k c\r\n"),
        Just("delete b\r\n"),
        Just("flush_all\r\n"),
        Just("touch c 100\r\n"),
        Just("md a I\r\n"),
        Just("foo\r\n"),
    ];
    prop_oneof![3 => text, 2 => short.prop_map(|line| line.as_bytes().to_vec())]
}

fn binary() -> impl Strategy<Value = Vec<u8>> {
    const CODES: [u8; 6] =
        [opcode::SET, opcode::ADD, opcode::REPLACE, opcode::APPEND, opcode::SETQ, opcode::GET];
    let len = prop_oneof![Just(16_384_usize), 16_000..17_000_usize, 10..90_000_usize];
    (prop::sample::select(&CODES[..]), "[abc]", len, prop::sample::select(&[0_u64, 0, 2][..])).prop_map(
        |(code, key, len, cas)| {
            let value: Vec<u8> = (0..len).map(|at| (at / 13) as u8).collect();
            match code {
                opcode::GET => frame(code, &[], &key, b"", 0),
                opcode::APPEND => frame(code, &[], &key, &value, cas),
                _ => frame(code, &[0, 0, 0, 9, 0, 0, 0, 0], &key, &value, cas),
            }
        },
    )
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece = (prop_oneof![1..10_usize, 1..20_000_usize, 1..100_000_usize], any::<bool>());
    prop::collection::vec(piece.prop_map(|(len, is_put)| Piece { len, is_put }), 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn where_pieces_end_changes_nothing(
        requests in prop_oneof![
            prop::collection::vec(request(), 1..8),
            prop::collection::vec(binary(), 1..8),
        ],
        pieces in pieces(),
        item_bytes in prop::sample::select(&[1_usize << 20, 50_000][..]),
    ) {
        let settings = || Settings { item_bytes: item_bytes.into(), ..Settings::default() };
        let (whole, cut) = (node_with(settings(), Access::default()), node_with(settings(), Access::default()));
        let bytes = requests.concat();
        let (mut once, mut often) = (Connection::new(&whole), Connection::new(&cut));
        once.give_all(&bytes, &[WHOLE]);
        often.give_all(&bytes, &pieces);
        prop_assert!(often.heard == once.heard);
        prop_assert_eq!(&often.input, &once.input);
        prop_assert!(often.session.is_mid_request() == once.session.is_mid_request());
        for request in ["gets a b c abc\r\n", "me a\r\n", "stats slabs\r\n", "stats items\r\n", "stats\r\n"] {
            let [cut, whole] = [&cut, &whole].map(|node| {
                let mut connection = Connection::new(node);
                connection.give_all(request.as_bytes(), &[WHOLE]);
                connection.heard
            });
            prop_assert!(cut == whole, "{request}");
        }
        cut.forget_kept(often.kept);
        whole.forget_kept(once.kept);
        prop_assert_eq!(cut.used_bytes(), whole.used_bytes());
        cut.check_invariants();
    }
}

/// Values that took a while to come.
#[test]
fn an_item_expires_so_long_after_it_was_there() {
    let node = node();
    let value = vec![b'v'; 50_000];
    let slowly = |connection: &mut Connection, line: &str| {
        connection.give_all(format!("{line}\r\n").as_bytes(), &[WHOLE]);
        connection.give_all(&value[..40_000], &[put(9_000)]);
        connection.after_ms += 5_000;
        connection.give_all(&[&value[40_000..], b"\r\n"].concat(), &[put(9_000)]);
        connection.give_all(b"mg a t\r\n", &[WHOLE]);
        String::from_utf8(std::mem::take(&mut connection.heard)).unwrap()
    };
    let mut connection = Connection::new(&node);
    assert_eq!(slowly(&mut connection, "set a 7 100 50000"), "STORED\r\nHD t100\r\n");
    assert_eq!(slowly(&mut connection, "ms a 50000 T20"), "HD\r\nHD t20\r\n");
    // One that comes too late does not say when the item expires.
    assert_eq!(slowly(&mut connection, "ms a 50000 C1 I"), "HD\r\nHD t15 X W\r\n");
    assert_eq!(slowly(&mut connection, "set a 0 0 50000"), "STORED\r\nHD t-1\r\n");
    assert_eq!(slowly(&mut connection, "ms a 50000 C1 I T50"), "HD\r\nHD t-1 X W\r\n");
    node.check_invariants();
}

/// A piece of so many bytes that is put where there is room.
fn put(len: usize) -> Piece {
    Piece { len, is_put: true }
}

#[test]
fn what_is_announced_is_counted_as_it_comes() {
    let node = node();
    let mut connection = Connection::new(&node);
    connection.give_all(b"set a 0 0 1000000\r\n", &[put(100)]);
    assert!(node.used_bytes() < 1_000, "{} bytes", node.used_bytes());
    let value = vec![b'v'; 1_000_000];
    connection.give(&value, put(10_000));
    assert!((10_000..100_000).contains(&node.used_bytes()), "{} bytes", node.used_bytes());
    connection.give_all(&value[10_000..], &[put(70_000)]);
    assert_eq!(node.items(), 0);
    connection.give_all(b"\r\n", &[put(2)]);
    assert_eq!((&connection.heard[..], node.items()), (&b"STORED\r\n"[..], 1));
    assert!(node.used_bytes() < 1_100_000, "it is counted once: {} bytes", node.used_bytes());
    // A connection that ends takes what it has with it.
    connection.heard.clear();
    connection.give_all(b"set a 0 0 1000000\r\nabc", &[put(100)]);
    node.forget_kept(connection.kept);
    drop(connection);
    assert!(node.used_bytes() < 1_100_000 && say(&node, b"mg a s\r\n") == "HD s1000000\r\n");
}

#[test]
fn a_value_that_there_is_no_memory_for_is_passed_over() {
    let settings =
        Settings { memory_bytes: (4 << 20).into(), policy: Policy::NoEviction.into(), ..Settings::default() };
    let node = node_with(settings, Access::default());
    let value = vec![b'v'; 1_000_000];
    let request = |key: &str| [format!("set {key} 0 0 1000000\r\n").as_bytes(), &value, b"\r\n"].concat();
    for key in ["a", "b", "c", "d"] {
        assert_eq!(set(&node, key, 1_000_000), "STORED\r\n");
    }
    let mut connection = Connection::new(&node);
    let requests = [request("e"), request("a"), b"get nosuch\r\n".to_vec()].concat();
    connection.give_all(&requests, &[put(30_000)]);
    let answer = "SERVER_ERROR out of memory storing object";
    assert_eq!(
        String::from_utf8_lossy(&connection.heard),
        format!("{answer}\r\n{answer}\r\nEND\r\n"),
        "and the connection goes on"
    );
    assert_eq!((connection.kept, node.items()), (0, 3), "what was to be replaced is gone");
    assert_eq!(node.counts().store_no_memory, 2);
    connection.heard.clear();
    connection.give_all(&request("e"), &[put(30_000)]);
    assert_eq!(connection.heard, b"STORED\r\n", "there is room again");
    node.check_invariants();
}

#[test]
fn a_value_waits_for_a_shard_that_somebody_holds() {
    let node = node();
    say(&node, b"set a 0 0 1\r\nx\r\n");
    let mut connection = Connection::new(&node);
    let request = [&b"set a 5 0 100000\r\n"[..], &[b'v'; 100_000]].concat();
    connection.give_all(&request, &[put(30_000)]);
    let (now, mut reply) = (node.clock.at(NOW_MS), Reply::new());
    let mut run = |input: &[u8]| {
        let (taken, next) = connection.session.run(&node, input, now, &mut reply);
        (taken, next, connection.session.kept_bytes())
    };
    let mut waits = 0;
    // Whoever walks over items holds their shard.
    node.walk((0, 0), now, |item| {
        assert_eq!(item.value, b"x");
        let (taken, next, kept_bytes) = run(b"\r\nmg a s f\r\n");
        assert!(taken == 2 && matches!(next, Next::Contended(_)), "{taken}, {next:?}");
        assert!(kept_bytes > 100_000, "it is counted while it waits: {kept_bytes}");
        waits += 1;
    })
    .expect("nobody else is there");
    assert_eq!((waits, run(b"mg a s f\r\n")), (1, (10, Next::Read, 0)));
    assert_eq!(reply.to_vec(), b"STORED\r\nHD s100000 f5\r\n");
}
