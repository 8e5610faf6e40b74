//! The append-only file: nothing that was acknowledged is lost, and real servers read what is written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::program::carnelian;
use testkit::{Client, Oracle, Program, REAL_RELEASES, Reply, Rng, real_program, until};

fn started(folder: &Path, release: &str, more: &[(&str, &str)]) -> Program {
    let mut config = vec![("appendonly", "yes")];
    if release.starts_with('7') {
        config.push(("enable-debug-command", "yes"));
    }
    config.extend(more);
    Program::redis_in(folder, release, &config)
}

fn rewrite(client: &mut Client) {
    assert_eq!(client.say("BGREWRITEAOF").text(), "Background append only file rewriting started");
    until("the file is rewritten", || client.info("aof_rewrite_in_progress") == "0");
    assert_eq!(client.info("aof_last_bgrewrite_status"), "ok");
}

/// Random changes of all kinds.
fn change(client: &mut Client, rng: &mut Rng) {
    let key = format!("k{}", rng.below(40));
    let value = format!("v{}", rng.below(1000));
    let line = match rng.below(16) {
        0 => format!("SET s{key} {value}"),
        1 => format!("INCR c{key}"),
        2 => format!("RPUSH l{key} {value} {value}x"),
        3 => format!("LPOP l{key}"),
        4 => format!("SADD m{key} {value}"),
        5 => format!("SPOP m{key}"),
        6 => format!("HSET h{key} {value} 1"),
        7 => format!("HINCRBYFLOAT h{key} f 0.5"),
        8 => format!("ZADD z{key} {} {value}", rng.below(100)),
        9 => format!("ZPOPMIN z{key}"),
        10 => format!("EXPIRE s{key} 100000"),
        11 => format!("DEL s{key}"),
        12 => format!("SET s{key} {value} EX 100000"),
        13 => format!("APPEND s{key} {value}"),
        14 => format!("SELECT {}", rng.below(4)),
        _ => format!("RENAME s{key} s{value}"),
    };
    client.say(&line);
}

