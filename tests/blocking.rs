//! Clients that wait for lists, sorted sets and streams, seen from outside.
//!
//! What release 7.0 does is checked against a real redis-server as well, where there is one. Tests wait for states that
//! others can see, never for a time.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use testkit::{Client, Oracle, Program, Reply, until};

/// Every release that differs in how waiting clients are served.
const RELEASES: [&str; 6] = ["3.0", "4.0", "5.0", "6.2", "7.0", "7.4"];

/// A server that a test talks to.
struct Server {
    address: SocketAddr,
    release: &'static str,
}

impl Server {
    fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Whether the server imitates, or is, this release or a later one.
    fn is(&self, release: &str) -> bool {
        self.release >= release
    }

    /// A client that waits with this command.
    fn waiting(&self, command: &str) -> Client {
        let mut client = self.client();
        wait(&mut self.client(), &mut client, command);
        client
    }
}

/// Runs a test against nodes of some releases, and a real server of 7.0.
fn on(releases: &[&'static str], test: impl Fn(&Server)) {
    for &release in releases {
        let program = Program::redis(release, &[("notify-keyspace-events", "KEA")]);
        eprintln!("release {release}");
        test(&Server { address: program.address(), release });
    }
    if releases.contains(&"7.0")
        && let Some(oracle) = Oracle::start()
    {
        eprintln!("a real server");
        let server = Server { address: oracle.address(), release: "7.0" };
        server.client().say("CONFIG SET notify-keyspace-events KEA");
        test(&server);
    }
}

/// Sends a command and returns when others see its client wait.
fn wait(observer: &mut Client, client: &mut Client, command: &str) {
    let before = waiting(observer);
    let words: Vec<&str> = command.split_whitespace().collect();
    client.send(&words);
    until("the state is reached", || waiting(observer) > before);
}

/// The number of clients that others see wait.
fn waiting(observer: &mut Client) -> usize {
    observer.say("CLIENT LIST").text().lines().filter(|line| line.contains(" flags=b ")).count()
}

fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.as_bytes().to_vec())
}

fn array(texts: &[&str]) -> Reply {
    Reply::Array(texts.iter().map(|text| bulk(text)).collect())
}

fn error(text: &str) -> Reply {
    Reply::Error(text.as_bytes().to_vec())
}

fn wrong_type() -> Reply {
    error("WRONGTYPE Operation against a key holding the wrong kind of value")
}

/// The entries of a list.
fn entries(client: &mut Client, key: &str) -> Reply {
    client.run(&["LRANGE", key, "0", "-1"])
}

/// Whether a client is still waiting for its reply.
fn still_waits(client: &mut Client) -> bool {
    client.set_patience(Duration::from_millis(50));
    let reply = client.read();
    client.set_patience(Duration::from_secs(30));
    reply == Reply::Timeout
}

#[test]
fn one_push_of_many_values_serves_many_clients_in_their_order() {
    on(&RELEASES, |server| {
        let mut pusher = server.client();
        let mut clients: Vec<Client> =
            ["BLPOP k 0", "BRPOP other k 0", "BLPOP k 0"].map(|command| server.waiting(command)).into();
        assert_eq!(pusher.say("RPUSH k 1 2 3 4"), Reply::Integer(4));
        let replies: Vec<Reply> = clients.iter_mut().map(Client::read).collect();
        assert_eq!(replies, [array(&["k", "1"]), array(&["k", "4"]), array(&["k", "2"])]);
        assert_eq!(entries(&mut pusher, "k"), array(&["3"]));
        until("the state is reached", || waiting(&mut pusher) == 0);
    });
}

#[test]
fn who_came_first_is_served_first() {
    on(&["3.0", "7.0", "7.4"], |server| {
        let mut pusher = server.client();
        let mut first = server.waiting("BLPOP k 0");
        let mut second = server.waiting("BLPOP k 0");
        pusher.say("RPUSH k a");
        assert_eq!(first.read(), array(&["k", "a"]));
        // The first comes again, behind the second.
        wait(&mut pusher, &mut first, "BLPOP k 0");
        pusher.say("RPUSH k b");
        assert_eq!(second.read(), array(&["k", "b"]));
        pusher.say("RPUSH k c");
        assert_eq!(first.read(), array(&["k", "c"]));
    });
}

#[test]
fn a_transaction_serves_when_it_is_over() {
    on(&["4.0", "7.0", "7.4"], |server| {
        let mut pusher = server.client();
        let mut client = server.waiting("BLPOP k 0");
        for line in ["MULTI", "RPUSH k a", "LPOP k", "EXEC"] {
            pusher.say(line);
        }
        assert!(still_waits(&mut client), "what was pushed has been popped again");
        for line in ["MULTI", "RPUSH k a", "LPUSH k b", "LLEN k"] {
            pusher.say(line);
        }
        let replies = Reply::Array([1, 2, 2].map(Reply::Integer).into());
        assert_eq!(pusher.say("EXEC"), replies, "nobody is served in between");
        assert_eq!(client.read(), array(&["k", "b"]));
    });
}

