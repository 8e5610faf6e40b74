//! Keys that outlive their process: `SAVE`, `BGSAVE`, the rules, `SHUTDOWN`, and what is loaded at the start.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;
use testkit::program::carnelian;
use testkit::{
    Client, Loaded, Oracle, Program, REAL_RELEASES, Reply, SaveCost, Server, real_program, signal, until,
};

const RELEASES: [&str; 6] = ["3.0", "4.0", "5.0", "6.2", "7.0", "7.4"];
const FILE: &str = "dump.rdb";

/// A reply in a word.
fn shown(reply: &Reply) -> String {
    match reply {
        Reply::Status(_) | Reply::Error(_) | Reply::Bulk(_) => reply.text(),
        Reply::Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn say(client: &mut Client, line: &str, expected: &str) {
    assert_eq!(shown(&client.say(line)), expected, "{line}");
}

/// Some of everything that a release knows.
fn fill(client: &mut Client, release: &str) {
    for line in [
        "SET text hello",
        "SET number 12345",
        "SET expires soon EX 100000",
        "RPUSH list a b 3 4",
        "SADD ints 1 2 3",
        "SADD words one two three",
        "HSET hash field value",
        "ZADD scores 1 one 2.5 two -inf least",
        "SELECT 3",
        "SET elsewhere yes",
        "SELECT 0",
    ] {
        let reply = client.say(line);
        assert!(!matches!(reply, Reply::Error(_)), "{line}: {reply:?}");
    }
    if !matches!(release, "3.0" | "4.0") {
        client.say("XADD stream 5-1 f v");
        client.say("XGROUP CREATE stream group 0");
        client.say("XREADGROUP GROUP group me COUNT 1 STREAMS stream >");
    }
    if release == "7.4" {
        client.say("HSET fading a 1 b 2");
        client.say("HEXPIRE fading 100000 FIELDS 1 a");
    }
    for number in 0..200 {
        client.run(&["RPUSH", "long", &format!("a somewhat longer element {number}")]);
        client.run(&["HSET", "big", &number.to_string(), "v"]);
    }
}

#[test]
fn keys_come_back_as_they_were() {
    for release in RELEASES {
        let folder = tempfile::tempdir().unwrap();
        let config = [("enable-debug-command", "yes")];
        let config = if release.starts_with('7') { &config[..] } else { &[] };
        let program = Program::redis_in(folder.path(), release, config);
        let mut client = program.client();
        fill(&mut client, release);
        let before = client.digest();
        say(&mut client, "DEBUG RELOAD", "OK");
        assert_eq!(client.digest(), before, "{release}");
        say(&mut client, "SAVE", "OK");
        assert_eq!(client.info("rdb_changes_since_last_save"), "0");
        say(&mut client, "SET late yes", "OK");
        let before = client.digest();
        assert!(program.stop(), "{release}");

        let program = Program::redis_in(folder.path(), release, config);
        let mut client = program.client();
        assert_eq!(client.digest(), before, "{release}");
        assert_eq!(client.info("loading"), "0");
        let ttl = client.say("TTL expires").integer();
        assert!((99_000..=100_000).contains(&ttl), "{ttl}");
    }
}

#[test]
fn what_is_killed_comes_back_as_of_its_last_save() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::redis_in(folder.path(), "7.4", &[]);
    let mut client = program.client();
    for number in 0..1000 {
        client.run(&["SET", &number.to_string(), "v"]);
    }
    say(&mut client, "BGSAVE", "Background saving started");
    until("the keys have been saved", || client.info("rdb_saves") == "1");
    assert_eq!(client.info("rdb_last_bgsave_status"), "ok");
    say(&mut client, "SET late yes", "OK");
    assert_eq!(client.info("rdb_changes_since_last_save"), "1");
    drop(program);
    let program = Program::redis_in(folder.path(), "7.4", &[]);
    say(&mut program.client(), "DBSIZE", "1000");
    let temporary =
        fs::read_dir(folder.path()).unwrap().filter(|entry| entry.as_ref().unwrap().file_name() != FILE);
    assert_eq!(temporary.count(), 0, "nothing is left over");
}

/// Makes what files keep in all their forms: what expires soon, values that are packed, and numbers in all widths.
fn fill_further(client: &mut Client) {
    for line in [
        "SET n8 -128",
        "SET n16 32767",
        "SET n32 -2147483648",
        "SET n64 9223372036854775807",
        "SADD wide -9223372036854775808 1",
        "ZADD far 4503599627370497.5 max -0.5 least",
    ] {
        assert!(!client.say(line).is_error(), "{line}");
    }
    client.run(&["SET", "compresses", &"abc".repeat(5000)]);
}

/// What a release needs in order to tell a digest.
fn debug(release: &str) -> &'static [(&'static str, &'static str)] {
    if release >= "7" { &[("enable-debug-command", "yes")] } else { &[] }
}