/// Several clients write as fast as they are answered, until the process is killed; gives what each had acknowledged.
fn write_until_killed(program: Program, writers: usize, milliseconds: u64, from: u64) -> Vec<u64> {
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..writers)
        .map(|number| {
            let (mut client, stop) = (program.client(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut last = from;
                while !stop.load(Ordering::Relaxed) {
                    let next = (last + 1).to_string();
                    // The list says that none is missing, the string that none is stale.
                    let set = client.run(&["SET", &format!("last:{number}"), &next]);
                    let push = client.run(&["RPUSH", &format!("all:{number}"), &next]);
                    if set == Reply::Closed || push == Reply::Closed {
                        break;
                    }
                    assert!(!set.is_error() && !push.is_error(), "{set:?} {push:?}");
                    last += 1;
                }
                last
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(milliseconds));
    drop(program);
    stop.store(true, Ordering::Relaxed);
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

#[test]
fn what_was_acknowledged_is_there_after_any_number_of_kills() {
    for policy in ["always", "everysec"] {
        let folder = tempfile::tempdir().unwrap();
        let config = [("appendfsync", policy), ("auto-aof-rewrite-min-size", "4096")];
        let (mut rng, mut from) = (Rng::new(7), 0);
        for round in 0..12 {
            let program = started(folder.path(), "7.4", &config);
            let acknowledged = write_until_killed(program, 4, 20 + rng.below(120) as u64, from);
            let program = started(folder.path(), "7.4", &config);
            let mut client = program.client();
            for (number, last) in acknowledged.iter().enumerate() {
                let found = client.run(&["GET", &format!("last:{number}")]);
                let found: u64 = if found == Reply::Nil { 0 } else { found.text().parse().unwrap() };
                // Whoever has not been answered at all in this round has written nothing, or as much as one.
                assert!(
                    found >= *last || *last == from,
                    "{policy} {round}: {found} where {last} was acknowledged"
                );
                let all = client.run(&["LRANGE", &format!("all:{number}"), "0", "-1"]);
                let all: Vec<u64> =
                    all.elements().iter().map(|value| value.text().parse().unwrap()).collect();
                assert!(all.len() as u64 >= *last - from, "{policy} {round}: {} of {last}", all.len());
                assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{policy} {round}: {all:?}");
                client.run(&["DEL", &format!("all:{number}")]);
            }
            from = acknowledged.into_iter().max().unwrap() + 1;
        }
    }
}

#[test]
fn keys_come_back_from_every_form_of_the_file() {
    for (release, config) in [
        ("3.0", &[][..]),
        ("4.0", &[]),
        ("4.0", &[("aof-use-rdb-preamble", "yes")]),
        ("5.0", &[]),
        ("6.2", &[("aof-use-rdb-preamble", "no")]),
        ("7.0", &[]),
        ("7.4", &[("aof-use-rdb-preamble", "no")]),
        ("7.4", &[]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = Rng::new(11);
        for round in 0..3 {
            let program = started(folder.path(), release, config);
            let mut client = program.client();
            for _ in 0..300 {
                change(&mut client, &mut rng);
            }
            if round == 1 {
                let rewriting = std::thread::spawn({
                    let mut client = program.client();
                    move || rewrite(&mut client)
                });
                for _ in 0..300 {
                    change(&mut client, &mut rng);
                }
                rewriting.join().unwrap();
            }
            let before = client.digest();
            drop(program);
            let program = started(folder.path(), release, config);
            assert_eq!(program.client().digest(), before, "{release} {config:?} {round}");
        }
    }
}

#[test]
fn real_servers_read_what_is_written_and_the_other_way_round() {
    for release in REAL_RELEASES {
        // Before 5.0 a file has a preamble only where it is asked for.
        for preamble in ["yes", "no"] {
            let known = release > "3.0";
            let config = [("aof-use-rdb-preamble", preamble)];
            let config = if known { &config[..] } else { &[] };
            let folder = tempfile::tempdir().unwrap();
            let mut rng = Rng::new(13);
            let program = started(folder.path(), release, config);
            let mut client = program.client();
            (0..500).for_each(|_| change(&mut client, &mut rng));
            rewrite(&mut client);
            (0..500).for_each(|_| change(&mut client, &mut rng));
            let before = client.digest();
            assert!(program.stop());
            let mut arguments = vec!["--dir", folder.path().to_str().unwrap(), "--appendonly", "yes"];
            if known {
                arguments.extend(["--aof-use-rdb-preamble", preamble]);
            }
            check(folder.path(), release);
            let Some(oracle) = Oracle::of(release, &arguments) else { return };
            let mut real = oracle.client();
            assert_eq!(real.digest(), before, "{release}, preamble: {preamble}");
            (0..500).for_each(|_| change(&mut real, &mut rng));
            rewrite(&mut real);
            (0..500).for_each(|_| change(&mut real, &mut rng));
            let before = real.digest();
            assert_eq!(real.say("SHUTDOWN"), Reply::Closed);
            drop(oracle);
            let program = started(folder.path(), release, config);
            assert_eq!(program.client().digest(), before, "{release}, preamble: {preamble}");
            drop(program);
            // A later release goes on with the files of an earlier one.
            let program = started(folder.path(), "7.4", &[]);
            assert_eq!(program.client().digest(), before, "{release} to 7.4, preamble: {preamble}");
            rewrite(&mut program.client());
            assert!(program.stop());
            check(folder.path(), "7.4");
        }
    }
}

/// Has the tool of a release look at the file.
fn check(folder: &Path, release: &str) {
    let Some(mut tool) = real_program(release, "redis-check-aof") else { return };
    let name = if release < "7.0" { "appendonly.aof" } else { "appendonlydir/appendonly.aof.manifest" };
    let output = tool.arg(folder.join(name)).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("valid"), "{release}: {said}");
}

/// The one increment that there is.
fn increment(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder.join("appendonlydir")).unwrap().map(|entry| entry.unwrap().path());
    files.into_iter().find(|path| path.to_str().unwrap().ends_with("incr.aof")).unwrap()
}

#[test]
fn a_torn_tail_is_cut_off_and_everything_before_it_kept() {
    let folder = tempfile::tempdir().unwrap();
    let program = started(folder.path(), "7.0", &[]);
    let mut client = program.client();
    client.say("SET a 1");
    let sound = fs::metadata(increment(folder.path())).unwrap().len() as usize;
    for line in ["MULTI", "SET b 1", "SET c 1", "EXEC"] {
        client.say(line);
    }
    drop(program);
    let whole = fs::read(increment(folder.path())).unwrap();
    for len in (sound..whole.len()).step_by(3) {
        fs::write(increment(folder.path()), &whole[..len]).unwrap();
        let program = started(folder.path(), "7.0", &[]);
        assert_eq!(program.client().say("DBSIZE").integer(), 1, "{len} bytes");
        drop(program);
        assert_eq!(fs::read(increment(folder.path())).unwrap(), whole[..sound], "{len} bytes");
    }
    fs::write(increment(folder.path()), &whole[..whole.len() - 1]).unwrap();
    let refused = |config: &[&str]| {
        let mut command = Command::new(carnelian());
        command.current_dir(folder.path()).args(["redis", "--port", "0", "--release", "7.0"]);
        let output =
            command.args(["--config", "appendonly", "yes"]).args(config).env_clear().output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = refused(&["--config", "aof-load-truncated", "no"]);
    assert!(said.contains(&format!("cannot be loaded: at byte {sound}: the file breaks off")), "{said}");
    // What is damaged in its midst is refused whatever the configuration.
    let mut damaged = whole.clone();
    damaged[sound] = b'x';
    fs::write(increment(folder.path()), &damaged).unwrap();
    let said = refused(&[]);
    assert!(said.contains(&format!("at byte {sound}: this is no request")), "{said}");
    assert_eq!(fs::read(increment(folder.path())).unwrap(), damaged);
}

#[test]
fn a_file_is_begun_and_ended_while_the_node_runs() {
    for release in ["6.2", "7.4"] {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::redis_in(folder.path(), release, &[("save", "")]);
        let mut client = program.client();
        client.say("SET before 1");
        assert_eq!(client.say("CONFIG SET appendonly yes").text(), "OK");
        client.say("SET after 1");
        let exists = |path: &str| folder.path().join(path).exists();
        let path =
            if release == "6.2" { "appendonly.aof" } else { "appendonlydir/appendonly.aof.1.base.rdb" };
        until("there is a file", || exists(path));
        until("it is whole", || client.info("aof_rewrite_in_progress") == "0");
        client.say("SET later 1");
        drop(program);
        let program = started(folder.path(), release, &[("save", "")]);
        let mut client = program.client();
        assert_eq!(client.say("DBSIZE").integer(), 3, "{release}");
        assert_eq!(client.say("CONFIG SET appendonly no").text(), "OK");
        until("it is ended", || {
            client.say("SET lost 1");
            let before = fs::metadata(folder.path().join(path)).unwrap().len();
            client.say("SET lost 2");
            before == fs::metadata(folder.path().join(path)).unwrap().len()
        });
    }
}

#[test]
fn what_an_earlier_attempt_has_left_is_not_a_part_of_the_file() {
    for left in ["appendonly.aof.1.incr.aof", "appendonly.aof.1.base.rdb"] {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("appendonlydir")).unwrap();
        let stale = b"*3\r\n$3\r\nSET\r\n$5\r\nstale\r\n$1\r\n1\r\n";
        fs::write(folder.path().join("appendonlydir").join(left), stale).unwrap();
        let program = Program::redis_in(folder.path(), "7.4", &[("save", "")]);
        let mut client = program.client();
        client.say("SET a 1");
        client.say("CONFIG SET appendonly yes");
        until("there is a file", || folder.path().join("appendonlydir/appendonly.aof.manifest").exists());
        until("it is whole", || client.info("aof_rewrite_in_progress") == "0");
        client.say("SET b 1");
        drop(program);
        let program = started(folder.path(), "7.4", &[]);
        assert_eq!(program.client().say("KEYS *").elements().len(), 2, "{left}");
    }
}

#[test]
fn names_may_have_spaces() {
    let folder = tempfile::tempdir().unwrap();
    let config = [("appendfilename", "a \"file\".aof"), ("appenddirname", "a folder")];
    let program = started(folder.path(), "7.0", &config);
    let mut client = program.client();
    client.say("SET a 1");
    rewrite(&mut client);
    client.say("SET b 1");
    drop(program);
    let program = started(folder.path(), "7.0", &config);
    assert_eq!(program.client().say("DBSIZE").integer(), 2);
    assert!(program.stop());
    let directory = folder.path().to_str().unwrap();
    let mut arguments =
        vec!["--dir".to_owned(), directory.to_owned(), "--appendonly".to_owned(), "yes".to_owned()];
    config.iter().for_each(|(name, value)| arguments.extend([format!("--{name}"), (*value).to_owned()]));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Some(oracle) = Oracle::start_with(&arguments) else { return };
    assert_eq!(oracle.client().say("DBSIZE").integer(), 2);
}

#[test]
fn a_disk_that_takes_nothing_keeps_no_node_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let program = started(folder.path(), "7.0", &[]);
    program.client().say("SET a 1");
    drop(program);
    // No manifest can be written as long as this is there.
    fs::create_dir(folder.path().join("appendonlydir/temp_appendonly.aof.manifest")).unwrap();
    let program = started(folder.path(), "7.0", &[]);
    let mut client = program.client();
    assert_eq!(client.say("GET a").text(), "1");
    client.say("BGREWRITEAOF");
    until("it is known", || client.info("aof_last_bgrewrite_status") == "err");
    client.say("SET b 1");
    drop(program);
    let program = started(folder.path(), "7.0", &[]);
    assert_eq!(program.client().say("DBSIZE").integer(), 2);
}

#[test]
fn a_command_longer_than_what_is_read_at_once_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let program = started(folder.path(), "7.4", &[]);
    let mut client = program.client();
    let items: Vec<String> = (0..200_000).map(|number| number.to_string()).collect();
    let mut push = vec!["RPUSH", "list"];
    push.extend(items.iter().map(String::as_str));
    client.run(&push);
    client.say("SET after 1");
    drop(program);
    let program = started(folder.path(), "7.4", &[]);
    let mut client = program.client();
    assert_eq!(client.say("LLEN list").integer(), 200_000);
    assert_eq!(client.say("LINDEX list -1").text(), "199999");
    assert_eq!(client.say("EXISTS after").integer(), 1);
}