#[test]
fn of_several_keys_that_become_ready_at_once_the_release_chooses() {
    on(&["6.2", "7.0", "7.4"], |server| {
        let mut pusher = server.client();
        let mut client = server.waiting("BLPOP a b 0");
        for line in ["MULTI", "RPUSH b 1", "RPUSH a 2", "EXEC"] {
            pusher.say(line);
        }
        // From 7.2 on the command is run again; before, the first key that became ready serves it.
        let expected = if server.is("7.4") { ["a", "2"] } else { ["b", "1"] };
        assert_eq!(client.read(), array(&expected));
    });
}

#[test]
fn a_key_of_another_type_that_comes_along_matters_where_the_command_is_run_again() {
    on(&["6.2", "7.0", "7.4"], |server| {
        let mut pusher = server.client();
        let mut client = server.waiting("BLPOP a b 0");
        for line in ["MULTI", "RPUSH b 1 2", "SET a text", "EXEC"] {
            pusher.say(line);
        }
        let (reply, left) = if server.is("7.4") { (wrong_type(), 2) } else { (array(&["b", "1"]), 1) };
        assert_eq!(client.read(), reply);
        assert_eq!(pusher.say("LLEN b"), Reply::Integer(left));
    });
}

#[test]
fn commands_in_transactions_do_not_wait() {
    on(&RELEASES, |server| {
        let mut client = server.client();
        let mut expected = vec![Reply::NilArray, Reply::NilArray, Reply::Nil];
        for line in ["MULTI", "BLPOP k 0", "BRPOP k l 0", "BRPOPLPUSH k l 0"] {
            client.say(line);
        }
        if server.is("6.2") {
            client.say("BLMOVE k l LEFT LEFT 0");
            expected.push(Reply::Nil);
        }
        if server.is("7.0") {
            client.say("BLMPOP 0 1 k LEFT");
            expected.push(Reply::NilArray);
        }
        client.say("BLPOP k -1");
        expected.push(error("ERR timeout is negative"));
        assert_eq!(client.say("EXEC"), Reply::Array(expected));
    });
}

#[test]
fn the_time_being_up_is_told_in_each_protocol() {
    on(&["6.2", "7.0", "7.4"], |server| {
        let mut client = server.client();
        for line in ["BLPOP k 0.001", "BRPOPLPUSH k l 0.001", "BLMOVE k l LEFT LEFT 0.001"] {
            assert_eq!(client.say(line), Reply::NilArray, "{line}");
        }
        client.say("HELLO 3");
        for line in ["BLPOP k 0.001", "BRPOPLPUSH k l 0.001", "BLMOVE k l LEFT LEFT 0.001"] {
            assert_eq!(client.say(line), Reply::Null, "{line}");
        }
        assert_eq!(client.say("PING"), Reply::Status(b"PONG".to_vec()));
    });
}

#[test]
fn timeouts_are_as_long_as_the_release_can_count() {
    on(&RELEASES, |server| {
        let mut client = server.client();
        let not_a_number = if server.is("6.2") {
            "ERR timeout is not a float or out of range"
        } else {
            "ERR timeout is not an integer or out of range"
        };
        let too_long = match server.release {
            "7.4" => "ERR timeout is out of range",
            "6.2" | "7.0" => "ERR timeout is negative",
            _ => not_a_number,
        };
        for (timeout, expected) in [
            ("x", not_a_number),
            ("nan", not_a_number),
            ("", not_a_number),
            ("-1", "ERR timeout is negative"),
            ("1e30", too_long),
            ("inf", too_long),
        ] {
            assert_eq!(client.run(&["BLPOP", "k", timeout]), error(expected), "{timeout}");
        }
        let mut waiting = Vec::new();
        if !server.is("6.2") {
            // The time overflows and lies in the past.
            assert_eq!(client.say("BLPOP k 9223372036854775807"), Reply::NilArray);
            assert_eq!(client.say("BLPOP k 0.5"), error(not_a_number));
        } else if server.is("7.4") {
            assert_eq!(client.say("BLPOP k 9223372036854775"), error(too_long));
        } else {
            waiting.push(server.waiting("BLPOP k 9223372036854775"));
        }
        if server.is("7.0") {
            assert_eq!(client.say("BLPOP k 0.000001"), Reply::NilArray, "it is rounded up");
            waiting.push(server.waiting("BLPOP k -0.0001"));
        } else if server.is("6.2") {
            waiting.push(server.waiting("BLPOP k 0.000001"));
        }
        assert!(waiting.iter_mut().all(still_waits));
    });
}

#[test]
fn two_moves_that_wait_for_each_other_both_get_the_element() {
    on(&RELEASES, |server| {
        let mut pusher = server.client();
        let mut there = server.waiting("BRPOPLPUSH a b 0");
        let mut back = server.waiting("BRPOPLPUSH b a 0");
        pusher.say("RPUSH a x");
        assert_eq!((there.read(), back.read()), (bulk("x"), bulk("x")));
        assert_eq!(entries(&mut pusher, "a"), array(&["x"]));
        assert_eq!(pusher.say("LLEN b"), Reply::Integer(0));
    });
}

