//! Random requests in memcached's protocols, to be sent to two servers that are to agree, and what of their answers can
//! agree.

use crate::rng::Rng;
use crate::sequences::Command;
use crate::template::{Vocabulary, fill};

/// Requests of a sequence, which begins without items.
pub const SEQUENCE: usize = 100;
/// Stands in a request for what an item must be, as the server has told last.
pub const CAS: &[u8] = b"@CAS";
/// The same in a frame: eight bytes.
const CAS_FRAME: [u8; 8] = *b"=cascas=";
/// Asks for an answer that nothing else is answered with, so that it is known what came before.
pub const END_OF_TEXT: (&[u8], &[u8]) = (b"mn\r\n", b"MN\r\n");
/// The opaque of the same as a frame.
const END_OPAQUE: &[u8; 4] = b"-EOA";

/// What requests are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The text protocol, meta commands included.
    Text,
    /// The binary protocol.
    Binary,
}

/// Lines without data. A blank that is to be part of a word is a `~`.
const LINES: &[&str] = &[
    "{get|gets} $k",
    // Without keys that are too long: memcached counts those before them, of which it tells nothing.
    "{get|gets} ($K)*",
    "{gat|gats} $e ($K)*",
    "gat $e",
    "delete $k [noreply]",
    "delete $k {0|1|x} [noreply]",
    "{incr|decr} $n $d [noreply]",
    "{incr|decr} $k $d",
    "touch $k $e [noreply]",
    "mg $k $G",
    "mg $k v f c t k",
    "mg $k v $G",
    "mg $B b $G",
    "md $k $D",
    "md $k I [T20000] [q]",
    "mg $k s t v",
    "md $B b $D",
    "ma $n $A",
    "ma $k $A",
    "ma $B b $A",
    "me $k [x]",
    "me $B b",
    "flush_all",
    // With a delay, what was flushed before comes back unless memcached has met it.
    "flush_all {-1|0|x|noreply} [noreply]",
    "verbosity [0] [noreply]",
    "version",
    "{get|gets|set|cas|incr|mg|ms|md|ma|me|mx|foo|GET|touch|delete|cache_memlimit|slabs|lru}",
    "{set|add|cas|mg} $k {0|x} 0 -1 {x|noreply}",
    "ms $k {x|-1|2147483646} [q]",
    "{set|add} $k {0|x|-1} x x",
    "incr $n",
    "touch $k",
    "cache_memlimit {1024|7|x}",
    "shutdown",
    "stats {nosuch|detail}",
    "$k",
    "quit",
    "GET / HTTP/1.1",
];

/// Lines that have data.
const STORES: &[&str] = &[
    "{set|add|replace|append|prepend} $k $f $e $# [noreply]",
    "{set|add|replace|append|prepend} $k $f $e $#",
    "set $k $f $e $#",
    "set $n $f $e $#",
    "cas $k $f $e $# $c [noreply]",
    "cas $k $f $e $# $c",
    "ms $k $# $S",
    "ms $k $# $S",
    "ms $B $# b $S",
    // The number of no item is as small: the value comes too late.
    "ms $k $# I C1 [T20000] [F5] [c]",
];

/// The words of requests: few enough that they meet the same items.
struct Words {
    /// The data that a line announces, if it does.
    data: Vec<u8>,
}

/// Some flags, parted by blanks.
fn flags(rng: &mut Rng, of: &[&str]) -> Vec<u8> {
    let mut flags: Vec<String> = Vec::new();
    for _ in 0..rng.below(5) {
        let flag = *rng.pick(of);
        // The same flag twice is an error that would hide all others.
        if !flags.iter().any(|other| other.starts_with(&flag[..1])) || rng.one_in(60) {
            flags.push(flag.to_owned());
        }
    }
    flags.join(" ").into_bytes()
}