#[test]
fn increments_that_are_empty_do_not_keep_a_torn_one_from_being_mended() {
    let folder = tempfile::tempdir().unwrap();
    let program = started(folder.path(), "7.0", &[]);
    program.client().say("SET a 1");
    drop(program);
    let first = increment(folder.path());
    let mut torn = fs::read(&first).unwrap();
    torn.extend_from_slice(b"*3\r\n$3\r\nSE");
    fs::write(&first, torn).unwrap();
    // As a rewrite leaves them that is killed before its cut.
    let parts = folder.path().join("appendonlydir");
    fs::write(parts.join("appendonly.aof.2.incr.aof"), b"").unwrap();
    let manifest = parts.join("appendonly.aof.manifest");
    let text = fs::read_to_string(&manifest).unwrap() + "file appendonly.aof.2.incr.aof seq 2 type i\n";
    fs::write(&manifest, text).unwrap();
    for round in 1..4 {
        let program = started(folder.path(), "7.0", &[]);
        let mut client = program.client();
        assert_eq!(client.say("DBSIZE").integer(), round);
        client.say(&format!("SET key{round} 1"));
    }
}

#[test]
fn an_expiry_survives_and_what_has_expired_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let program = started(folder.path(), "7.4", &[]);
    let mut client = program.client();
    client.say("SET short 1 PX 50");
    client.say("SET kept 1 PX 100000");
    client.say("PERSIST kept");
    client.say("SET long 1 EX 1000");
    until("it has expired", || client.say("DBSIZE").integer() == 2);
    drop(program);
    let program = started(folder.path(), "7.4", &[]);
    let mut client = program.client();
    assert_eq!(client.say("EXISTS short kept long").integer(), 2);
    assert!((900..=1000).contains(&client.say("TTL long").integer()));
}

