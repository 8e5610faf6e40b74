//! The keyspace beside a plain model: whatever is done to both, they agree, and the sums are right.

use keyspace::{Class, Effects, Event, Key, Keyspace, Moment, Params, Policy, Spot, access};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use structures::entry::{Entry, Object as _};
use structures::hash::{Expiry, Hash, Limits};
use structures::list::{List, Side};
use structures::table::Item as _;

const START_MS: i64 = 1_800_000_000_000;
const SET: Event = Event(Class::STRING, "set");
const PUSH: Event = Event(Class::LIST, "rpush");

fn keyspace(shards: usize, change: impl FnOnce(&mut Params)) -> Keyspace {
    let mut params = Params::new(7);
    change(&mut params);
    Keyspace::new(shards, 7, Arc::new(params))
}

fn set(
    keyspace: &Keyspace,
    now_ms: i64,
    db: u32,
    key: &[u8],
    value: &[u8],
    expire_at_ms: Option<i64>,
) -> Effects {
    let mut effects = Effects::default();
    let mut locked = keyspace.lock_blocking(keyspace.all());
    let key = keyspace.key(key);
    let mut spot = locked.shard_mut(&key).spot(&mut effects, Moment::at(now_ms), db, key);
    spot.set_text(value);
    spot.set_expiry(expire_at_ms);
    spot.commit(SET);
    keyspace.account(&mut effects);
    effects
}

fn get(keyspace: &Keyspace, now_ms: i64, db: u32, key: &[u8]) -> Option<Vec<u8>> {
    let mut effects = Effects::default();
    let mut locked = keyspace.lock_blocking(keyspace.all());
    let key = keyspace.key(key);
    let value = locked
        .get(&mut effects, Moment::at(now_ms), db, &key)
        .and_then(|entry| entry.text().map(|text| text.to_bytes().into_owned()));
    keyspace.account(&mut effects);
    value
}

fn check(keyspace: &Keyspace) {
    let locked = keyspace.lock_blocking(keyspace.all());
    locked.iter().for_each(|shard| shard.check_invariants());
    assert_eq!(keyspace.used_bytes(), locked.iter().map(|shard| shard.used_bytes()).sum::<usize>());
}