impl Vocabulary for Words {
    fn word(&self, letter: char, rng: &mut Rng) -> Vec<u8> {
        let one = |rng: &mut Rng, words: &[&str]| rng.pick(words).as_bytes().to_vec();
        match letter {
            'k' => match rng.below(40) {
                0 => vec![b'k'; 250],
                1 => vec![b'k'; 251],
                2 => b"\x01\xFFx\ty".to_vec(),
                _ => one(rng, &["a", "b", "c"]),
            },
            'K' => one(rng, &["a", "b", "c", "n", "nosuch"]),
            'n' => one(rng, &["n", "m"]),
            'B' => one(rng, &["YQ==", "Yg==", "bg==", "YSBi", "AAECAwQ=", "YQ", "!!", "YWI=YWI=", "Y=WI"]),
            'f' => one(
                rng,
                &[
                    "0",
                    "0",
                    "5",
                    "123",
                    "4294967295",
                    "4294967296",
                    "-1",
                    "x",
                    "+7",
                    "7\t",
                    "0x10",
                    "18446744073709551615",
                    "18446744073709551616",
                ],
            ),
            'e' => one(
                rng,
                &["0", "0", "0", "10000", "20000", "2592000", "4102444800", "-1", "4294967296", "x", "1.5"],
            ),
            'd' => one(
                rng,
                &["1", "7", "100", "0", "1099511627776", "18446744073709551616", "-1", "x", "5\tx", "+3"],
            ),
            'c' => one(rng, &["@CAS", "@CAS", "1", "0", "x", "-1"]),
            '#' => self.data.len().to_string().into_bytes(),
            'G' => flags(
                rng,
                &[
                    "v", "k", "f", "s", "t", "c", "h", "l", "O1", "Oab~c", "N10000", "N0", "Nx", "R20000",
                    "R1", "T10000", "T-1", "q", "u", "x", "b",
                ],
            ),
            'S' => flags(
                rng,
                &[
                    "T10000",
                    "T0",
                    "T-1",
                    "Tx",
                    "F5",
                    "F4294967296",
                    "Fx",
                    "C@CAS",
                    "C1",
                    "Cx",
                    "I",
                    "ME",
                    "MA",
                    "MP",
                    "MR",
                    "MS",
                    "MZ",
                    "Mset",
                    "k",
                    "O7",
                    "q",
                    "c",
                    "b",
                    "v",
                    "x",
                ],
            ),
            'D' => flags(rng, &["C@CAS", "C1", "Cx", "I", "T10000", "Tx", "q", "k", "O7", "x", "v"]),
            'A' => flags(
                rng,
                &[
                    "N0",
                    "N10000",
                    "Nx",
                    "J13",
                    "Jx",
                    "D5",
                    "D1099511627776",
                    "Dx",
                    "MI",
                    "MD",
                    "M+",
                    "M-",
                    "MZ",
                    "T10000",
                    "C@CAS",
                    "C1",
                    "v",
                    "t",
                    "c",
                    "q",
                    "k",
                    "O7",
                    "b",
                    "x",
                ],
            ),
            other => panic!("a template has ${other}"),
        }
    }
}

/// Data, which has nothing in it that could be taken for the end of an answer.
fn data(rng: &mut Rng) -> Vec<u8> {
    match rng.below(14) {
        0 => Vec::new(),
        // Where it is not taken for data, it is a line: a longer one would end the connection if it came in pieces.
        1 => vec![b'x'; 100 + rng.below(1900)],
        // Lines, for the same reason, of a value that a node does not copy for replies.
        2 => [&[b'x'; 1000][..], b"\r\n"].concat().repeat(14 + rng.below(8)),
        3 => b"a\r\nget a\r\n\0\xFF".to_vec(),
        // Not above: whether memcached takes a larger one for a number depends on what happens to lie behind it.
        4 => b"1000000000000000000".to_vec(),
        5 => b"12 ".to_vec(),
        6..=9 => rng.below(200).to_string().into_bytes(),
        _ => rng.pick(&["hello", "x", "yy", "1e5", "-5", "007"]).as_bytes().to_vec(),
    }
}