#[test]
fn the_files_of_each_release_are_taken_by_its_tools_and_its_servers() {
    // The version that servers of the release write, as their files say.
    for (release, version) in [("3.0", 6), ("4.0", 8), ("5.0", 9), ("6.2", 9), ("7.0", 10), ("7.4", 12)] {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::redis_in(folder.path(), release, debug(release));
        let mut client = program.client();
        fill(&mut client, release);
        fill_further(&mut client);
        let before = client.digest();
        say(&mut client, "SAVE", "OK");
        drop(program);
        let path = folder.path().join(FILE);
        let bytes = fs::read(&path).unwrap();
        assert_eq!(&bytes[..9], format!("REDIS{version:04}").as_bytes(), "{release}");
        let directory = folder.path().to_str().unwrap();
        // Real servers of the release and of all later ones.
        for reader in REAL_RELEASES.iter().filter(|reader| **reader >= release) {
            let Some(mut check) = real_program(reader, "redis-check-rdb") else { return };
            let checked = check.arg(&path).output().unwrap();
            let said = String::from_utf8_lossy(&checked.stdout);
            assert!(checked.status.success(), "{release}, checked by {reader}: {said}");
            let sound = if *reader == "3.0" { "CRC64 checksum is OK" } else { "RDB looks OK" };
            assert!(said.contains(sound), "{release}, checked by {reader}: {said}");
            let Some(oracle) = Oracle::of(reader, &["--dir", directory]) else { return };
            assert_eq!(oracle.client().digest(), before, "{release}, read by {reader}");
        }
        // And each release of ours reads the files of those before it.
        for reader in RELEASES.iter().filter(|reader| **reader >= release) {
            let program = Program::redis_in(folder.path(), reader, debug(reader));
            assert_eq!(program.client().digest(), before, "{release}, read by {reader}");
        }
    }
}

#[test]
fn the_files_of_real_servers_are_read_and_given_back() {
    for release in REAL_RELEASES {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().to_str().unwrap();
        let Some(oracle) = Oracle::of(release, &["--dir", directory]) else { return };
        let mut real = oracle.client();
        fill(&mut real, release);
        fill_further(&mut real);
        let before = real.digest();
        say(&mut real, "SAVE", "OK");
        drop(oracle);
        let program = Program::redis_in(folder.path(), release, debug(release));
        let mut client = program.client();
        assert_eq!(client.digest(), before, "{release}");
        say(&mut client, "RPUSH added by the other one", "4");
        let before = client.digest();
        assert!(program.stop());
        let Some(oracle) = Oracle::of(release, &["--dir", directory]) else { return };
        assert_eq!(oracle.client().digest(), before, "{release}");
    }
}

/// The keys of the next test: as many as a build without optimisation makes and saves in some seconds.
const KEYS: usize = 200_000;
/// The longest that a command may take because of a save.
const HOLD_UP: Duration = Duration::from_millis(10);
/// On a busy machine any command may be held up: of so many saves one has to keep to the limit.
const TRIES: usize = 8;