#[derive(Clone, Debug)]
enum Step {
    Set(u32, u8, Vec<u8>, Option<i64>),
    Append(u32, u8),
    Delete(u32, u8),
    Push(u32, u8, usize),
    Pop(u32, u8),
    Expire(u32, u8, Option<i64>),
    Pass(i64),
    Swap(u32, u32),
    Flush(u32),
    ExpireDue,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(Vec<u8>),
    List(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let db = || 0u32..3;
    let after = || prop::option::of(0i64..20_000);
    let bytes = prop_oneof!["[0-9]{1,5}", "[a-z]{0,40}", "[a-z]{1000,3000}"].prop_map(String::into_bytes);
    prop_oneof![
        5 => (db(), any::<u8>(), bytes, after()).prop_map(|(db, key, bytes, at)| Step::Set(db, key, bytes, at)),
        2 => (db(), any::<u8>()).prop_map(|(db, key)| Step::Append(db, key)),
        2 => (db(), any::<u8>()).prop_map(|(db, key)| Step::Delete(db, key)),
        3 => (db(), any::<u8>(), 1usize..300).prop_map(|(db, key, many)| Step::Push(db, key, many)),
        3 => (db(), any::<u8>()).prop_map(|(db, key)| Step::Pop(db, key)),
        3 => (db(), any::<u8>(), after()).prop_map(|(db, key, at)| Step::Expire(db, key, at)),
        2 => (0i64..5_000).prop_map(Step::Pass),
        1 => (db(), db()).prop_map(|(a, b)| Step::Swap(a, b)),
        1 => db().prop_map(Step::Flush),
        2 => Just(Step::ExpireDue),
    ]
}

proptest! {
    #[test]
    fn behaves_as_a_map(steps in prop::collection::vec(step(), 1..150), shards in prop_oneof![Just(1usize), Just(8)]) {
        let keyspace = keyspace(shards, |_| ());
        let mut model: BTreeMap<(u32, u8), (Value, Option<i64>)> = BTreeMap::new();
        let mut now_ms = START_MS;
        for step in steps {
            let mut effects = Effects::default();
            model.retain(|_, (_, at_ms)| at_ms.is_none_or(|at_ms| at_ms >= now_ms));
            let mut locked = keyspace.lock_blocking(keyspace.all());
            let moment = Moment::at(now_ms);
            match step {
                Step::Set(db, id, bytes, after_ms) => {
                    let at_ms = after_ms.map(|after_ms| now_ms + after_ms);
                    let key = keyspace.key(std::slice::from_ref(&id));
                    let mut spot = locked.shard_mut(&key).spot(&mut effects, moment, db, key);
                    spot.set_text(&bytes);
                    spot.set_expiry(at_ms);
                    spot.commit(SET);
                    model.insert((db, id), (Value::Text(bytes), at_ms));
                }
                Step::Append(db, id) => {
                    let key = keyspace.key(std::slice::from_ref(&id));
                    let mut spot = locked.shard_mut(&key).spot(&mut effects, moment, db, key);
                    let len = spot.text(|text| text.map_or(0, |text| text.len()));
                    match len {
                        Ok(len) => {
                            spot.text_mut(len + 1).unwrap().bytes()[len] = b'!';
                            spot.commit(SET);
                            let (value, _) = model.entry((db, id)).or_insert((Value::Text(Vec::new()), None));
                            let Value::Text(bytes) = value else { panic!("a list") };
                            bytes.push(b'!');
                        }
                        Err(_) => {
                            prop_assert!(matches!(model[&(db, id)].0, Value::List(_)));
                            spot.leave();
                        }
                    }
                }
                Step::Delete(db, id) => {
                    let key = keyspace.key(std::slice::from_ref(&id));
                    let mut spot = locked.shard_mut(&key).spot(&mut effects, moment, db, key);
                    let was = spot.delete(true);
                    prop_assert_eq!(was, model.remove(&(db, id)).is_some());
                    if was { spot.commit(SET) } else { spot.leave() }
                }
                Step::Push(db, id, many) => {
                    let key = keyspace.key(std::slice::from_ref(&id));
                    let spot = locked.shard_mut(&key).spot(&mut effects, moment, db, key);
                    match spot.object::<List>() {
                        Ok(mut list) => {
                            (0..many).for_each(|_| list.push(Side::Right, b"some element"));
                            list.commit(PUSH);
                            let (value, _) = model.entry((db, id)).or_insert((Value::List(0), None));
                            let Value::List(len) = value else { panic!("a string") };
                            *len += many;
                        }
                        Err(_) => prop_assert!(matches!(model[&(db, id)].0, Value::Text(_))),
                    }
                }
                Step::Pop(db, id) => {
                    let key = keyspace.key(std::slice::from_ref(&id));
                    let spot = locked.shard_mut(&key).spot(&mut effects, moment, db, key);
                    if let Ok(mut list) = spot.object::<List>() {
                        if list.pop(Side::Left, |_| ()).is_none() {
                            list.leave();
                            prop_assert!(!model.contains_key(&(db, id)));
                        } else {
                            list.commit(PUSH);
                            let Some((Value::List(len), _)) = model.get_mut(&(db, id)) else { panic!("no list") };
                            *len -= 1;
                            if *len == 0 {
                                model.remove(&(db, id));
                            }
                        }
                    }
                }
                Step::Expire(db, id, after_ms) => {
                    let key = keyspace.key(std::slice::from_ref(&id));
                    let mut spot = locked.shard_mut(&key).spot(&mut effects, moment, db, key);
                    prop_assert_eq!(spot.exists(), model.contains_key(&(db, id)));
                    let at_ms = after_ms.map(|after_ms| now_ms + after_ms);
                    if spot.exists() {
                        spot.set_expiry(at_ms);
                        spot.commit(SET);
                        model.get_mut(&(db, id)).unwrap().1 = at_ms;
                    } else {
                        spot.leave();
                    }
                }
                Step::Pass(ms) => now_ms += ms,
                Step::Swap(a, b) => {
                    locked.iter_mut().for_each(|shard| shard.swap(&mut effects, a, b));
                    model = model
                        .into_iter()
                        .map(|((db, id), value)| {
                            ((if db == a { b } else if db == b { a } else { db }, id), value)
                        })
                        .collect();
                }
                Step::Flush(db) => {
                    locked.iter_mut().for_each(|shard| drop(shard.flush(&mut effects, db)));
                    model.retain(|(own, _), _| *own != db);
                }
                Step::ExpireDue => {
                    locked.iter_mut().for_each(|shard| { shard.expire_due(&mut effects, now_ms + 64, 10_000); });
                    for shard in locked.iter() {
                        for db in shard.dbs() {
                            for entry in shard.iter(db) {
                                prop_assert!(entry.expire_at_ms().is_none_or(|at_ms| at_ms >= now_ms), "still there");
                            }
                        }
                    }
                    // What was to go within the tick has gone too.
                    model.retain(|_, (_, at_ms)| at_ms.is_none_or(|at_ms| at_ms >= now_ms + 64));
                    now_ms += 64;
                }
            }
            keyspace.account(&mut effects);
            drop(locked);
            check(&keyspace);
        }
        model.retain(|_, (_, at_ms)| at_ms.is_none_or(|at_ms| at_ms >= now_ms));
        for db in 0..3 {
            for id in 0..=255u8 {
                let text = match model.get(&(db, id)) {
                    Some((Value::Text(bytes), _)) => Some(bytes.clone()),
                    _ => None,
                };
                prop_assert_eq!(get(&keyspace, now_ms, db, &[id]), text);
            }
        }
        check(&keyspace);
        let locked = keyspace.lock_blocking(keyspace.all());
        for db in 0..3 {
            prop_assert_eq!(locked.stats(db).keys, model.keys().filter(|(own, _)| *own == db).count());
        }
    }
}

#[test]
fn events_watches_and_queues_learn_of_changes() {
    let keyspace = keyspace(4, |params| params.notify = Class::all() - Class::NEW);
    let key = keyspace.key(b"list");
    let watch = Arc::new(keyspace::interest::Watch::default());
    {
        let mut locked = keyspace.lock_blocking(keyspace.all());
        locked.shard_mut(&key).interest(0).watch(b"list", &watch);
        locked.shard_mut(&key).interest(0).wait(b"list", 17);
    }
    let push = |pop: bool| {
        let mut effects = Effects::default();
        let mut locked = keyspace.lock_blocking(keyspace.all());
        let spot = locked.shard_mut(&key).spot(&mut effects, Moment::at(START_MS), 0, key);
        let mut list = spot.object::<List>().unwrap();
        if pop {
            list.pop(Side::Left, |_| ());
        } else {
            list.push(Side::Right, b"x");
        }
        list.commit(PUSH);
        assert_eq!(locked.shard(&key).waiters(0, b"list"), [17]);
        effects
    };
    let effects = push(false);
    assert!(watch.is_broken());
    assert_eq!(effects.ready, [(0, b"list"[..].into())]);
    assert_eq!(effects.happenings.len(), 1);
    let names: Vec<_> = push(true).happenings.iter().map(|happening| happening.event.1).collect();
    assert_eq!(names, ["rpush", "del"], "an emptied list goes, after the command's own event");
}

#[test]
fn writing_a_key_counts_as_using_it() {
    const HOUR_MS: i64 = 3_600_000;
    for policy in [Policy::AllKeysLru, Policy::AllKeysLfu] {
        let keyspace = keyspace(1, |params| params.policy = policy);
        let key = keyspace.key(b"key");
        let params = Params { policy, ..Params::new(7) };
        let mut now_ms = START_MS;
        let (mut fresh, mut often) = (0, 0);
        let mut write = |change: &dyn Fn(Spot)| {
            let mut effects = Effects::default();
            let mut locked = keyspace.lock_blocking(keyspace.all());
            change(locked.shard_mut(&key).spot(&mut effects, Moment::at(now_ms), 0, key));
            let clock = locked.shard(&key).peek(Moment::at(now_ms), 0, &key).unwrap().clock();
            fresh += i32::from(access::idle_ms(clock, now_ms) == 0);
            often = access::frequency(&params, clock, now_ms);
            now_ms += if policy.is_lfu() { 0 } else { HOUR_MS };
        };
        let set = |mut spot: Spot| {
            spot.set_text(b"text");
            spot.commit(SET);
        };
        let push = |spot: Spot| {
            let mut list = spot.object::<List>().unwrap();
            list.push(Side::Right, b"entry");
            list.commit(PUSH);
        };
        let overwrite = |mut spot: Spot| {
            spot.replace(Entry::with_object(b"key", List::empty()));
            spot.commit(SET);
        };
        write(&set);
        (0..50).for_each(|_| write(&set));
        write(&overwrite);
        (0..50).for_each(|_| write(&push));
        if policy.is_lfu() {
            // A new key begins with 5, and the counter grows the slower the larger it is.
            assert!((7..15).contains(&often), "{often}");
        } else {
            assert_eq!(fresh, 102);
        }
    }
}

#[test]
fn what_changes_beside_the_value_is_told_to_nobody_but_on_demand() {
    let keyspace = keyspace(4, |params| params.notify = Class::all());
    let key = keyspace.key(b"list");
    let watch = Arc::new(keyspace::interest::Watch::default());
    let push = |wakes: bool| {
        let mut effects = Effects::default();
        let mut locked = keyspace.lock_blocking(keyspace.all());
        let spot = locked.shard_mut(&key).spot(&mut effects, Moment::at(START_MS), 0, key);
        let mut list = spot.object::<List>().unwrap();
        list.push(Side::Right, b"x");
        if wakes {
            list.wake();
        }
        list.commit_aside(&[PUSH, SET], 3);
        keyspace.account(&mut effects);
        let events: Vec<_> = effects.happenings.iter().map(|happening| happening.event.1).collect();
        (events, effects.dirty, effects.ready.len())
    };
    assert_eq!(push(false), (vec!["new", "rpush", "set"], 3, 0));
    {
        let mut locked = keyspace.lock_blocking(keyspace.all());
        locked.shard_mut(&key).interest(0).watch(b"list", &watch);
        locked.shard_mut(&key).interest(0).wait(b"list", 17);
    }
    assert_eq!(push(false), (vec!["rpush", "set"], 3, 0));
    assert_eq!(push(true), (vec!["rpush", "set"], 3, 1));
    assert!(!watch.is_broken());
    check(&keyspace);
}

#[test]
fn who_waits_learns_of_databases_that_are_swapped() {
    let keyspace = keyspace(1, |_| ());
    set(&keyspace, START_MS, 0, b"only in 0", b"v", None);
    let mut locked = keyspace.lock_blocking(keyspace.all());
    let shard = locked.shard_mut(&keyspace.key(b"only in 0"));
    for db in [0, 1] {
        shard.interest(db).wait(b"only in 0", 17);
        shard.interest(db).wait(b"nowhere", 17);
    }
    let mut effects = Effects::default();
    shard.swap(&mut effects, 0, 1);
    effects.ready.sort();
    assert_eq!(effects.ready, [0, 1].map(|db| (db, b"only in 0"[..].into())));
}

#[test]
fn a_key_is_new_unless_it_is_overwritten() {
    let keyspace = keyspace(1, |params| params.notify = Class::all());
    let key = keyspace.key(b"key");
    let write = |take: bool| {
        let mut effects = Effects::default();
        let mut locked = keyspace.lock_blocking(keyspace.all());
        let mut spot = locked.shard_mut(&key).spot(&mut effects, Moment::at(START_MS), 0, key);
        if take {
            spot.take();
        }
        spot.replace(Entry::with_buffer(b"key", b"value".to_vec()));
        spot.commit(SET);
        effects.happenings.into_iter().map(|happening| happening.event.1).collect::<Vec<_>>()
    };
    // As observed on redis 7.0: SINTERSTORE overwrites, RENAME deletes what was there.
    assert_eq!(write(false), ["new", "set"]);
    assert_eq!(write(false), ["set"]);
    assert_eq!(write(true), ["new", "set"]);
}

#[test]
fn a_scan_over_shards_sees_every_key_once() {
    for shards in [1, 2, 16] {
        let keyspace = keyspace(shards, |_| ());
        for number in 0..20_000 {
            set(&keyspace, START_MS, 0, format!("key:{number}").as_bytes(), b"v", None);
        }
        let (mut cursor, mut seen, mut calls) = (0, HashSet::new(), 0);
        loop {
            let locked = keyspace.lock_blocking(keyspace.all());
            let mut batch = 0;
            cursor = locked.scan(0, cursor, 100, |entry| {
                assert!(seen.insert(entry.key().to_vec()), "a key was seen twice");
                batch += 1;
            });
            drop(locked);
            assert!(cursor < 1 << 48);
            assert!(batch <= 120, "{batch} keys where 100 were asked for");
            calls += 1;
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(seen.len(), 20_000);
        assert!((160..=210).contains(&calls), "{calls} calls for 20,000 keys by 100");
    }
}

#[test]
fn a_random_key_is_drawn_fairly_over_shards() {
    let keyspace = keyspace(8, |_| ());
    for number in 0..100u8 {
        set(&keyspace, START_MS, 0, &[number], b"v", None);
    }
    let mut hits = [0f64; 100];
    let mut locked = keyspace.lock_blocking(keyspace.all());
    for _ in 0..100_000 {
        hits[usize::from(locked.random(0).unwrap().key()[0])] += 1.0;
    }
    let chi_square: f64 = hits.iter().map(|hits| (hits - 1000.0).powi(2) / 1000.0).sum();
    // 99 degrees of freedom: exceeds 148 once in a thousand fair runs; the seed is fixed.
    assert!(chi_square < 148.0, "chi-square {chi_square}");
}

#[test]
fn eviction_takes_what_the_policy_wants_gone() {
    for policy in [
        Policy::AllKeysLru,
        Policy::AllKeysLfu,
        Policy::AllKeysRandom,
        Policy::VolatileLru,
        Policy::VolatileLfu,
        Policy::VolatileRandom,
        Policy::VolatileTtl,
    ] {
        let keyspace = keyspace(1, |params| params.policy = policy);
        for number in 0..1000u32 {
            // Later keys are newer and live longer; every other one expires.
            let now_ms = START_MS + i64::from(number) * 1000;
            let expiry = (number % 2 == 0).then_some(START_MS + 100_000_000 + i64::from(number) * 100_000);
            set(&keyspace, now_ms, 0, &number.to_be_bytes(), b"v", expiry);
        }
        let now_ms = START_MS + 1_000_000;
        if policy.is_lfu() {
            for _ in 0..200 {
                (500..1000u32).for_each(|number| drop(get(&keyspace, now_ms, 0, &number.to_be_bytes())));
            }
        }
        let mut effects = Effects { keep_gone: true, ..Effects::default() };
        let mut locked = keyspace.lock_blocking(keyspace.all());
        let shard = locked.shard_mut(&Key { bytes: b"", hash: 0 });
        for _ in 0..200 {
            assert!(shard.evict(&mut effects, now_ms), "{policy:?}");
        }
        shard.check_invariants();
        assert_eq!((effects.evicted, effects.gone.len()), (200, 200));
        let gone: Vec<u32> =
            effects.gone.iter().map(|gone| u32::from_be_bytes(gone.key[..].try_into().unwrap())).collect();
        if policy.is_volatile() {
            assert!(gone.iter().all(|number| number % 2 == 0), "{policy:?} took a key that does not expire");
        }
        let old = gone.iter().filter(|&&number| number < 500).count();
        match policy {
            Policy::AllKeysRandom | Policy::VolatileRandom => {
                assert!((60..140).contains(&old), "{policy:?} {old}")
            }
            Policy::VolatileTtl => assert_eq!(old, 200),
            _ => assert!(old > 180, "{policy:?} took {old} of the older half"),
        }
        while shard.evict(&mut effects, now_ms) {}
        assert_eq!(shard.len(0), if policy.is_volatile() { 500 } else { 0 }, "{policy:?}");
    }
}

#[test]
fn keys_that_come_back_are_not_evicted_sooner_than_others() {
    let keyspace = keyspace(1, |params| params.policy = Policy::VolatileRandom);
    let put = |number: u32| {
        drop(set(&keyspace, START_MS, 0, &number.to_be_bytes(), b"v", Some(START_MS + 100_000_000)))
    };
    (0..1000).for_each(put);
    let mut effects = Effects { keep_gone: true, ..Effects::default() };
    for _ in 0..4 {
        for number in 0..500u32 {
            let bytes = number.to_be_bytes();
            let key = keyspace.key(&bytes);
            let mut locked = keyspace.lock_blocking(keyspace.all());
            let mut spot = locked.shard_mut(&key).spot(&mut effects, Moment::at(START_MS), 0, key);
            assert!(spot.delete(false));
            spot.commit(Event(Class::GENERIC, "del"));
            drop(locked);
            put(number);
        }
    }
    let mut locked = keyspace.lock_blocking(keyspace.all());
    let shard = locked.shard_mut(&Key { bytes: b"", hash: 0 });
    effects.gone.clear();
    (0..400).for_each(|_| assert!(shard.evict(&mut effects, START_MS)));
    let back =
        effects.gone.iter().filter(|gone| u32::from_be_bytes(gone.key[..].try_into().unwrap()) < 500).count();
    // Fair draws take more than 230 of them once in ten thousand times; the seed is fixed.
    assert!((170..230).contains(&back), "{back} of 400 keys that went had come back before");
}

#[test]
fn fields_of_hashes_expire_by_themselves() {
    let keyspace = keyspace(2, |_| ());
    let key = keyspace.key(b"hash");
    let mut effects = Effects::default();
    let mut locked = keyspace.lock_blocking(keyspace.all());
    let limits = locked.shard(&key).params().hash;
    let spot = locked.shard_mut(&key).spot(&mut effects, Moment::at(START_MS), 0, key);
    let mut hash = spot.object::<Hash>().unwrap();
    for (field, after_ms) in [("a", Some(1000)), ("b", Some(20_000)), ("c", None)] {
        hash.set(field.as_bytes(), b"v", Expiry::Clear, &limits);
        hash.set_expire_at_ms(field.as_bytes(), after_ms.map(|after_ms| START_MS + after_ms));
    }
    hash.commit(SET);
    assert!(effects.due_ms.is_some_and(|due_ms| due_ms <= START_MS + 1064));
    for (now_ms, left) in
        [(START_MS + 500, 3), (START_MS + 1100, 2), (START_MS + 19_000, 2), (START_MS + 20_100, 1)]
    {
        let mut due_ms = None;
        for shard in locked.iter_mut() {
            // Ask again for as long as something is due.
            while let Some(at_ms) =
                shard.expire_due(&mut effects, now_ms, 100).filter(|&at_ms| at_ms <= now_ms)
            {
                due_ms = Some(at_ms);
            }
        }
        assert_eq!(due_ms, None);
        let len =
            locked.shard(&key).peek(Moment::at(START_MS), 0, &key).unwrap().object::<Hash>().unwrap().len();
        assert_eq!(len, left, "after {} ms", now_ms - START_MS);
    }
    assert_eq!(effects.expired_fields, 2);
    locked.iter().for_each(|shard| shard.check_invariants());
}

#[test]
fn without_active_expiry_keys_go_when_they_are_met() {
    let keyspace = keyspace(1, |params| params.active_expire = false);
    set(&keyspace, START_MS, 0, b"k", b"v", Some(START_MS + 10));
    let mut effects = Effects::default();
    let mut locked = keyspace.lock_blocking(keyspace.all());
    let shard = locked.iter_mut().next().unwrap();
    assert!(shard.first_due_ms().is_some_and(|due_ms| due_ms < START_MS + 1000));
    assert_eq!(shard.expire_due(&mut effects, START_MS + 1000, 100), None);
    assert_eq!((shard.len(0), effects.expired), (1, 0));
    drop(locked);
    assert_eq!(get(&keyspace, START_MS + 1000, 0, b"k"), None);
    assert_eq!(keyspace.lock_blocking(keyspace.all()).stats(0).keys, 0);
}

#[derive(Clone, Debug)]
enum FieldStep {
    /// Sets a field for good, or for as long as it had.
    Set(u8, u8, bool),
    Remove(u8, u8),
    /// Gives a field so many ms, or all time.
    Expire(u8, u8, Option<i64>),
    /// Gives the key so many ms, or all time.
    ExpireKey(u8, Option<i64>),
    Pass(i64),
    ExpireDue(usize),
}

fn field_step() -> impl Strategy<Value = FieldStep> {
    let key = || 0u8..3;
    let field = || 0u8..16;
    let after = || prop::option::weighted(0.8, 1i64..30_000);
    prop_oneof![
        6 => (key(), field(), any::<bool>()).prop_map(|(key, field, keep)| FieldStep::Set(key, field, keep)),
        2 => (key(), field()).prop_map(|(key, field)| FieldStep::Remove(key, field)),
        6 => (key(), field(), after()).prop_map(|(key, field, after)| FieldStep::Expire(key, field, after)),
        1 => (key(), after()).prop_map(|(key, after)| FieldStep::ExpireKey(key, after)),
        3 => (0i64..6_000).prop_map(FieldStep::Pass),
        3 => (1usize..40).prop_map(FieldStep::ExpireDue),
    ]
}

/// Fields, and when they go.
type Fields = BTreeMap<u8, Option<i64>>;
/// Hashes by key, and when they go.
type Hashes = BTreeMap<u8, (Fields, Option<i64>)>;

/// What has expired is not there, whether it has been removed or not; a key takes its fields along, and the last field
/// the key.
fn bury(hashes: &mut Hashes, now_ms: i64) {
    hashes.retain(|_, (fields, at_ms)| {
        fields.retain(|_, at_ms| at_ms.is_none_or(|at_ms| at_ms >= now_ms));
        !fields.is_empty() && at_ms.is_none_or(|at_ms| at_ms >= now_ms)
    });
}

proptest! {
    /// Fields that expire by themselves are met by commands, by active expiry or by neither: whoever looks sees the
    /// same. Hashes are small, with and without expiries, and tables.
    #[test]
    fn fields_expire_as_those_of_a_map(
        steps in prop::collection::vec(field_step(), 1..150),
        packed_entries in prop_oneof![Just(0usize), Just(6), Just(100)],
    ) {
        let keyspace = keyspace(2, |params| params.hash.packed_entries = packed_entries);
        let limits = Limits { packed_entries, ..Params::new(7).hash };
        let mut model = Hashes::new();
        let mut now_ms = START_MS;
        for step in steps {
            let mut effects = Effects::default();
            let mut locked = keyspace.lock_blocking(keyspace.all());
            let moment = Moment::at(now_ms);
            bury(&mut model, now_ms);
            match step {
                FieldStep::Set(id, field, keep) => {
                    let key = keyspace.key(std::slice::from_ref(&id));
                    let spot = locked.shard_mut(&key).spot(&mut effects, moment, 0, key);
                    let mut hash = spot.object::<Hash>().unwrap();
                    let expiry = if keep { Expiry::Keep } else { Expiry::Clear };
                    let new = hash.set(&[field], b"value", expiry, &limits);
                    hash.commit(SET);
                    let (fields, _) = model.entry(id).or_default();
                    prop_assert_eq!(new, !fields.contains_key(&field));
                    let at_ms = fields.entry(field).or_default();
                    if !keep {
                        *at_ms = None;
                    }
                }
                FieldStep::Remove(id, field) => {
                    let key = keyspace.key(std::slice::from_ref(&id));
                    let spot = locked.shard_mut(&key).spot(&mut effects, moment, 0, key);
                    let mut hash = spot.object::<Hash>().unwrap();
                    let was = hash.remove(&[field]);
                    if was { hash.commit(SET) } else { hash.leave() }
                    let own = model.get_mut(&id).and_then(|(fields, _)| fields.remove(&field));
                    prop_assert_eq!(was, own.is_some());
                    model.retain(|_, (fields, _)| !fields.is_empty());
                }
                FieldStep::Expire(id, field, after_ms) => {
                    let key = keyspace.key(std::slice::from_ref(&id));
                    let spot = locked.shard_mut(&key).spot(&mut effects, moment, 0, key);
                    let mut hash = spot.object::<Hash>().unwrap();
                    let at_ms = after_ms.map(|after_ms| now_ms + after_ms);
                    let was = hash.set_expire_at_ms(&[field], at_ms);
                    if was { hash.commit(SET) } else { hash.leave() }
                    let own = model.get_mut(&id).and_then(|(fields, _)| fields.get_mut(&field));
                    prop_assert_eq!(was, own.is_some());
                    if let Some(own) = own {
                        *own = at_ms;
                    }
                }
                FieldStep::ExpireKey(id, after_ms) => {
                    let key = keyspace.key(std::slice::from_ref(&id));
                    let mut spot = locked.shard_mut(&key).spot(&mut effects, moment, 0, key);
                    if spot.exists() {
                        let at_ms = after_ms.map(|after_ms| now_ms + after_ms);
                        spot.set_expiry(at_ms);
                        spot.commit(SET);
                        model.get_mut(&id).unwrap().1 = at_ms;
                    } else {
                        spot.leave();
                        prop_assert!(!model.contains_key(&id));
                    }
                }
                FieldStep::Pass(ms) => now_ms += ms,
                FieldStep::ExpireDue(most) => {
                    now_ms += 64;
                    for shard in locked.iter_mut() {
                        while shard.expire_due(&mut effects, now_ms, most).is_some_and(|at_ms| at_ms <= now_ms) {}
                        for entry in shard.iter(0) {
                            let soonest_ms = entry.object::<Hash>().and_then(|hash| hash.soonest_ms());
                            for at_ms in soonest_ms.into_iter().chain(entry.expire_at_ms()) {
                                prop_assert!(at_ms >= now_ms - 64, "still there {} ms after its time", now_ms - at_ms);
                            }
                        }
                    }
                }
            }
            keyspace.account(&mut effects);
            drop(locked);
            check(&keyspace);
        }
        let mut effects = Effects::default();
        let mut locked = keyspace.lock_blocking(keyspace.all());
        bury(&mut model, now_ms);
        for id in 0..3u8 {
            let key = keyspace.key(std::slice::from_ref(&id));
            let mut seen = Fields::new();
            if let Some(entry) = locked.get(&mut effects, Moment::at(now_ms), 0, &key) {
                entry.object::<Hash>().unwrap().for_each(|(field, _, at_ms)| {
                    seen.insert(field.to_bytes()[0], at_ms);
                });
            }
            prop_assert_eq!(seen, model.remove(&id).unwrap_or_default().0);
        }
    }
}

#[test]
fn numbers_for_one_draw_each_are_fair() {
    let keyspace = keyspace(1, |_| ());
    let mut locked = keyspace.lock_blocking(keyspace.all());
    let shard = locked.shard_mut(&Key { bytes: b"", hash: 0 });
    let mut hits = [0f64; 100];
    for _ in 0..100_000 {
        let number = u128::from(shard.draws()());
        hits[((number * 100) >> 64) as usize] += 1.0;
    }
    let chi_square: f64 = hits.iter().map(|hits| (hits - 1000.0).powi(2) / 1000.0).sum();
    // 99 degrees of freedom: exceeds 148 once in a thousand fair runs; the seed is fixed.
    assert!(chi_square < 148.0, "chi-square {chi_square}");
}