#[test]
fn a_chain_of_moves_ends_with_whoever_waits_at_its_end() {
    on(&["6.2", "7.0", "7.4"], |server| {
        let mut pusher = server.client();
        let mut last = server.waiting("BLPOP c 0");
        let mut second = server.waiting("BLMOVE b c RIGHT LEFT 0");
        let mut first = server.waiting("BLMOVE a b LEFT RIGHT 0");
        pusher.say("RPUSH a 1 2");
        assert_eq!(first.read(), bulk("1"));
        assert_eq!(second.read(), bulk("1"));
        assert_eq!(last.read(), array(&["c", "1"]));
        assert_eq!(entries(&mut pusher, "a"), array(&["2"]));
    });
}

#[test]
fn a_list_can_turn_round_in_itself() {
    on(&["5.0", "7.0", "7.4"], |server| {
        let mut pusher = server.client();
        let mut client = server.waiting("BRPOPLPUSH k k 0");
        pusher.say("RPUSH k 1 2 3");
        assert_eq!(client.read(), bulk("3"));
        assert_eq!(entries(&mut pusher, "k"), array(&["3", "1", "2"]));
    });
}

#[test]
fn a_destination_of_another_type_fails_its_client_and_nobody_else() {
    on(&["3.0", "6.2", "7.0", "7.4"], |server| {
        let mut pusher = server.client();
        pusher.say("SET s text");
        let mut bad = server.waiting("BRPOPLPUSH k s 0");
        let mut good = server.waiting("BLPOP k 0");
        pusher.say("RPUSH k x");
        assert_eq!(bad.read(), wrong_type());
        assert_eq!(good.read(), array(&["k", "x"]));
        assert_eq!(pusher.say("GET s"), bulk("text"));
        assert_eq!(bad.say("BRPOPLPUSH s k 0"), wrong_type());
    });
}

#[test]
fn a_key_of_another_type_leaves_its_clients_waiting() {
    on(&["4.0", "7.0", "7.4"], |server| {
        let mut pusher = server.client();
        let mut client = server.waiting("BLPOP k other 0");
        pusher.say("SET k text");
        assert!(still_waits(&mut client));
        for line in ["MULTI", "DEL k", "RPUSH k x", "EXEC"] {
            pusher.say(line);
        }
        assert_eq!(client.read(), array(&["k", "x"]));
        pusher.say("SET k text");
        assert_eq!(client.say("BLPOP other k 0"), wrong_type());
        pusher.say("RPUSH other x");
        assert_eq!(client.say("BLPOP other k 0"), array(&["other", "x"]));
    });
}

#[test]
fn lists_that_come_otherwise_than_by_a_push_wake_too() {
    on(&["6.2", "7.0", "7.4"], |server| {
        let mut pusher = server.client();
        pusher.say("SELECT 3");
        pusher.say("RPUSH moved m");
        pusher.say("SELECT 0");
        pusher.say("RPUSH source 2 1");
        for (key, line, expected) in [
            ("sorted", "SORT source STORE sorted", "1"),
            ("copied", "COPY source copied", "2"),
            ("renamed", "RENAME source renamed", "2"),
        ] {
            let mut client = server.waiting(&format!("BLPOP {key} 0"));
            assert!(!pusher.say(line).is_error(), "{line}");
            assert_eq!(client.read(), array(&[key, expected]), "{line}");
        }
        let mut client = server.waiting("BLPOP moved 0");
        pusher.say("SELECT 3");
        assert_eq!(pusher.say("MOVE moved 0"), Reply::Integer(1));
        assert_eq!(client.read(), array(&["moved", "m"]));
        pusher.say("RPUSH swapped s");
        let mut client = server.waiting("BLPOP swapped 0");
        assert_eq!(pusher.say("SWAPDB 0 3"), Reply::Status(b"OK".to_vec()));
        assert_eq!(client.read(), array(&["swapped", "s"]));
    });
}

#[test]
fn clients_wait_in_their_own_database() {
    on(&["7.0", "7.4"], |server| {
        let mut pusher = server.client();
        let mut client = server.client();
        client.say("SELECT 1");
        wait(&mut pusher, &mut client, "BLPOP k 0");
        pusher.say("RPUSH k zero");
        assert!(still_waits(&mut client));
        pusher.say("SELECT 1");
        pusher.say("RPUSH k one");
        assert_eq!(client.read(), array(&["k", "one"]));
    });
}

#[test]
fn several_elements_are_taken_at_once() {
    on(&["7.0", "7.4"], |server| {
        let mut pusher = server.client();
        let mut client = server.waiting("BLMPOP 0 2 a b RIGHT COUNT 2");
        pusher.say("RPUSH b 1 2 3");
        assert_eq!(client.read(), Reply::Array(vec![bulk("b"), array(&["3", "2"])]));
        let many: Vec<String> = (0..30_000).map(|number: i32| number.to_string()).collect();
        wait(&mut pusher, &mut client, "BLMPOP 0 1 long LEFT COUNT 100000");
        let mut push = vec!["RPUSH", "long"];
        push.extend(many.iter().map(String::as_str));
        assert_eq!(pusher.run(&push), Reply::Integer(30_000));
        assert_eq!(client.read().elements()[1].elements().len(), 30_000, "long work is no reason to fail");
    });
}