#[test]
fn a_save_under_full_load_takes_little_memory_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::redis_in(folder.path(), "7.0", &[("save", "")]);
    let Some(mut loaded) = Loaded::begin(program.address(), program.id(), KEYS) else { return };
    let mut costs: Vec<SaveCost> = Vec::new();
    // A key that is overwritten meanwhile is to be saved as it was: there have to be enough of them to be noticed. With one of
    // twenty a server that forks copies a quarter of its pages, as each has six or seven keys. What a machine does to commands
    // by itself is nothing that a save does.
    let says_nothing = |cost: &SaveCost| {
        cost.commands < KEYS as u64 / 20 || cost.slowest >= cost.slowest_before.max(HOLD_UP)
    };
    while costs.last().is_none_or(says_nothing) {
        assert!(costs.len() < TRIES, "{costs:?}");
        // Until the first, most keys have been overwritten at least once: what that takes is there before.
        let warm_up = if costs.is_empty() { 5 } else { 1 };
        costs.push(loaded.save(Duration::from_secs(warm_up)));
        // Memory that is taken once may be kept for the next save.
        let (before, at_most) = (costs[0].bytes_before, costs[costs.len() - 1].bytes_at_most);
        assert!(at_most < before + before / 10, "{costs:?}");
    }
}

#[test]
fn a_rule_saves_what_has_changed_without_being_asked() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::redis_in(folder.path(), "7.4", &[("save", "1 3")]);
    let mut client = program.client();
    say(&mut client, "SET a 1", "OK");
    say(&mut client, "SET b 1", "OK");
    // Enough time for a rule that does not count.
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(client.info("rdb_saves"), "0");
    say(&mut client, "SET c 1", "OK");
    until("the rule is followed", || client.info("rdb_saves") == "1");
    assert_eq!(client.info("rdb_changes_since_last_save"), "0");
    drop(program);
    let program = Program::redis_in(folder.path(), "7.4", &[]);
    say(&mut program.client(), "DBSIZE", "3");
}

#[test]
fn a_damaged_file_is_refused_with_the_place_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::redis_in(folder.path(), "7.4", &[("enable-debug-command", "yes")]);
    let mut client = program.client();
    fill(&mut client, "7.4");
    say(&mut client, "SAVE", "OK");
    let before = client.digest();
    let path = folder.path().join(FILE);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    say(&mut client, "DEBUG RELOAD NOSAVE", "ERR Error trying to load the RDB dump, check server logs.");
    assert_eq!(client.digest(), before);
    drop(program);
    let mut command = Command::new(carnelian());
    command.current_dir(folder.path()).args(["redis", "--port", "0"]).env_clear();
    let refused = command.output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    let name = path.canonicalize().unwrap();
    assert!(said.contains(&format!("{} cannot be loaded: at byte ", name.display())), "{said}");
    assert_eq!(fs::read(&path).unwrap().len(), whole.len() / 2, "the file is still there");
}

/// What a server answers where the disk takes nothing, and once it does.
fn without_a_disk(client: &mut Client, folder: &Path) -> Vec<String> {
    let gone = folder.join("gone");
    let (folder, gone) = (folder.to_str().unwrap().to_owned(), gone.to_str().unwrap().to_owned());
    fs::create_dir(&gone).unwrap();
    let mut answers = Vec::new();
    let mut set = |client: &mut Client, name: &str, value: &str| {
        let reply = shown(&client.run(&["CONFIG", "SET", name, value]));
        answers.push(format!("{name}: {reply}"));
    };
    set(client, "save", "3600 1");
    set(client, "dir", &gone);
    fs::remove_dir(&gone).unwrap();
    set(client, "dir", &gone);
    let ask = |client: &mut Client, line: &str| format!("{line}: {}", shown(&client.say(line)));
    answers.push(ask(client, "SAVE"));
    answers.push(ask(client, "BGSAVE"));
    until("the failure is known", || client.info("rdb_last_bgsave_status") == "err");
    for line in
        ["SET a 1", "GET a", "PING", "DEL a", "PUBLISH c m", "MULTI", "SET a 1", "GET a", "EXEC", "INCR a"]
    {
        answers.push(ask(client, line));
    }
    client.say("CONFIG SET stop-writes-on-bgsave-error no");
    answers.push(ask(client, "SET a 1"));
    client.say("CONFIG SET stop-writes-on-bgsave-error yes");
    answers.push(ask(client, "SET a 2"));
    client.run(&["CONFIG", "SET", "dir", &folder]);
    answers.push(ask(client, "SAVE"));
    answers.push(ask(client, "SET a 3"));
    answers
}