#[test]
fn notes_of_the_time_are_written_and_a_real_server_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let program = started(folder.path(), "7.0", &[("aof-timestamp-enabled", "yes")]);
    let mut client = program.client();
    let before_s: u64 = client.say("TIME").elements()[0].text().parse().unwrap();
    for line in ["SET a 1", "MULTI", "SET b 1", "SET c 1", "EXEC"] {
        client.say(line);
    }
    let text = fs::read_to_string(increment(folder.path())).unwrap();
    let first = text.strip_prefix("#TS:").and_then(|rest| rest.split_once("\r\n*2\r\n$6\r\nSELECT"));
    let noted_s: u64 = first.unwrap_or_else(|| panic!("{text}")).0.parse().unwrap();
    assert!((before_s..before_s + 60).contains(&noted_s), "{noted_s} where it was {before_s}");
    // No more than one a second.
    until("the next second is noted", || {
        client.say("SET d 1");
        fs::read_to_string(increment(folder.path())).unwrap().matches("#TS:").count() > 1
    });
    client.say("CONFIG SET aof-use-rdb-preamble no");
    rewrite(&mut client);
    let base = fs::read_to_string(folder.path().join("appendonlydir/appendonly.aof.2.base.aof")).unwrap();
    assert!(base.starts_with("#TS:"), "{base}");
    client.say("SET e 1");
    drop(program);
    let directory = folder.path().to_str().unwrap();
    let Some(oracle) = Oracle::start_with(&["--dir", directory, "--appendonly", "yes"]) else { return };
    assert_eq!(oracle.client().say("DBSIZE").integer(), 5);
}