#[test]
fn other_clients_can_end_a_wait() {
    on(&["5.0", "6.2", "7.0", "7.4"], |server| {
        let mut other = server.client();
        let mut client = server.client();
        let id = client.say("CLIENT ID").integer();
        assert_eq!(other.say(&format!("CLIENT UNBLOCK {id}")), Reply::Integer(0), "it does not wait");
        wait(&mut other, &mut client, "BLPOP k l 0");
        assert_eq!(other.say(&format!("CLIENT UNBLOCK {id}")), Reply::Integer(1));
        assert_eq!(other.say(&format!("CLIENT UNBLOCK {id}")), Reply::Integer(0), "it waits no longer");
        assert_eq!(client.read(), Reply::NilArray);
        wait(&mut other, &mut client, "BLPOP k l 0");
        assert_eq!(other.say(&format!("CLIENT UNBLOCK {id} ERROR")), Reply::Integer(1));
        assert_eq!(client.read(), error("UNBLOCKED client unblocked via CLIENT UNBLOCK"));
        other.say("RPUSH k x");
        assert_eq!(entries(&mut other, "k"), array(&["x"]), "nobody waits any more");
    });
}

#[test]
fn a_killed_client_takes_nothing() {
    on(&["3.0", "7.0", "7.4"], |server| {
        let mut other = server.client();
        let mut client = server.client();
        client.say("CLIENT SETNAME victim");
        wait(&mut other, &mut client, "BLPOP k l 0");
        let list = other.say("CLIENT LIST").text();
        let line = list.lines().find(|line| line.contains("name=victim")).expect("it is there");
        let address =
            line.split(' ').find_map(|field| field.strip_prefix("addr=")).expect("it has an address");
        // Both in one batch: nothing else can happen in between.
        other.send_bytes(format!("CLIENT KILL {address}\r\nRPUSH k x\r\nLLEN k\r\n").as_bytes());
        assert_eq!(other.read(), Reply::Status(b"OK".to_vec()));
        assert_eq!((other.read(), other.read()), (Reply::Integer(1), Reply::Integer(1)));
        assert_eq!(client.read(), Reply::Closed);
    });
}

#[test]
fn a_client_that_has_gone_takes_nothing() {
    on(&["7.0", "7.4"], |server| {
        let mut other = server.client();
        drop([server.waiting("BLPOP k 0"), server.waiting("BRPOPLPUSH k l 0")]);
        until("the state is reached", || waiting(&mut other) == 0);
        other.say("RPUSH k x");
        assert_eq!(entries(&mut other, "k"), array(&["x"]));
    });
}

#[test]
fn what_is_sent_while_waiting_is_run_afterwards() {
    on(&["3.0", "7.0", "7.4"], |server| {
        let mut other = server.client();
        let mut client = server.client();
        client.send_bytes(b"BLPOP k 0\r\nPING\r\nBLPOP k 0\r\nPI");
        until("the state is reached", || waiting(&mut other) == 1);
        other.say("RPUSH k 1");
        assert_eq!(client.read(), array(&["k", "1"]));
        assert_eq!(client.read(), Reply::Status(b"PONG".to_vec()));
        until("the state is reached", || waiting(&mut other) == 1);
        other.say("RPUSH k 2");
        assert_eq!(client.read(), array(&["k", "2"]));
        client.send_bytes(b"NG\r\n");
        assert_eq!(client.read(), Reply::Status(b"PONG".to_vec()));
    });
}

#[test]
fn a_client_that_wants_no_replies_gets_none_after_waiting() {
    on(&["4.0", "7.0", "7.4"], |server| {
        let mut other = server.client();
        let mut client = server.client();
        client.send_bytes(b"CLIENT REPLY SKIP\r\n");
        wait(&mut other, &mut client, "BLPOP k 0");
        other.say("RPUSH k 1");
        assert_eq!(client.say("ECHO after"), bulk("after"));
        client.send_bytes(b"CLIENT REPLY OFF\r\n");
        wait(&mut other, &mut client, "BLPOP k 0");
        other.say("RPUSH k 2");
        assert_eq!(client.say("CLIENT REPLY ON"), Reply::Status(b"OK".to_vec()));
        assert_eq!(other.say("LLEN k"), Reply::Integer(0));
    });
}

#[test]
fn blocked_clients_are_counted_as_long_as_they_wait() {
    on(&RELEASES, |server| {
        let mut other = server.client();
        let mut count = || {
            let info = other.say("INFO clients").text();
            info.lines().find_map(|line| line.strip_prefix("blocked_clients:").map(str::to_owned))
        };
        assert_eq!(count().as_deref(), Some("0"));
        let mut client = server.waiting("BLPOP k 0");
        assert_eq!(count().as_deref(), Some("1"));
        // In one batch: whoever has been served does not count from then on.
        other.send_bytes(b"RPUSH k x\r\nINFO clients\r\n");
        other.read();
        assert!(other.read().text().contains("blocked_clients:0"));
        assert_eq!(client.read(), array(&["k", "x"]));
    });
}