/// A random sequence.
pub fn sequence(rng: &mut Rng, kind: Kind) -> Vec<Command> {
    (0..SEQUENCE).map(|_| if kind == Kind::Text { text(rng) } else { vec![frame(rng)] }).collect()
}

/// A line, and its data.
fn text(rng: &mut Rng) -> Command {
    let data = data(rng);
    let stores = rng.one_in(2);
    let templates = if stores { STORES } else { LINES };
    // What ends a connection is rarer than other things are.
    let template = loop {
        let template = rng.pick(templates);
        if !matches!(*template, "quit" | "GET / HTTP/1.1") || rng.one_in(6) {
            break template;
        }
    };
    let words = Words { data };
    let mut line = fill(template, &words, rng).join(&b' ');
    // Which of the numbers of two items is the larger is the server's own.
    if line.windows(CAS.len()).any(|part| part == CAS) {
        let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').filter(|word| *word != b"I").collect();
        line = words.join(&b' ');
    }
    line.iter_mut().filter(|byte| **byte == b'~').for_each(|byte| *byte = b'_');
    line.extend_from_slice(if rng.one_in(20) { b"\n" } else { b"\r\n" });
    let mut command = vec![line];
    if stores {
        let mut data = words.data;
        if rng.one_in(15) {
            // More than was announced.
            data.push(b'z');
        }
        data.extend_from_slice(b"\r\n");
        command.push(data);
    }
    command
}

/// A frame.
fn frame(rng: &mut Rng) -> Vec<u8> {
    let key: &[u8] = match rng.below(60) {
        0 => &[b'k'; 250],
        1 => &[b'k'; 251],
        2 => b"",
        _ => rng.pick(&["a", "b", "c", "n", "a b"]).as_bytes(),
    };
    let exptime = *rng.pick(&[0u32, 0, 10_000, 2_592_000, 4_102_444_800, u32::MAX]);
    let number = |rng: &mut Rng| *rng.pick(&[0u64, 1, 5, 100, 1 << 40]);
    let mut cas = match rng.below(6) {
        0 => CAS_FRAME,
        1 => 1u64.to_be_bytes(),
        _ => [0; 8],
    };
    let quiet = rng.one_in(3);
    let (code, extras, key, value): (u8, Vec<u8>, &[u8], Vec<u8>) = match rng.below(24) {
        0..=5 => {
            let code = *rng.pick(&[0x01, 0x01, 0x01, 0x02, 0x03]);
            let flags = rng.below(10) as u32;
            let extras = [flags.to_be_bytes(), exptime.to_be_bytes()].concat();
            (if quiet { code + 0x10 } else { code }, extras, key, data(rng))
        }
        6..=8 => (*rng.pick(&[0x00, 0x09, 0x0C, 0x0D]), vec![], key, vec![]),
        9 | 10 => (*rng.pick(&[0x1D, 0x1E, 0x23, 0x24]), exptime.to_be_bytes().to_vec(), key, vec![]),
        11 => (0x1C, exptime.to_be_bytes().to_vec(), key, vec![]),
        12 | 13 => (if quiet { 0x14 } else { 0x04 }, vec![], key, vec![]),
        14..=16 => {
            let code = *rng.pick(&[0x05, 0x06]);
            let mut extras = [number(rng).to_be_bytes(), number(rng).to_be_bytes()].concat();
            extras.extend_from_slice(&exptime.to_be_bytes());
            (if quiet { code + 0x10 } else { code }, extras, if rng.one_in(3) { key } else { b"n" }, vec![])
        }
        17 | 18 => {
            let code = *rng.pick(&[0x0E, 0x0F]);
            (if quiet { code + 0x0B } else { code }, vec![], key, data(rng))
        }
        19 => {
            let extras = if rng.one_in(2) { vec![0; 4] } else { vec![] };
            (if quiet { 0x18 } else { 0x08 }, extras, b"", vec![])
        }
        20 => (*rng.pick(&[0x0A, 0x0B]), vec![], b"", vec![]),
        // A key behind what there is not would have more swallowed by memcached than was sent.
        21 => (*rng.pick(&[0x1B, 0x20, 0x60, 0xFF]), vec![], b"", vec![]),
        22 => (0x10, vec![], b"nosuch", vec![]),
        // Parts that need not belong together, or the end.
        _ if rng.one_in(3) => {
            let extras = vec![0; *rng.pick(&[0, 4, 8, 20])];
            (rng.below(0x1B) as u8, extras, key, vec![])
        }
        _ => {
            cas = [0; 8];
            (*rng.pick(&[0x07, 0x17, 0x0A, 0x0A]), vec![], b"", vec![])
        }
    };
    encode(code, cas, *b"OPAQ", &extras, key, &value)
}