#[test]
fn functions_are_carried_along_in_every_form_of_the_file() {
    const CODE: &str = "#!lua name=lib\nredis.register_function('f', function() return 7 end)";
    let folder = tempfile::tempdir().unwrap();
    let options =
        ["--dir", folder.path().to_str().unwrap(), "--appendonly", "yes", "--appendfsync", "always"];
    let Some(oracle) = Oracle::start_with(&options) else { return };
    let mut real = oracle.client();
    real.run(&["FUNCTION", "LOAD", CODE]);
    real.run(&["FUNCTION", "LOAD", "REPLACE", CODE]);
    real.run(&["FUNCTION", "LOAD", "#!lua name=gone\nredis.register_function('g', function() end)"]);
    let Reply::Bulk(both) = real.say("FUNCTION DUMP") else { panic!("libraries can be dumped") };
    real.run(&["FUNCTION", "DELETE", "gone"]);
    let Reply::Bulk(one) = real.say("FUNCTION DUMP") else { panic!("libraries can be dumped") };
    // All ways of restoring: what comes of it is what there was.
    real.say("FUNCTION FLUSH");
    real.run(&[&b"FUNCTION"[..], b"RESTORE", &one]);
    real.run(&[&b"FUNCTION"[..], b"RESTORE", &both, b"REPLACE"]);
    real.run(&[&b"FUNCTION"[..], b"RESTORE", &one, b"FLUSH"]);
    real.say("SET a 1");
    drop(oracle);
    for preamble in ["yes", "no"] {
        for rewrites in [false, true] {
            let program = started(folder.path(), "7.0", &[("aof-use-rdb-preamble", preamble)]);
            let mut client = program.client();
            if rewrites {
                rewrite(&mut client);
            }
            assert_eq!(client.say("GET a").text(), "1");
            assert!(program.stop());
        }
        let Some(oracle) = Oracle::start_with(&options) else { return };
        let mut real = oracle.client();
        assert_eq!(real.say("FCALL f 0").integer(), 7, "{preamble}");
        assert_eq!(real.say("FUNCTION LIST").elements().len(), 1, "{preamble}");
    }
}

#[test]
fn a_file_ends_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let program = started(folder.path(), "7.0", &[]);
    program.client().say("SET a 1");
    drop(program);
    let path = increment(folder.path());
    let mut text = fs::read(&path).unwrap();
    text.extend_from_slice(
        b"*2\r\n$8\r\nSHUTDOWN\r\n$6\r\nNOSAVE\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n1\r\n",
    );
    fs::write(&path, text).unwrap();
    let program = started(folder.path(), "7.0", &[]);
    let mut client = program.client();
    assert_eq!(client.say("DBSIZE").integer(), 2);
    assert_eq!(client.say("SET c 1").text(), "OK", "writes are not kept waiting");
}
