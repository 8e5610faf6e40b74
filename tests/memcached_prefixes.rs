//! What `stats detail` counts by the beginnings of keys, beside what a real memcached counts.

use testkit::Memcached;
use testkit::memcached_sequences::END_OF_TEXT;

/// Requests by text.
static REQUESTS: &[&str] = &[
    "get a:1",
    "get none",
    "get :x",
    "get c: d:1 d:2 e:::",
    "set a:1 0 0 1\r\nx",
    "get a:1",
    "gets a:1 a:2",
    "gat 0 a:1 g:1",
    "touch a:1 0",
    "touch t:2 0",
    "add a:1 0 0 1\r\nx",
    "add a:2 0 0 1 noreply\r\nx",
    "cas q:1 0 0 1 1\r\nx",
    "append q:1 0 0 1\r\nx",
    "replace q:1 0 0 1\r\nx",
    "incr i:1 1",
    "set i:1 0 0 1\r\n1",
    "incr i:1 1",
    "delete a:1",
    "delete a:1",
    "delete y:1 noreply",
    "mg m:1 v",
    "mg m:2 v N30",
    "ms ms:1 1\r\nx",
    "md ms:1",
    "ma ma:1 N0",
    "me me:1",
    "set bad:1 0 0 1\r\nxyz",
    "set big:1 0 0 2000000\r\n",
    "set p%/+\x01:1 0 0 1\r\nx",
];

/// A frame: its opcode, its extras and its value, with the key `bin:1`.
fn frame(opcode: u8, extras: &[u8], value: &[u8]) -> Vec<u8> {
    let key = b"bin:1";
    let mut frame = vec![0x80, opcode, 0, key.len() as u8, extras.len() as u8, 0, 0, 0];
    frame.extend_from_slice(&((extras.len() + key.len() + value.len()) as u32).to_be_bytes());
    frame.extend_from_slice(&[0; 12]);
    frame.extend_from_slice(&[extras, key, value].concat());
    frame
}

/// The lines of the counts, in order.
fn dump(server: &Memcached) -> Vec<String> {
    let heard = server.wire().ask(b"stats detail dump\r\n", b"END\r\n");
    let heard = String::from_utf8_lossy(&heard).into_owned();
    let mut lines: Vec<_> = heard.split_terminator("\r\n").map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Says all of it.
fn converse(server: &Memcached) {
    let mut wire = server.wire();
    for request in REQUESTS {
        let mut bytes = request.as_bytes().to_vec();
        if request.starts_with("set big") {
            bytes.resize(bytes.len() + 2_000_000, b'x');
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(END_OF_TEXT.0);
        wire.ask(&bytes, END_OF_TEXT.1);
    }
    let mut wire = server.wire();
    for (opcode, extras, value) in [
        (0x00, &[][..], &b""[..]),
        (0x01, &[0; 8], b"x"),
        (0x00, &[], b""),
        (0x0C, &[], b""),
        (0x02, &[0; 8], b"x"),
        (0x03, &[0; 8], b"x"),
        (0x0E, &[], b"y"),
        (0x1C, &[0; 4], b""),
        (0x1D, &[0; 4], b""),
        (0x04, &[], b""),
        (0x04, &[], b""),
        (0x05, &[0; 20], b""),
    ] {
        wire.send(&frame(opcode, extras, value));
        let header = wire.read(24).bytes;
        let len = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
        wire.read(len as usize);
    }
}

#[test]
fn prefixes_are_counted_as_memcached_counts_them() {
    let Some(theirs) = Memcached::theirs(&[]) else { return };
    let ours = Memcached::ours(&[]);
    let seen = [&ours, &theirs].map(|server| {
        let mut wire = server.wire();
        let mut seen = Vec::new();
        converse(server);
        seen.push(dump(server));
        assert_eq!(wire.say("stats detail on"), "OK");
        assert_eq!(wire.stat("settings", "detail_enabled"), "yes");
        assert_eq!(wire.stat("settings", "stat_key_prefix"), ":");
        converse(server);
        seen.push(dump(server));
        assert_eq!(wire.say("stats detail off"), "OK");
        assert_eq!(wire.stat("settings", "detail_enabled"), "no");
        converse(server);
        seen.push(dump(server));
        assert_eq!(wire.say("stats detail on"), "OK");
        seen.push(dump(server));
        assert_eq!(wire.say("stats reset"), "RESET");
        seen.push(dump(server));
        seen
    });
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0][1].len() > 10 && seen[0][1] == seen[0][2] && seen[0][2] == seen[0][3]);
    assert_eq!(seen[0][4], ["END"]);
}

#[test]
fn prefixes_are_told_in_frames() {
    let Some(theirs) = Memcached::theirs(&[]) else { return };
    let seen = [&Memcached::ours(&[]), &theirs].map(|server| {
        let ask = |key: &[u8]| {
            let mut frame = vec![0x80, 0x10, 0, key.len() as u8, 0, 0, 0, 0, 0, 0, 0, key.len() as u8];
            frame.extend_from_slice(&[0; 12]);
            frame.extend_from_slice(key);
            let mut wire = server.wire();
            wire.send(&frame);
            // A no-op behind it ends what there is.
            let mut end = [0; 24];
            end[..2].copy_from_slice(&[0x80, 0x0A]);
            wire.send(&end);
            end[0] = 0x81;
            wire.read_until(|heard| heard.ends_with(&end)).bytes.escape_ascii().to_string()
        };
        let mut seen = Vec::new();
        for key in ["detail", "detail on", "detail x", "detail dump"] {
            seen.push(ask(key.as_bytes()));
        }
        server.wire().ask(b"get a:1\r\n", b"END\r\n");
        for key in ["detail dump", "detail off", "detail dump x", "detaildump"] {
            seen.push(ask(key.as_bytes()));
        }
        seen
    });
    assert_eq!(seen[0], seen[1]);
}