/// A frame with these parts.
pub fn encode(code: u8, cas: [u8; 8], opaque: [u8; 4], extras: &[u8], key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80, code];
    bytes.extend_from_slice(&(key.len() as u16).to_be_bytes());
    bytes.extend_from_slice(&[extras.len() as u8, 0, 0, 0]);
    bytes.extend_from_slice(&((extras.len() + key.len() + value.len()) as u32).to_be_bytes());
    bytes.extend_from_slice(&opaque);
    bytes.extend_from_slice(&cas);
    bytes.extend_from_slice(&[extras, key, value].concat());
    bytes
}

/// The request behind whose answer nothing else comes.
pub fn end_request(kind: Kind) -> Vec<u8> {
    match kind {
        Kind::Text => END_OF_TEXT.0.to_vec(),
        Kind::Binary => encode(0x0A, [0; 8], *END_OPAQUE, &[], &[], &[]),
    }
}

/// Whether an answer is followed by that to [`end_request`].
pub fn is_whole(kind: Kind, heard: &[u8]) -> bool {
    match kind {
        Kind::Text => heard.ends_with(END_OF_TEXT.1),
        Kind::Binary => {
            heard.len() >= 24 && {
                let last = &heard[heard.len() - 24..];
                last[..2] == [0x81, 0x0A] && last[12..16] == *END_OPAQUE
            }
        }
    }
}

/// The bytes of a request, with what an item must be in its place.
pub fn bytes(command: &Command, cas: u64) -> Vec<u8> {
    let mut bytes = command.concat();
    let text = cas.to_string().into_bytes();
    for (mark, value) in [(CAS, &text[..]), (&CAS_FRAME[..], &cas.to_be_bytes()[..])] {
        while let Some(at) = bytes.windows(mark.len()).position(|part| part == mark) {
            bytes.splice(at..at + mark.len(), value.iter().copied());
        }
    }
    bytes
}

/// What differs between two servers that agree, made the same: the numbers that items must have for a change to take
/// place are counted as they come, times are rounded, and what `me` tells of ages and sizes is left out.
#[derive(Debug, Default)]
pub struct Comparable {
    seen: Vec<u64>,
    /// The number that was told last.
    pub last_cas: u64,
}

impl Comparable {
    /// What can be compared of an answer.
    pub fn of(&mut self, kind: Kind, heard: &[u8]) -> Vec<u8> {
        match kind {
            Kind::Text => self.text(heard),
            Kind::Binary => self.frames(heard),
        }
    }

    fn cas(&mut self, cas: u64) -> usize {
        self.last_cas = cas;
        self.seen.iter().position(|&seen| seen == cas).unwrap_or_else(|| {
            self.seen.push(cas);
            self.seen.len() - 1
        })
    }

