//! Commands about the server itself, sent to a Memcached node and a real memcached: right or wrong, both answer alike.

use testkit::memcached_sequences::END_OF_TEXT;
use testkit::{Memcached, Wire, until};

/// What a server answers to a line; nothing if it says nothing.
fn answer(wire: &mut Wire, line: &str) -> String {
    let bytes = [line.as_bytes(), b"\r\n", END_OF_TEXT.0].concat();
    let heard = wire.ask(&bytes, END_OF_TEXT.1);
    let heard = heard.strip_suffix(END_OF_TEXT.1).expect("it ends so");
    heard.escape_ascii().to_string()
}

/// Whoever walks over memcached's items may still do so for somebody else.
fn is_busy(answer: &str) -> bool {
    answer.starts_with("BUSY")
}

/// Lines, each for one command: its forms, right ones and wrong ones.
static LINES: &[&[&str]] = &[
    &["verbosity", "verbosity 0", "verbosity 7", "verbosity -1", "verbosity x", "verbosity 1 2"],
    &["verbosity 1 2 3", "verbosity 1 noreply", "verbosity noreply", "verbosity 4294967296"],
    &["verbosity 99999999999999999999", "verbosity x y", "verbosity noreply noreply", "verbosity 0"],
    &["lru", "lru x", "lru noreply", "lru tune", "lru tune 10", "lru tune 10 20", "lru tune 10 20 0.1"],
    &["lru tune 10 20 0.1 2", "lru tune 10 20 0.1 2.0 5", "lru tune 60 20 0.1 2", "lru tune 41 40 0.1 2"],
    &["lru tune 10 20 0 2", "lru tune 10 20 -1 2", "lru tune 10 20 x 2", "lru tune 10 20 0.1 0"],
    &["lru tune 10 20 0.1 x", "lru tune x 20 0.1 2", "lru tune 10 x 0.1 2", "lru tune -1 20 0.1 2"],
    &[
        "lru tune 4294967295 1 0.1 2",
        "lru tune 40 40 inf nan",
        "lru tune 40 40 1e999 2",
        "lru tune 1 1 .5 2.",
    ],
    &[
        "lru tune 10 20 0.1 2 noreply",
        "lru tune x 20 0.1 2 noreply",
        "lru tune 81 0 x 2",
        "lru tune 81 0 0 0",
    ],
    &[
        "lru mode",
        "lru mode x",
        "lru mode flat",
        "lru mode segmented",
        "lru mode flat x",
        "lru mode x noreply",
    ],
    &["lru temp_ttl", "lru temp_ttl 0", "lru temp_ttl x", "lru temp_ttl 60 x", "lru temp_ttl 99999999999"],
    &["lru temp_ttl -1", "lru temp_ttl noreply", "lru temp_ttl 99999999999999999999"],
    &["slabs", "slabs x", "slabs noreply", "slabs reassign", "slabs reassign 1", "slabs reassign 1 2"],
    &["slabs reassign 1 1", "slabs reassign 0 1", "slabs reassign 1 0", "slabs reassign 99 1"],
    &["slabs reassign 99 99", "slabs reassign -1 1", "slabs reassign 1 -1", "slabs reassign x 1"],
    &["slabs reassign 1 x", "slabs reassign 1 2 3", "slabs reassign 1 2 noreply", "slabs reassign 1 noreply"],
    &["slabs reassign 4294967297 1", "slabs automove", "slabs automove 0", "slabs automove 2"],
    &["slabs automove 3", "slabs automove x", "slabs automove -1", "slabs automove 4294967296"],
    &[
        "slabs automove ratio",
        "slabs automove ratio 0.5",
        "slabs automove ratio x",
        "slabs automove ratio 0.5 x",
    ],
    &["slabs automove 0 x", "slabs automove x noreply", "slabs automove noreply", "slabs automove 1"],
    &["lru_crawler", "lru_crawler x", "lru_crawler noreply", "lru_crawler enable", "lru_crawler enable x"],
    &["lru_crawler sleep", "lru_crawler sleep x", "lru_crawler sleep 0", "lru_crawler sleep 1000001"],
    &["lru_crawler sleep -1", "lru_crawler sleep 4294967296", "lru_crawler sleep 1 noreply"],
    &[
        "lru_crawler tocrawl",
        "lru_crawler tocrawl x",
        "lru_crawler tocrawl 5 6",
        "lru_crawler tocrawl noreply",
    ],
    &["lru_crawler tocrawl 0", "lru_crawler tocrawl -1", "lru_crawler tocrawl 4294967296"],
    &["lru_crawler crawl", "lru_crawler crawl all", "lru_crawler crawl 1", "lru_crawler crawl 1,2"],
    &["lru_crawler crawl 0", "lru_crawler crawl 64", "lru_crawler crawl x", "lru_crawler crawl 1,x"],
    &["lru_crawler crawl hash", "lru_crawler crawl all x", "lru_crawler crawl noreply"],
    &["lru_crawler disable x", "lru_crawler disable", "lru_crawler disable", "lru_crawler crawl all"],
    &["lru_crawler metadump all", "lru_crawler metadump x", "lru_crawler metadump x y"],
    &["lru_crawler crawl x", "lru_crawler enable", "lru_crawler enable"],
    &["lru_crawler metadump", "lru_crawler metadump 0", "lru_crawler metadump 64", "lru_crawler metadump x"],
    &["lru_crawler metadump 1,x", "lru_crawler metadump ALL", "lru_crawler metadump hash,"],
    &["lru_crawler metadump all x", "lru_crawler metadump noreply", "lru_crawler metadump -1"],
    &["lru_crawler mgdump", "lru_crawler mgdump all", "lru_crawler mgdump hash", "lru_crawler mgdump x"],
    &["stats cachedump", "stats cachedump 1", "stats cachedump 1 2", "stats cachedump 1 2 3"],
    &["stats cachedump x 2", "stats cachedump 1 x", "stats cachedump 0 0", "stats cachedump 63 0"],
    &["stats cachedump 64 0", "stats cachedump 300 0", "stats cachedump -1 0", "stats cachedump 1 -1"],
    &["stats cachedump 4294967296 0", "stats cachedump +1 0", "stats cachedump 99999999999999999999 1"],
    &["cache_memlimit", "cache_memlimit x", "cache_memlimit 0", "cache_memlimit 7", "cache_memlimit 8"],
    &["cache_memlimit -1", "cache_memlimit 64 noreply", "cache_memlimit 64 x", "cache_memlimit 64 x y"],
    &[
        "cache_memlimit 1000000001",
        "cache_memlimit 4294967295",
        "cache_memlimit noreply",
        "cache_memlimit 64",
    ],
    &["refresh_certs", "refresh_certs x", "refresh_certs noreply", "misbehave", "misbehave noreply"],
    &["debugtime", "debugtime p", "debugtime 5", "shutdown", "shutdown x"],
    &["extstore", "extstore x", "extstore noreply", "extstore item_size", "extstore item_size 10"],
    &["extstore item_size -1", "extstore item_size 1 x", "extstore item_size x noreply", "extstore foo 1"],
    &["extstore item_age 10", "extstore low_ttl 5", "extstore recache_rate 5", "extstore compact_under 5"],
    &["extstore drop_under 5", "extstore max_sleep 5", "extstore drop_unread 2", "extstore drop_unread x"],
    &[
        "extstore max_frag 0.5",
        "extstore max_frag -1",
        "extstore max_frag x",
        "extstore item_size 4294967296",
    ],
    &["extstore free_memchunks 1", "extstore free_memchunks 1 2", "extstore free_memchunks 63 1 x"],
    &["extstore free_memchunks 64 1", "extstore free_memchunks x 1", "extstore free_memchunks 1 x"],
];