#[test]
fn serving_is_published_by_the_releases_that_do_so() {
    on(&RELEASES, |server| {
        let mut other = server.client();
        let mut pop = server.waiting("BRPOP k 0");
        let mut from_to = server.waiting("BRPOPLPUSH source destination 0");
        let mut listener = server.client();
        listener.say("PSUBSCRIBE __keyspace@0__:*");
        other.say("RPUSH k x");
        other.say("RPUSH source x");
        pop.read();
        from_to.read();
        other.say("SET end x");
        let mut events = Vec::new();
        loop {
            let message = listener.read();
            let [_, _, channel, event] = message.elements() else { panic!("{message:?} is not a message") };
            let key = channel.text().replace("__keyspace@0__:", "");
            if key == "end" {
                break;
            }
            events.push(format!("{} {key}", event.text()));
        }
        let expected: &[&str] = if server.is("5.0") {
            &["rpush k", "rpop k", "del k", "rpush source", "lpush destination", "rpop source", "del source"]
        } else {
            &["rpush k", "rpush source", "lpush destination"]
        };
        assert_eq!(events, expected);
    });
}

#[test]
fn nothing_is_lost_between_serving_and_giving_up() {
    for release in ["6.2", "7.4"] {
        let program = Program::redis(release, &[]);
        let address = program.address();
        let done = AtomicBool::new(false);
        let (pushed, popped) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for number in 0..4 {
                let (done, popped) = (&done, &popped);
                scope.spawn(move || {
                    let mut client = Client::connect(address);
                    // Two keys, so that there is still one to be pushed to when the other has served.
                    let keys = if number % 2 == 0 { ["BLPOP", "a", "b"] } else { ["BRPOP", "b", "a"] };
                    while !done.load(Ordering::Relaxed) {
                        match client.run(&[keys[0], keys[1], keys[2], "0.001"]) {
                            Reply::Array(_) => drop(popped.fetch_add(1, Ordering::Relaxed)),
                            other => assert_eq!(other, Reply::NilArray),
                        }
                    }
                });
            }
            let producers: Vec<_> = ["a", "b"]
                .map(|key| {
                    let pushed = &pushed;
                    scope.spawn(move || {
                        let mut client = Client::connect(address);
                        for _ in 0..5_000 {
                            client.run(&["RPUSH", key, "x"]);
                            pushed.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                })
                .into();
            for producer in producers {
                producer.join().expect("a producer ends");
            }
            done.store(true, Ordering::Relaxed);
        });
        let mut client = program.client();
        let left = client.say("LLEN a").integer() + client.say("LLEN b").integer();
        assert_eq!(popped.into_inner() + left as usize, pushed.into_inner(), "release {release}");
    }
}

/// Entries of one field `f` of a stream, by their ids and values, as `XREAD` gives them in RESP2.
fn stream(key: &str, entries: &[(&str, &str)]) -> Reply {
    let entry = |(id, value): &(&str, &str)| Reply::Array(vec![bulk(id), array(&["f", value])]);
    Reply::Array(vec![bulk(key), Reply::Array(entries.iter().map(entry).collect())])
}

/// What `XREAD` gives of one stream.
fn streams(key: &str, entries: &[(&str, &str)]) -> Reply {
    Reply::Array(vec![stream(key, entries)])
}

#[test]
fn one_entry_serves_all_who_read_the_stream() {
    on(&["5.0", "6.2", "7.0", "7.4"], |server| {
        let mut writer = server.client();
        writer.say("XADD s 1-0 f old");
        let mut clients: Vec<Client> =
            ["XREAD BLOCK 0 STREAMS s $", "XREAD COUNT 5 BLOCK 0 STREAMS other s 0 1"]
                .map(|command| server.waiting(command))
                .into();
        if server.is("6.2") {
            let mut client = server.client();
            client.say("HELLO 3");
            wait(&mut writer, &mut client, "XREAD BLOCK 0 STREAMS s 1-0");
            writer.say("XADD s 2-0 f new");
            let Reply::Array(elements) = streams("s", &[("2-0", "new")]) else { unreachable!() };
            let [stream] = &elements[..] else { unreachable!() };
            let [key, entries] = stream.elements() else { unreachable!() };
            assert_eq!(client.read(), Reply::Map(vec![(key.clone(), entries.clone())]));
        } else {
            writer.say("XADD s 2-0 f new");
        }
        for client in &mut clients {
            assert_eq!(client.read(), streams("s", &[("2-0", "new")]));
        }
        until("the state is reached", || waiting(&mut writer) == 0);
    });
}

#[test]
fn what_ids_stand_for_is_decided_when_the_wait_begins() {
    on(&["5.0", "7.0", "7.4"], |server| {
        let mut writer = server.client();
        writer.say("XADD s 5-0 f a");
        let mut client = server.waiting("XREAD BLOCK 0 STREAMS none s $ $");
        writer.say("XDEL s 5-0");
        writer.say("XGROUP CREATE s g 0");
        assert!(still_waits(&mut client));
        writer.say("DEL s");
        writer.say("XADD s 5-0 f again");
        assert!(still_waits(&mut client), "it is not after what was there");
        writer.say("SET none text");
        assert!(still_waits(&mut client));
        writer.say("XADD s 5-1 f b");
        assert_eq!(client.read(), streams("s", &[("5-1", "b")]));
    });
}

#[test]
fn the_last_entry_can_be_read_and_waited_for() {
    on(&["7.4"], |server| {
        let mut client = server.client();
        for line in ["XADD s 1-0 f a", "XADD s 2-0 f b", "XADD s 3-0 f c", "XDEL s 3-0"] {
            client.say(line);
        }
        assert_eq!(client.say("XREAD COUNT 10 STREAMS s +"), streams("s", &[("2-0", "b")]));
        assert_eq!(client.say("XREAD STREAMS none +"), Reply::NilArray);
        client.say("XTRIM s MAXLEN 0");
        let mut waiting = server.waiting("XREAD BLOCK 0 STREAMS s +");
        client.say("XADD s 3-1 f d");
        assert_eq!(waiting.read(), streams("s", &[("3-1", "d")]));
        client.say("XGROUP CREATE s g 0");
        let refused = client.say("XREADGROUP GROUP g c STREAMS s +");
        assert!(refused.text().starts_with("ERR The + ID is meaningless in the context of XREADGROUP"));
    });
    on(&["5.0", "7.0"], |server| {
        let expected = error("ERR Invalid stream ID specified as stream command argument");
        assert_eq!(server.client().say("XREAD STREAMS s +"), expected);
    });
}

#[test]
fn of_a_group_one_consumer_gets_an_entry() {
    on(&["5.0", "6.2", "7.0", "7.4"], |server| {
        let mut writer = server.client();
        for line in ["XGROUP CREATE s g $ MKSTREAM", "XGROUP CREATE s h $"] {
            writer.say(line);
        }
        let mut first = server.waiting("XREADGROUP GROUP g a BLOCK 0 STREAMS s >");
        let mut second = server.waiting("XREADGROUP GROUP g b BLOCK 0 NOACK STREAMS s >");
        let mut other = server.waiting("XREADGROUP GROUP h a BLOCK 0 STREAMS s >");
        let consumers = writer.say("XINFO CONSUMERS s g").elements().len();
        assert_eq!(consumers, if server.is("7.4") { 2 } else { 0 }, "from 7.2 on waiting makes a consumer");
        writer.say("XADD s 1-0 f x");
        assert_eq!(first.read(), streams("s", &[("1-0", "x")]));
        assert_eq!(other.read(), streams("s", &[("1-0", "x")]));
        assert!(still_waits(&mut second));
        writer.say("XADD s 2-0 f y");
        assert_eq!(second.read(), streams("s", &[("2-0", "y")]));
        let one = Reply::Array(vec![
            Reply::Integer(1),
            bulk("1-0"),
            bulk("1-0"),
            Reply::Array(vec![array(&["a", "1"])]),
        ]);
        assert_eq!(writer.say("XPENDING s g"), one, "who needs not acknowledge has nothing pending");
    });
}

#[test]
fn who_reads_as_a_group_learns_that_the_stream_has_gone() {
    on(&["5.0", "6.2", "7.0", "7.4"], |server| {
        let mut writer = server.client();
        let ends: &[(&str, &[&str], &str)] = &[
            ("DEL", &["DEL s"], "UNBLOCKED the stream key no longer exists"),
            ("another type", &["SET s text"], "UNBLOCKED the stream key no longer exists"),
            ("RENAME", &["RENAME s t"], "UNBLOCKED the stream key no longer exists"),
            ("expiry", &["PEXPIRE s 1"], "UNBLOCKED the stream key no longer exists"),
            ("FLUSHALL", &["FLUSHALL"], "UNBLOCKED the stream key no longer exists"),
            ("SWAPDB", &["SWAPDB 0 1"], "UNBLOCKED the stream key no longer exists"),
            (
                "DESTROY",
                &["XGROUP DESTROY s g"],
                "NOGROUP the consumer group this client was blocked on no longer exists",
            ),
            (
                "another stream",
                &["MULTI", "DEL s", "XADD s 9-0 f x", "EXEC"],
                "NOGROUP the consumer group this client was blocked on no longer exists",
            ),
        ];
        for (what, lines, told) in ends {
            writer.say("FLUSHALL");
            writer.say("XGROUP CREATE s g $ MKSTREAM");
            let mut client = server.waiting("XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
            for line in *lines {
                assert!(!writer.say(line).is_error(), "{line}");
            }
            let expected = match *told {
                told if told.starts_with("UNBLOCKED") && !server.is("7.0") => {
                    // Earlier releases notice when there is a stream again.
                    assert!(still_waits(&mut client), "{what}");
                    writer.say("DEL s");
                    writer.say("XADD s 9-0 f x");
                    error("NOGROUP the consumer group this client was blocked on no longer exists")
                }
                _ if server.is("7.4") && *what == "another type" => wrong_type(),
                _ if server.is("7.4") => {
                    error("NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option")
                }
                told => error(told),
            };
            assert_eq!(client.read(), expected, "{what}");
        }
    });
}

#[test]
fn of_several_streams_that_become_ready_at_once_the_release_chooses() {
    on(&["5.0", "7.0", "7.4"], |server| {
        let mut writer = server.client();
        let mut client = server.waiting("XREAD BLOCK 0 STREAMS a b 0 0");
        for line in ["MULTI", "XADD b 1-0 f x", "XADD a 1-0 f y", "EXEC"] {
            writer.say(line);
        }
        let expected = if server.is("7.4") {
            Reply::Array(vec![stream("a", &[("1-0", "y")]), stream("b", &[("1-0", "x")])])
        } else {
            streams("b", &[("1-0", "x")])
        };
        assert_eq!(client.read(), expected);
    });
}

#[test]
fn who_has_waited_long_does_not_get_everything_at_once() {
    on(&["5.0", "7.0", "7.4"], |server| {
        let mut writer = server.client();
        let mut client = server.waiting("XREAD BLOCK 0 STREAMS s 0");
        writer.say("MULTI");
        (1..=1_001).for_each(|ms| drop(writer.say(&format!("XADD s {ms}-0 f x"))));
        writer.say("EXEC");
        let read = client.read();
        let entries = read.elements()[0].elements()[1].elements().len();
        assert_eq!(entries, if server.is("7.4") { 1_001 } else { 1_000 });
    });
}

#[test]
fn reading_in_transactions_does_not_wait() {
    on(&["5.0", "6.2", "7.0", "7.4"], |server| {
        let mut client = server.client();
        client.say("XGROUP CREATE s g 0 MKSTREAM");
        for line in [
            "MULTI",
            "XREAD BLOCK 0 STREAMS s $",
            "XREADGROUP GROUP g c BLOCK 0 STREAMS s >",
            "XADD s 1-0 f x",
            "XREAD BLOCK 0 STREAMS s 0",
            "XREAD BLOCK -1 STREAMS s 0",
        ] {
            client.say(line);
        }
        let expected = vec![
            Reply::NilArray,
            Reply::NilArray,
            bulk("1-0"),
            streams("s", &[("1-0", "x")]),
            error("ERR timeout is negative"),
        ];
        assert_eq!(client.say("EXEC"), Reply::Array(expected));
    });
}

#[test]
fn groups_are_not_part_of_what_transactions_watch() {
    on(&["7.0", "7.4"], |server| {
        let (mut client, mut other) = (server.client(), server.client());
        for line in ["XADD s 1-0 f a", "XADD s 2-0 f b", "XGROUP CREATE s g 0"] {
            client.say(line);
        }
        let beside = [
            "XREADGROUP GROUP g c COUNT 1 STREAMS s >",
            "XREADGROUP GROUP g c STREAMS s 0",
            "XCLAIM s g d 0 1-0",
            "XAUTOCLAIM s g e 0 0",
            "XACK s g 1-0",
            "XGROUP CREATE s h 0",
            "XGROUP SETID s g 0",
            "XGROUP CREATECONSUMER s g x",
            "XGROUP DELCONSUMER s g x",
            "XGROUP DESTROY s h",
            "XSETID s 7-0",
        ];
        for (lines, holds) in [(&beside[..], true), (&["XADD s 8-0 f c"], false), (&["XDEL s 1-0"], false)] {
            client.say("WATCH s");
            for line in lines {
                assert!(!other.say(line).is_error(), "{line}");
            }
            client.say("MULTI");
            let expected = if holds { Reply::Array(Vec::new()) } else { Reply::NilArray };
            assert_eq!(client.say("EXEC"), expected, "{lines:?}");
        }
        client.say("WATCH new");
        other.say("XGROUP CREATE new g 0 MKSTREAM");
        client.say("MULTI");
        assert_eq!(client.say("EXEC"), Reply::NilArray, "a key that is made is a change");
    });
}

#[test]
fn events_of_streams_come_in_order() {
    on(&["5.0", "6.2", "7.0", "7.4"], |server| {
        let (mut client, mut listener) = (server.client(), server.client());
        listener.say("PSUBSCRIBE __keyevent@0__:*");
        let mut run = |lines: &[&str]| {
            for line in lines {
                assert!(!client.say(line).is_error(), "{line}");
            }
        };
        run(&[
            "XADD s 1-0 f a",
            "XADD s MAXLEN 1 2-0 f b",
            "XADD s MAXLEN 9 3-0 f c",
            "XTRIM s MAXLEN 9",
            "XDEL s 9-9",
            "XGROUP CREATE s g 0",
            "XREADGROUP GROUP g c STREAMS s >",
            "XCLAIM s g d 0 2-0",
            "XACK s g 2-0",
            "XGROUP SETID s g 0",
            "XGROUP DELCONSUMER s g nobody",
            "XGROUP DELCONSUMER s g c",
            "XGROUP DESTROY s g",
            "XGROUP DESTROY s g",
            "XSETID s 9-0",
            "XDEL s 2-0",
            "XTRIM s MAXLEN 0",
            "SET end x",
        ]);
        let mut events = Vec::new();
        loop {
            let message = listener.read();
            let [_, _, channel, key] = message.elements() else { panic!("{message:?} is not a message") };
            if key.text() == "end" {
                break;
            }
            events.push(channel.text().replace("__keyevent@0__:", ""));
        }
        let implicit: &[&str] =
            if server.is("7.0") { &["xgroup-createconsumer", "xgroup-createconsumer"] } else { &[] };
        let in_vain: &[&str] = if server.is("7.0") { &[] } else { &["xgroup-delconsumer"] };
        let expected = [
            &["xadd", "xadd", "xtrim", "xadd", "xgroup-create"],
            implicit,
            &["xgroup-setid"],
            in_vain,
            &["xgroup-delconsumer", "xgroup-destroy", "xsetid", "xdel", "xtrim"],
        ];
        assert_eq!(events, expected.concat());
    });
}

/// The releases that have commands that wait for sorted sets.
const WITH_ZSETS: [&str; 4] = ["5.0", "6.2", "7.0", "7.4"];

#[test]
fn one_zadd_of_many_members_serves_many_clients_in_their_order() {
    on(&WITH_ZSETS, |server| {
        let mut adder = server.client();
        let mut clients: Vec<Client> = ["BZPOPMIN z 0", "BZPOPMAX other z 0", "BZPOPMIN z 0"]
            .map(|command| server.waiting(command))
            .into();
        assert_eq!(adder.say("ZADD z 1 a 2 b 3 c 4 d"), Reply::Integer(4));
        let replies: Vec<Reply> = clients.iter_mut().map(Client::read).collect();
        assert_eq!(replies, [array(&["z", "a", "1"]), array(&["z", "d", "4"]), array(&["z", "b", "2"])]);
        assert_eq!(adder.say("ZRANGE z 0 -1"), array(&["c"]));
        until("the state is reached", || waiting(&mut adder) == 0);
    });
}

#[test]
fn whatever_makes_a_sorted_set_serves_those_who_wait_for_it() {
    on(&WITH_ZSETS, |server| {
        let mut maker = server.client();
        let ways = [
            "ZINCRBY z 5 m",
            "ZUNIONSTORE z 1 source",
            "ZINTERSTORE z 2 source source WEIGHTS 1 0",
            "GEORADIUS places 0 0 1 km STOREDIST z",
            "RENAME source z",
            "MULTI|ZADD z 1 a 5 m|ZREM z a|EXEC",
            "MULTI|SADD z x|DEL z|ZADD z 5 m|EXEC",
            "ZRANGESTORE z source 0 0",
            "COPY source z",
            "GEOSEARCHSTORE z places FROMLONLAT 0 0 BYRADIUS 1 km STOREDIST",
        ];
        let is_new =
            |way: &str| ["ZRANGESTORE", "COPY", "GEOSEARCHSTORE"].iter().any(|name| way.starts_with(name));
        for way in ways.into_iter().filter(|way| server.is("6.2") || !is_new(way)) {
            for line in ["DEL z source places", "ZADD source 5 m", "GEOADD places 0 0 m"] {
                maker.say(line);
            }
            let mut client = server.waiting("BZPOPMAX none z 0");
            way.split('|').for_each(|line| drop(maker.say(line)));
            let reply = client.read();
            let [key, member, _] = reply.elements() else { panic!("{way}: {reply:?}") };
            assert_eq!((key, member), (&bulk("z"), &bulk("m")), "{way}");
            assert_eq!(maker.say("EXISTS z"), Reply::Integer(0), "{way}");
        }
    });
}

#[test]
fn a_key_of_another_type_serves_nobody_who_waits_for_a_sorted_set() {
    on(&WITH_ZSETS, |server| {
        let mut maker = server.client();
        let mut client = server.waiting("BZPOPMIN z 0");
        for line in ["RPUSH z a", "DEL z", "MULTI", "ZADD z 1 a", "ZPOPMIN z", "EXEC"] {
            maker.say(line);
        }
        assert!(still_waits(&mut client));
        maker.say("ZADD z 1.5 b");
        assert_eq!(client.read(), array(&["z", "b", "1.5"]));
    });
}

#[test]
fn bzmpop_takes_as_many_as_there_are() {
    on(&["7.0", "7.4"], |server| {
        let mut adder = server.client();
        let mut client = server.waiting("BZMPOP 0 2 none z MAX COUNT 2");
        let mut other = server.waiting("BZMPOP 0 1 z MIN COUNT 9");
        adder.say("ZADD z 1 a 2 b 3 c");
        let pairs = |pairs: &[[&str; 2]]| Reply::Array(pairs.iter().map(|pair| array(pair)).collect());
        assert_eq!(client.read(), Reply::Array(vec![bulk("z"), pairs(&[["c", "3"], ["b", "2"]])]));
        assert_eq!(other.read(), Reply::Array(vec![bulk("z"), pairs(&[["a", "1"]])]));
        assert_eq!(client.say("BZMPOP 0.01 1 z MIN"), Reply::NilArray);
        assert_eq!(adder.say("EXISTS z"), Reply::Integer(0));
    });
}

#[test]
fn nobody_acknowledges_while_there_are_no_replicas() {
    on(&["3.0", "5.0", "7.0", "7.4"], |server| {
        let mut client = server.client();
        assert_eq!(client.say("WAIT 0 0"), Reply::Integer(0), "as many as there are");
        assert_eq!(client.say("WAIT -1 0"), Reply::Integer(0));
        assert_eq!(client.say("WAIT 1 1"), Reply::Integer(0), "its time is up");
        assert_eq!(client.say("WAIT 1 -1"), error("ERR timeout is negative"));
        assert_eq!(client.say("WAIT x 0"), error("ERR value is not an integer or out of range"));
        client.say("MULTI");
        client.say("WAIT 1 0");
        assert_eq!(client.say("EXEC"), Reply::Array(vec![Reply::Integer(0)]), "a transaction does not wait");
        if server.is("5.0") {
            let id = client.say("CLIENT ID").integer();
            wait(&mut server.client(), &mut client, "WAIT 1 0");
            server.client().say(&format!("CLIENT UNBLOCK {id}"));
            assert_eq!(client.read(), Reply::Integer(0));
        }
    });
}
