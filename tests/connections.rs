//! Connections seen from outside: what goes over the wire byte by byte, slow readers, limits, and how they end.
//!
//! What release 7.0 answers is compared with a real redis-server, where there is one.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;
use testkit::{Client, Oracle, Program, Reply, resident_bytes, until};

/// Sends bytes, says that there will be no more, and gives all that comes back.
fn exchange(address: SocketAddr, pieces: &[&[u8]]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("the server accepts");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout can be set");
    stream.set_nodelay(true).expect("delays can be turned off");
    for piece in pieces {
        // A server that has hung up is noticed below.
        let _ = stream.write_all(piece);
    }
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    // A connection that is closed with bytes unread ends with an error.
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// Requests that are not as they should be, or nearly so.
fn odd_requests() -> Vec<Vec<u8>> {
    let long = |byte: u8, len: usize| vec![byte; len];
    let mut requests: Vec<Vec<u8>> = [
        // Lines.
        &b"PING\n"[..],
        b"\r\n\n\r\nPING\r\n",
        b"  ping  \r\n",
        b"\tping\r\n",
        b"ping\0 x\r\nping\r\n",
        b"set a \"b\r\n",
        b"set a 'b\r\n",
        b"set a \"b\"c\r\nget a\r\n",
        b"set a \"\\x41\\n\\q\"\r\nget a\r\n",
        b"set a 'x\\'y\\n'\r\nget a\r\n",
        b"echo a\"b\r\n",
        b"echo a\"b\"\r\n",
        b"\"\"\r\nping\r\n",
        b"echo \xff\xfe\r\n",
        // Arrays.
        b"*0\r\nPING\r\n",
        b"*-1\r\nPING\r\n",
        b"*-5\r\n*1\r\n$4\r\nPING\r\n",
        b"*abc\r\n",
        b"*\r\n",
        b"*01\r\n$4\r\nPING\r\n",
        b"*+1\r\n$4\r\nPING\r\n",
        b"*1 \r\n$4\r\nPING\r\n",
        b"*2147483648\r\n",
        b"*2147483647\r\n$4\r\nPING\r\n",
        b"*1\r\n+4\r\nPING\r\n",
        b"*1\r\n\xff\r\n",
        b"*1\r\n\0\r\n",
        b"*1\r\n\r\n",
        b"*1\r\nx\r",
        b"*1\r\n$\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n$04\r\nPING\r\n",
        b"*1\r\n$abc\r\n",
        b"*1\r\n$536870913\r\n",
        b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n",
        b"*1\rx$4\r\nPING\r\n",
        b"*1\r\n$4\r\nPING\r",
        b"*1\r\n$0\r\n\r\nPING\r\n",
        b"*1\r\n$5\r\na\r\nbc\r\n",
        b"PING\r\n*x\r\nPING\r\n",
        // What is not meant for Redis.
        b"POST / HTTP/1.1\r\n",
        b"*1\r\n$5\r\nhost:\r\n",
        // Commands that are refused.
        b"nosuch a b c\r\n",
        b"nosuch \"a\\r\\nb\"\r\n",
        b"\"no\\r\\nsuch\"\r\n",
        b"get\r\n",
        b"client nosuch\r\n",
        b"client pause 0 foo\r\n",
        b"client caching foo\r\n",
        b"multi\r\nget\r\nexec\r\n",
        b"multi\r\nmonitor\r\nexec\r\n",
        // States of a connection.
        b"QUIT\r\nPING\r\n",
        b"subscribe a\r\nget x\r\nping\r\nping x\r\nunsubscribe\r\nget x\r\n",
        b"hello 3\r\nsubscribe a\r\nget x\r\nping\r\npublish a b\r\nunsubscribe\r\n",
        b"hello 3\r\npsubscribe a*\r\nsubscribe ab\r\nmulti\r\npublish ab x\r\npublish ab y\r\nexec\r\n",
        b"multi\r\nsubscribe a\r\nget x\r\nexec\r\nget x\r\n",
        b"subscribe a\r\nreset\r\nget x\r\n",
        b"client reply off\r\nget\r\nnosuch\r\nclient reply on\r\nping\r\n",
        b"client reply skip\r\nmulti\r\nget x\r\nexec\r\n",
        b"client reply skip\r\nclient reply skip\r\nping\r\nping\r\n",
    ]
    .map(<[u8]>::to_vec)
    .into();
    // Lines that do not end. They are exactly as long as it takes to notice.
    let most = 64 * 1024;
    requests.extend([
        long(b'a', most),
        long(b'a', most + 1),
        [b"*", &long(b'1', most)[..]].concat(),
        [b"*1\r\n$", &long(b'1', most)[..]].concat(),
        [b"*1\r\n", &long(b'x', most + 1)[..]].concat(),
        [b"*1\r\n", &long(b'x', most)[..]].concat(),
        [b"nosuch ", &long(b'x', 300)[..], b" y\r\n"].concat(),
        [&long(b'n', 300)[..], b" a\r\n"].concat(),
    ]);
    requests
}

/// An answer without the numbers of clients, characters being bytes.
fn without_ids(answer: &[u8]) -> String {
    let text: String = answer.iter().map(|&byte| char::from(byte)).collect();
    let mut parts = text.split("$2\r\nid\r\n:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + "id" + part.trim_start_matches(|char: char| char.is_ascii_digit()))
}

#[test]
fn odd_requests_are_answered_as_by_a_real_server() {
    let Some(oracle) = Oracle::start() else { return };
    let program = Program::redis("7.0", &[]);
    for request in odd_requests() {
        let answer = |address| without_ids(&exchange(address, &[&request]));
        let shown = String::from_utf8_lossy(&request[..request.len().min(80)]).into_owned();
        assert_eq!(answer(program.address()), answer(oracle.address()), "to {shown:?}");
    }
}

#[test]
fn how_requests_are_cut_does_not_matter() {
    let program = Program::redis("7.0", &[]);
    let request = b"*1\r\n$4\r\nPING\r\n\nPING\n\r\nECHO \"a b\"\r\n*2\r\n$4\r\nECHO\r\n$13\r\n\r\n*1\r\n$9\r\n\0\r\n\r\nPING\r\n";
    let expected = b"+PONG\r\n+PONG\r\n$3\r\na b\r\n$13\r\n\r\n*1\r\n$9\r\n\0\r\n\r\n+PONG\r\n";
    for step in [1, 2, 3, 5, 7, 11, request.len()] {
        let pieces: Vec<&[u8]> = request.chunks(step).collect();
        assert_eq!(exchange(program.address(), &pieces), expected, "in pieces of {step}");
    }
}

#[test]
fn who_sends_what_before_logging_in_is_limited_where_it_was() {
    for (release, limited) in
        [("3.0", false), ("4.0", false), ("5.0", true), ("6.2", true), ("7.0", true), ("7.4", true)]
    {
        let program = Program::redis(release, &[("requirepass", "secret")]);
        let many = exchange(program.address(), &[b"*11\r\n"]);
        let long = exchange(program.address(), &[b"*1\r\n$16385\r\n"]);
        if limited {
            assert_eq!(many, b"-ERR Protocol error: unauthenticated multibulk length\r\n", "{release}");
            assert_eq!(long, b"-ERR Protocol error: unauthenticated bulk length\r\n", "{release}");
        } else {
            assert_eq!((many.len(), long.len()), (0, 0), "{release}");
        }
        let mut client = program.client();
        assert_eq!(client.say("AUTH secret"), Reply::Status(b"OK".to_vec()));
        let value = vec![b'x'; 20_000];
        assert_eq!(client.run(&[b"ECHO", &value[..]]), Reply::Bulk(value));
    }
}

#[test]
fn what_is_only_announced_takes_no_memory() {
    let program = Program::redis("7.4", &[]);
    let mut observer = program.client();
    let announcing = |bytes: &[u8]| {
        let mut client = program.client();
        client.send_bytes(bytes);
        client
    };
    drop(announcing(b"PING\r\n"));
    let before = resident_bytes(program.id());
    let clients: Vec<Client> = (0..100)
        .flat_map(|_| {
            [
                announcing(b"*2\r\n$4\r\nECHO\r\n$536870912\r\nbegun"),
                announcing(b"*2147483647\r\n$4\r\nECHO\r\n"),
            ]
        })
        .collect();
    // All of what they have sent has come in.
    until("the state is reached", || {
        let list = observer.say("CLIENT LIST").text();
        list.lines().filter(|line| !line.contains(" qbuf=0 ")).count() >= clients.len()
    });
    let grown = resident_bytes(program.id()).saturating_sub(before);
    assert!(grown < 8 << 20, "200 clients took {grown} bytes");
}

#[test]
fn a_client_too_many_is_told_so() {
    let program = Program::redis("7.0", &[("maxclients", "2")]);
    let (mut first, mut second) = (program.client(), program.client());
    assert_eq!((first.say("PING"), second.say("PING")), (pong(), pong()));
    assert_eq!(exchange(program.address(), &[]), b"-ERR max number of clients reached\r\n");
    drop(first);
    until("the state is reached", || second.say("CLIENT LIST").text().lines().count() == 1);
    assert_eq!(program.client().say("PING"), pong());
}

fn pong() -> Reply {
    Reply::Status(b"PONG".to_vec())
}

#[test]
fn slow_listeners_are_closed_when_too_much_waits_for_them() {
    // At once beyond the first number, after a second beyond the second.
    for limit in ["pubsub 1000000 0 0", "pubsub 0 100000 1"] {
        let program = Program::redis("7.0", &[]);
        let mut other = program.client();
        let set = ["CONFIG", "SET", "client-output-buffer-limit", limit];
        assert_eq!(other.run(&set), Reply::Status(b"OK".to_vec()));
        let mut slow = program.client();
        slow.say("SUBSCRIBE channel");
        // More than the socket's buffers take: nobody reads.
        let message = vec![b'x'; 1 << 20];
        for _ in 0..16 {
            other.run(&[&b"PUBLISH"[..], b"channel", &message]);
        }
        until("the state is reached", || {
            other.say("PUBSUB NUMSUB channel").elements()[1] == Reply::Integer(0)
        });
        assert_eq!(other.say("CLIENT LIST").text().lines().count(), 1, "{limit}");
    }
}

#[test]
fn slow_readers_get_all_replies() {
    let program = Program::redis("7.0", &[]);
    let mut client = program.client();
    let value = vec![b'x'; 1 << 20];
    client.run(&[&b"SET"[..], b"k", &value]);
    // All is sent before anything is read.
    client.send_bytes(&b"GET k\r\n".repeat(100));
    client.send_bytes(b"PING\r\n");
    for _ in 0..100 {
        assert_eq!(client.read().bytes().len(), value.len());
    }
    assert_eq!(client.read(), pong());
}

#[test]
fn a_list_of_clients_leaves_out_those_that_are_not_there() {
    let program = Program::redis("7.0", &[]);
    let mut client = program.client();
    let id = client.say("CLIENT ID").integer();
    let list = client.say(&format!("CLIENT LIST ID -1 {id} 4096"));
    assert_eq!(list.text().lines().count(), 1, "{}", list.text());
    assert_eq!(client.say("CLIENT LIST ID one"), Reply::Error("ERR Invalid client ID".into()));
}

#[test]
fn a_killed_client_runs_nothing_more() {
    let program = Program::redis("7.0", &[]);
    let mut other = program.client();
    let mut victim = program.client();
    let id = victim.say("CLIENT ID").integer();
    other.say("CLIENT PAUSE 100000 WRITE");
    victim.send_bytes(b"SET k v\r\n");
    until("the state is reached", || other.say(&format!("CLIENT LIST ID {id}")).text().contains(" qbuf=9 "));
    other.send_bytes(format!("CLIENT KILL ID {id}\r\nCLIENT UNPAUSE\r\n").as_bytes());
    assert_eq!(other.read(), Reply::Integer(1));
    assert_eq!(other.read(), Reply::Status(b"OK".to_vec()));
    assert_eq!(victim.read(), Reply::Closed);
    assert_eq!(other.say("EXISTS k"), Reply::Integer(0));
}

#[test]
fn a_client_that_goes_during_a_pause_is_gone() {
    let program = Program::redis("7.0", &[]);
    let mut other = program.client();
    other.say("CLIENT PAUSE 100000 WRITE");
    let mut client = program.client();
    client.send_bytes(b"SET k v\r\n");
    until("the state is reached", || other.say("CLIENT LIST").text().contains(" qbuf=9 "));
    drop(client);
    until("the state is reached", || other.say("CLIENT LIST").text().lines().count() == 1);
}

#[test]
fn a_pause_holds_writes_back_and_nothing_else() {
    let program = Program::redis("7.0", &[]);
    let (mut other, mut writer) = (program.client(), program.client());
    other.say("SET k before");
    other.say("CLIENT PAUSE 100000 WRITE");
    writer.send_bytes(b"GET k\r\nSET k after\r\nGET k\r\n");
    assert_eq!(writer.read(), Reply::Bulk(b"before".to_vec()));
    until("the state is reached", || other.say("CLIENT LIST").text().contains(" qbuf=20 "));
    assert_eq!(other.say("GET k"), Reply::Bulk(b"before".to_vec()));
    other.say("CLIENT UNPAUSE");
    assert_eq!(writer.read(), Reply::Status(b"OK".to_vec()));
    assert_eq!(writer.read(), Reply::Bulk(b"after".to_vec()));
}

#[test]
fn monitors_see_each_command_once() {
    let program = Program::redis("7.0", &[]);
    let (mut monitor, mut client) = (program.client(), program.client());
    let mut push = vec!["RPUSH".to_owned(), "k".to_owned()];
    push.extend((0..30_000).map(|number| number.to_string()));
    client.run(&push);
    assert_eq!(monitor.say("MONITOR"), Reply::Status(b"OK".to_vec()));
    // So long that it is begun again where nobody waits for it.
    assert_eq!(client.say("LRANGE k 0 -1").elements().len(), 30_000);
    client.say("PING");
    let seen: Vec<String> = (0..2).map(|_| monitor.read().text()).collect();
    assert!(seen[0].ends_with("\"LRANGE\" \"k\" \"0\" \"-1\""), "{seen:?}");
    assert!(seen[1].ends_with("\"PING\""), "{seen:?}");
}

#[test]
fn messages_of_patterns_come_in_the_order_of_the_subscriptions() {
    let program = Program::redis("5.0", &[]);
    let (mut listener, mut other) = (program.client(), program.client());
    let patterns: Vec<String> = (0..20).map(|number| format!("*{}", "?".repeat(number % 7))).collect();
    for pattern in &patterns[..7] {
        listener.run(&["PSUBSCRIBE", pattern]);
    }
    assert_eq!(other.say("PUBLISH channel x"), Reply::Integer(7));
    for pattern in &patterns[..7] {
        assert_eq!(listener.read().elements()[1].text(), *pattern);
    }
}