#[test]
fn nothing_is_written_while_it_cannot_be_saved() {
    let folder = tempfile::tempdir().unwrap();
    let config = [("enable-protected-configs", "yes")];
    let program = Program::redis_in(folder.path(), "7.0", &config);
    let real_path = folder.path().canonicalize().unwrap();
    let ours = without_a_disk(&mut program.client(), &real_path);
    assert!(ours.iter().any(|answer| answer.starts_with("SET a 1: MISCONF")), "{ours:#?}");
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_str().unwrap();
    let Some(oracle) = Oracle::start_with(&["--dir", directory, "--enable-protected-configs", "yes"]) else {
        return;
    };
    let theirs = without_a_disk(&mut oracle.client(), folder.path());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
}

#[test]
fn a_shutdown_saves_if_it_is_to() {
    for (how, config, kept) in [
        ("SHUTDOWN", &[][..], true),
        ("SHUTDOWN NOSAVE", &[], false),
        ("SHUTDOWN", &[("save", "")], false),
        ("SHUTDOWN SAVE", &[("save", "")], true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::redis_in(folder.path(), "7.4", config);
        let mut client = program.client();
        say(&mut client, "SET a 1", "OK");
        assert_eq!(client.say(how), Reply::Closed);
        assert!(program.ended());
        assert_eq!(folder.path().join(FILE).exists(), kept, "{how} {config:?}");
    }
}

#[test]
fn what_is_acknowledged_during_a_shutdown_is_saved() {
    for config in [&[][..], &[("appendonly", "yes"), ("save", "")]] {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::redis_in(folder.path(), "7.4", config);
        let mut client = program.client();
        for number in 0..20_000 {
            client.run(&["SET", &format!("filling:{number}"), "value"]);
        }
        let writers: Vec<_> = (0..4)
            .map(|number| {
                let mut client = program.client();
                std::thread::spawn(move || {
                    let (name, mut last) = (format!("last:{number}"), 0);
                    while let Reply::Status(_) = client.run(&["SET", &name, &(last + 1).to_string()]) {
                        last += 1;
                    }
                    last
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(client.say("SHUTDOWN"), Reply::Closed);
        assert!(program.ended());
        let program = Program::redis_in(folder.path(), "7.4", config);
        let mut client = program.client();
        for (number, writer) in writers.into_iter().enumerate() {
            let acknowledged: u64 = writer.join().unwrap();
            let found: u64 = client.say(&format!("GET last:{number}")).text().parse().unwrap();
            assert!(found >= acknowledged, "{config:?}: {found} where {acknowledged} was acknowledged");
        }
    }
}

#[test]
fn while_keys_are_loaded_it_is_told_how_far_and_what_ends_it_keeps_the_file() {
    for ending in ["a signal", "SHUTDOWN", "SHUTDOWN SAVE"] {
        while_loading(|process, client| {
            if ending == "a signal" {
                signal(process.id(), "TERM");
            } else {
                assert_eq!(client.say(ending), Reply::Closed, "{ending}");
            }
        });
    }
}

/// Starts a node that has read half of a file, and waits until `end` has ended it.
fn while_loading(end: impl FnOnce(&Child, &mut Client)) {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::redis_in(folder.path(), "7.0", &[]);
    let mut client = program.client();
    fill(&mut client, "7.0");
    say(&mut client, "SAVE", "OK");
    drop(program);
    let path = folder.path().join(FILE);
    let whole = fs::read(&path).unwrap();
    // What is read from a pipe comes when it is written.
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let mut command = Command::new(carnelian());
    command.current_dir(folder.path()).args(["redis", "--release", "7.0"]).env_clear();
    let mut process = command.args(["--port", &port.port().to_string()]).spawn().unwrap();
    let mut pipe = fs::File::options().write(true).open(&path).unwrap();
    let half = whole.len() / 2;
    pipe.write_all(&whole[..half]).unwrap();
    let mut client = Client::connect(port);
    until("half of it is loaded", || client.info("loading_loaded_bytes") == half.to_string());
    say(&mut client, "GET text", "LOADING Redis is loading the dataset in memory");
    assert_eq!(client.info("loading"), "1");
    assert!(client.info("loading_rdb_used_mem").parse::<u64>().unwrap() > 0);
    end(&process, &mut client);
    assert!(process.wait().unwrap().success());
    assert!(
        !fs::symlink_metadata(&path).unwrap().is_file(),
        "nothing has taken the place of what was loaded"
    );
}

/// What is answered to saves in transactions.
fn saves_in_transactions(client: &mut Client) -> Vec<String> {
    let mut answers = Vec::new();
    for line in ["SAVE", "BGSAVE", "BGSAVE SCHEDULE", "BGREWRITEAOF"] {
        let (saves, rewrites) = (client.info("rdb_saves"), client.info("aof_rewrites"));
        client.say("MULTI");
        answers.push(format!("{line}: {}", shown(&client.say(line))));
        match client.say("EXEC") {
            Reply::Array(replies) => answers.extend(replies.iter().map(shown)),
            other => answers.push(shown(&other)),
        }
        match line {
            "SAVE" => {}
            "BGREWRITEAOF" => until("it is rewritten", || client.info("aof_rewrites") != rewrites),
            _ => until("it is saved", || client.info("rdb_saves") != saves),
        }
        for field in ["rdb_bgsave_in_progress", "aof_rewrite_in_progress", "aof_rewrite_scheduled"] {
            until("it is over", || client.info(field) == "0");
        }
    }
    answers
}

#[test]
fn saves_in_transactions_follow_them() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::redis_in(folder.path(), "7.0", &[]);
    let ours = saves_in_transactions(&mut program.client());
    assert!(ours.contains(&"Background saving scheduled".to_owned()), "{ours:?}");
    let folder = tempfile::tempdir().unwrap();
    let Some(oracle) = Oracle::start_with(&["--dir", folder.path().to_str().unwrap()]) else { return };
    assert_eq!(ours, saves_in_transactions(&mut oracle.client()));
}

#[test]
fn what_was_flushed_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::redis_in(folder.path(), "7.4", &[]);
    let mut client = program.client();
    say(&mut client, "SET a 1", "OK");
    say(&mut client, "SAVE", "OK");
    say(&mut client, "FLUSHALL", "OK");
    drop(program);
    let program = Program::redis_in(folder.path(), "7.4", &[]);
    say(&mut program.client(), "DBSIZE", "0");
}

#[test]
fn an_ephemeral_node_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::ephemeral_in(folder.path());
    let mut client = program.client();
    say(&mut client, "SET a 1", "OK");
    say(&mut client, "SAVE", "OK");
    say(&mut client, "BGSAVE", "Background saving started");
    until("it is over", || client.info("rdb_bgsave_in_progress") == "0");
    assert!(program.stop());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_save_under_load_is_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::redis_in(folder.path(), "7.4", &[]);
    let mut client = program.client();
    // Each transaction adds one to all counters: at every moment they are alike.
    let keys: Vec<String> = (0..2000).map(|number| format!("counter:{number}")).collect();
    let mut set = vec!["MSET"];
    keys.iter().for_each(|key| set.extend([key.as_str(), "0"]));
    client.run(&set);
    let writer = std::thread::spawn({
        let (mut client, keys) = (program.client(), keys.clone());
        move || {
            for round in 1..40 {
                let value = round.to_string();
                let mut set = vec!["MSET"];
                keys.iter().for_each(|key| set.extend([key.as_str(), value.as_str()]));
                client.run(&set);
            }
        }
    });
    let mut saves = 0;
    while !writer.is_finished() || saves == 0 {
        say(&mut client, "SAVE", "OK");
        saves += 1;
        let other = tempfile::tempdir().unwrap();
        fs::copy(folder.path().join(FILE), other.path().join(FILE)).unwrap();
        let copy = Program::redis_in(other.path(), "7.4", &[]);
        let mut get = vec!["MGET"];
        get.extend(keys.iter().map(String::as_str));
        let Reply::Array(values) = copy.client().run(&get) else { panic!("no array") };
        assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
    }
    writer.join().unwrap();
}

#[test]
fn functions_are_carried_along_until_somebody_can_run_them() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_str().unwrap();
    let code = "#!lua name=mine\nredis.register_function('seven', function() return 7 end)";
    {
        let Some(oracle) = Oracle::start_with(&["--dir", directory]) else { return };
        let mut real = oracle.client();
        assert_eq!(real.run(&["FUNCTION", "LOAD", code]).text(), "mine");
        say(&mut real, "SET a 1", "OK");
        say(&mut real, "SAVE", "OK");
    }
    let program = Program::redis_in(folder.path(), "7.0", &[("enable-debug-command", "yes")]);
    let mut client = program.client();
    say(&mut client, "DEBUG RELOAD", "OK");
    say(&mut client, "FLUSHALL", "OK");
    say(&mut client, "SET b 1", "OK");
    assert!(program.stop());
    let Some(oracle) = Oracle::start_with(&["--dir", directory]) else { return };
    let mut real = oracle.client();
    assert_eq!(real.say("FCALL seven 0").integer(), 7);
    assert_eq!(real.say("EXISTS a b").integer(), 1);
}

#[test]
fn how_keys_were_used_is_saved_where_the_policy_wants_to_know() {
    for (policy, question) in [("allkeys-lfu", "OBJECT FREQ k"), ("allkeys-lru", "OBJECT IDLETIME k")] {
        let folder = tempfile::tempdir().unwrap();
        let config = [("maxmemory-policy", policy), ("lfu-log-factor", "0"), ("enable-debug-command", "yes")];
        let program = Program::redis_in(folder.path(), "7.0", &config);
        let mut client = program.client();
        say(&mut client, "SET x 1", "OK");
        let payload = client.say("DUMP x").bytes().to_vec();
        let restore = |client: &mut Client, payload: &[u8]| {
            let access: &[&[u8]] =
                if policy == "allkeys-lfu" { &[b"FREQ", b"77"] } else { &[b"IDLETIME", b"5000"] };
            let mut args: Vec<&[u8]> = vec![b"RESTORE", b"k", b"0", payload];
            args.extend(access);
            assert_eq!(shown(&client.run(&args)), "OK");
        };
        restore(&mut client, &payload);
        say(&mut client, "DEBUG RELOAD", "OK");
        let told = client.say(question).integer();
        let expected = if policy == "allkeys-lfu" { 77..=77 } else { 4_990..=5_100 };
        assert!(expected.contains(&told), "{policy}: {told}");
    }
}

#[test]
fn a_terminal_that_goes_away_is_nothing_to_a_node() {
    let node = Program::redis_with(&[], &[]);
    let mut client = node.client();
    signal(node.id(), "HUP");
    // As many more as it would take to end it twice.
    for _ in 0..100 {
        say(&mut client, "PING", "PONG");
    }
    say(&mut node.client(), "PING", "PONG");
    assert!(node.stop(), "it still ends as it is asked to");
}

/// With `nohup` the cloud stays when its terminal goes.
#[test]
fn whoever_is_to_outlive_the_terminal_does() {
    let mut cloud = Server::start_to_outlive_terminal(&["--ephemeral"]);
    cloud.signal("HUP");
    for _ in 0..20 {
        cloud.token();
    }
    cloud.signal("TERM");
    assert!(cloud.process.wait().expect("it ends").success());
}
