//! Snapshots: whatever happens meanwhile, they hold what there was at the cut, each key once.

use keyspace::snapshot::Busy;
use keyspace::{Class, Effects, Event, Keyspace, Locked, Moment, Params, Part, Policy, Snapshot};
use proptest::prelude::*;
use rdb::{Form, Limits, Reader, Version, Writer};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use structures::entry::Entry;
use structures::list::{List, Side};
use structures::table::Item as _;

const NOW_MS: i64 = 1_800_000_000_000;
const SET: Event = Event(Class::STRING, "set");
const FORM: Form = Form { version: Version::V12, compresses: true, has_checksum: true };
const DATABASES: u32 = 4;

/// What a key holds, as a file has it, and when it goes.
type Content = (Vec<u8>, Option<i64>);
type Contents = BTreeMap<(u64, Vec<u8>), Content>;

fn content(entry: &Entry) -> Content {
    let mut bytes = Vec::new();
    rdb::value(&mut bytes, entry, Version::V12, false);
    (bytes, entry.expire_at_ms())
}

fn contents(locked: &Locked) -> Contents {
    let mut all = Contents::new();
    for shard in locked.iter() {
        for db in shard.dbs() {
            all.extend(shard.iter(db).map(|entry| ((db.into(), entry.key().to_vec()), content(&entry))));
        }
    }
    all
}

/// A file's contents; a key that comes twice fails.
fn read(file: &[u8]) -> Contents {
    let params = Params::new(7);
    let limits = Limits { list: params.list, set: params.set, hash: params.hash, zset: params.zset };
    let mut reader = Reader::new(Version::V12);
    reader.feed(file);
    let mut all = Contents::new();
    while let Some(event) = reader.next_event().expect("the file is whole") {
        if let rdb::Event::Key(key) = event {
            let entry = key.entry(&limits).expect("the value is whole").expect("it is not empty");
            let old = all.insert((key.database, key.name.to_vec()), content(&entry));
            assert_eq!(old, None, "{:?} comes twice", key.name);
        }
    }
    reader.finish().expect("the file is whole");
    all
}

/// Takes one of many steps that change something.
fn change(keyspace: &Keyspace, mut draw: impl FnMut(u32) -> u32) {
    let mut effects = Effects::default();
    let mut locked = keyspace.lock_blocking(keyspace.all());
    let (db, id) = (draw(DATABASES), draw(600));
    let bytes = format!("key:{id}");
    let key = keyspace.key(bytes.as_bytes());
    let shard = locked.shard_mut(&key);
    let mut spot = shard.spot(&mut effects, Moment::at(NOW_MS), db, key);
    match draw(12) {
        0..3 => {
            spot.set_text("some text ".repeat(draw(30) as usize).as_bytes());
            spot.commit(SET);
        }
        3 => {
            spot.set_int(draw(1_000_000).into());
            spot.commit(SET);
        }
        4..6 => {
            let gone = spot.delete(true);
            if gone { spot.commit(SET) } else { spot.leave() }
        }
        6 => {
            spot.set_expiry(Some(NOW_MS + i64::from(draw(1000)) - 100));
            if spot.exists() { spot.commit(SET) } else { spot.leave() }
        }
        7..9 => {
            if let Ok(mut list) = spot.object::<List>() {
                (0..draw(40) + 2).for_each(|number| list.push(Side::Left, number.to_string().as_bytes()));
                list.pop(Side::Right, |_| ());
                list.commit(SET);
            }
        }
        9 => {
            // As RENAME does.
            let entry = spot.take();
            if entry.is_some() {
                spot.commit(SET)
            } else {
                spot.leave()
            }
            if let Some(old) = entry {
                let other = format!("key:{}", draw(600));
                let key = keyspace.key(other.as_bytes());
                let mut target = locked.shard_mut(&key).spot(&mut effects, Moment::at(NOW_MS), db, key);
                target.replace(old.rename(other.as_bytes()));
                target.commit(SET);
            }
        }
        10 => {
            spot.leave();
            match draw(30) {
                0 => locked.iter_mut().for_each(|shard| drop(shard.flush(&mut effects, db))),
                1..4 => {
                    let other = draw(DATABASES);
                    locked.iter_mut().for_each(|shard| shard.swap(&mut effects, db, other));
                }
                4 => locked.iter_mut().for_each(|shard| {
                    shard.evict(&mut effects, NOW_MS);
                }),
                _ => {}
            }
        }
        _ => {
            spot.leave();
            let expire = |shard: &mut keyspace::Shard| shard.expire_due(&mut effects, NOW_MS, 100);
            locked.iter_mut().map(expire).for_each(drop);
        }
    }
    keyspace.account(&mut effects);
}

fn random(seed: u64) -> impl FnMut(u32) -> u32 {
    let mut state = seed | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 32) % u64::from(below)) as u32
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_snapshot_is_what_there_was_at_the_cut(seed in any::<u64>(), shards in prop_oneof![Just(1usize), Just(8)]) {
        let mut draw = random(seed);
        let policy = [Policy::AllKeysLru, Policy::AllKeysLfu, Policy::NoEviction][draw(3) as usize];
        let keyspace = Keyspace::new(shards, seed, Arc::new(Params { policy, ..Params::new(7) }));
        (0..draw(4000)).for_each(|_| change(&keyspace, &mut draw));
        for _ in 0..2 {
            let mut locked = keyspace.lock_blocking(keyspace.all());
            let expected = contents(&locked);
            let cut = locked.cut(NOW_MS, FORM).expect("there is none yet");
            prop_assert_eq!(locked.cut(NOW_MS, FORM).err(), Some(Busy));
            drop(locked);
            let mut snapshot = Snapshot::of(&keyspace, cut);
            let mut writer = Writer::new(Vec::new(), FORM);
            let mut last = None;
            let mut take = |part: Part<'_>| -> Result<(), Infallible> {
                match part {
                    Part::Database(db, stats) => {
                        let _ = writer.database(db.into(), stats.keys as u64, stats.volatile as u64);
                        last = Some(db);
                    }
                    Part::Records(db, records) => {
                        if last != Some(db) {
                            let _ = writer.database(db.into(), 0, 0);
                            last = Some(db);
                        }
                        let _ = writer.records(records);
                    }
                }
                Ok(())
            };
            let busy = draw(60);
            while snapshot.step(&mut take).unwrap_or_default() {
                (0..busy).for_each(|_| change(&keyspace, &mut draw));
            }
            drop(snapshot);
            let file = writer.finish().expect("memory takes everything");
            prop_assert_eq!(read(&file), expected);
        }
        let locked = keyspace.lock_blocking(keyspace.all());
        locked.iter().for_each(|shard| shard.check_invariants());
    }
}

#[test]
fn a_snapshot_that_is_given_up_leaves_nothing_behind() {
    let keyspace = Keyspace::new(4, 7, Arc::new(Params::new(7)));
    let mut draw = random(3);
    (0..2000).for_each(|_| change(&keyspace, &mut draw));
    let cut = keyspace.lock_blocking(keyspace.all()).cut(NOW_MS, FORM).expect("there is none yet");
    let mut snapshot = Snapshot::of(&keyspace, cut);
    assert_eq!(snapshot.step(|_| Err("no room")), Err("no room"));
    drop(snapshot);
    assert!(keyspace.lock_blocking(keyspace.all()).cut(NOW_MS, FORM).is_ok());
}