#[test]
fn commands_about_the_server_are_answered_as_memcached_answers_them() {
    let Some(theirs) = Memcached::theirs(&[]) else { return };
    let ours = Memcached::ours(&[]);
    let (mut own, mut other) = (ours.wire(), theirs.wire());
    for line in LINES.iter().copied().flatten() {
        let mut theirs = String::new();
        until("memcached's crawler is idle", || {
            theirs = answer(&mut other, line);
            !is_busy(&theirs)
        });
        assert_eq!(answer(&mut own, line), theirs, "{line}");
    }
}

#[test]
fn what_is_set_is_told_by_settings() {
    let servers = [Some(Memcached::ours(&[])), Memcached::theirs(&[])];
    for server in servers.iter().flatten() {
        let mut wire = server.wire();
        for (line, name, want) in [
            ("verbosity 1", "verbosity", "1"),
            ("verbosity 9", "verbosity", "2"),
            ("verbosity 0 noreply", "verbosity", "0"),
            ("lru_crawler disable", "lru_crawler", "no"),
            ("lru_crawler enable", "lru_crawler", "yes"),
        ] {
            // A crawler of memcached's that has just begun may take it back once.
            until(line, || {
                answer(&mut wire, line);
                wire.stat("settings", name) == want
            });
        }
    }
}