    fn text(&mut self, heard: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = heard;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, behind) = rest.split_at(end + 1);
            rest = behind;
            let text = String::from_utf8_lossy(line);
            // A key may have white space in it, but no blank.
            let words: Vec<&str> = text.trim_end().split(' ').collect();
            let data = match words[..] {
                ["VALUE", _, _, len] => len.parse().ok(),
                ["VALUE", key, flags, len, cas] => {
                    let number = cas.parse().map_or(usize::MAX, |cas| self.cas(cas));
                    out.extend_from_slice(format!("VALUE {key} {flags} {len} cas{number}\r\n").as_bytes());
                    let data: usize = len.parse().expect("a length is a number");
                    out.extend_from_slice(&rest[..data + 2]);
                    rest = &rest[data + 2..];
                    continue;
                }
                ["VA", len, ..] => len.parse().ok(),
                _ => None,
            };
            match words[..] {
                ["VA" | "HD" | "EN" | "NF" | "NS" | "EX", ..] => {
                    let words: Vec<String> = words.iter().map(|word| self.flag(word)).collect();
                    out.extend_from_slice(words.join(" ").as_bytes());
                    out.extend_from_slice(b"\r\n");
                }
                ["ME", key, ..] => out.extend_from_slice(format!("ME {key}\r\n").as_bytes()),
                _ => out.extend_from_slice(line),
            }
            if let Some(data) = data {
                let data: usize = data;
                out.extend_from_slice(&rest[..data + 2]);
                rest = &rest[data + 2..];
            }
        }
        out.extend_from_slice(rest);
        out
    }

    /// A word of a meta answer.
    fn flag(&mut self, word: &str) -> String {
        let (letter, value) = word.split_at(usize::from(!word.is_empty()));
        match (letter, value.parse::<i64>()) {
            ("c", Ok(cas)) => format!("cas{}", self.cas(cas as u64)),
            // Seconds may have passed.
            ("t", Ok(left)) if left > 0 => format!("t{}", (left + 500) / 1000 * 1000),
            ("l", Ok(_)) => "l".to_owned(),
            _ => word.to_owned(),
        }
    }

    fn frames(&mut self, heard: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = heard;
        while let Some(header) = rest.first_chunk::<24>() {
            let body = u32::from_be_bytes([header[8], header[9], header[10], header[11]]) as usize;
            let cas = u64::from_be_bytes(header[16..].try_into().expect("these are eight bytes"));
            out.extend_from_slice(&header[..16]);
            if cas != 0 {
                out.extend_from_slice(format!("cas{}", self.cas(cas)).as_bytes());
            }
            let end = (24 + body).min(rest.len());
            out.extend_from_slice(&rest[24..end]);
            out.push(b'\n');
            rest = &rest[end..];
        }
        out.extend_from_slice(rest);
        out
    }
}

/// Requests, of a client that speaks text, that leave no trace of sequences that went before: an item that was flushed or
/// has expired is still counted when it is met. Each is answered with a line.
pub fn forget() -> Vec<Vec<u8>> {
    let long = "k".repeat(250);
    let keys = ["a", "b", "c", "n", "m", &long, "\x01\u{FF}x\ty"].map(|key| format!("md {key}\r\n"));
    let encoded = ["YSBi", "AAECAwQ=", "YWI=", "YAU="].map(|key| format!("md {key} b\r\n"));
    let fixed = ["flush_all\r\n", "stats reset\r\n"].map(str::to_owned);
    // A character is a byte.
    let bytes = |line: &String| line.chars().map(|char| char as u8).collect();
    keys.iter().chain(&encoded).chain(&fixed).map(bytes).collect()
}

/// The counters of `stats` that two servers agree on which have answered the same requests.
pub const COUNTERS: &[&str] = &[
    "cmd_get",
    "cmd_set",
    "cmd_touch",
    "cmd_meta",
    "get_hits",
    "get_misses",
    "delete_misses",
    "delete_hits",
    "incr_misses",
    "incr_hits",
    "decr_misses",
    "decr_hits",
    "cas_misses",
    "cas_hits",
    "cas_badval",
    "touch_hits",
    "touch_misses",
    "store_too_large",
];

/// These counters in a report of `stats`.
pub fn counters(report: &[u8]) -> Vec<String> {
    let report = String::from_utf8_lossy(report);
    let is_counter = |line: &&str| line.split(' ').nth(1).is_some_and(|name| COUNTERS.contains(&name));
    report.lines().filter(is_counter).map(str::to_owned).collect()
}
