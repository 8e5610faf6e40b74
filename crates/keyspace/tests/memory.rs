//! What collections take, from the account of the keyspace. The data and the bars are those of `benches`, which measures
//! what is resident.

use keyspace::{Class, Effects, Event, Keyspace, Locked, Moment, Params};
use std::sync::Arc;
use structures::entry::Object;
use structures::hash::{Expiry, Hash};
use structures::set::Set;

const KEYS: usize = 20_000;
const FIELDS: usize = 100_000;

/// What a key takes that holds such a collection, in bytes; keys have 16 bytes.
fn bytes_a_key<O: Object>(fill: impl Fn(&mut O, &Params)) -> usize {
    let keyspace = Keyspace::new(4, 7, Arc::new(Params::new(7)));
    let mut locked = keyspace.lock_blocking(keyspace.all());
    let mut effects = Effects::default();
    for number in 0..KEYS {
        let key = format!("key:{number:012}");
        let key = keyspace.key(key.as_bytes());
        let spot = locked.shard_mut(&key).spot(&mut effects, Moment::at(1), 0, key);
        let mut change = spot.object::<O>().unwrap();
        let (object, params) = change.parts();
        fill(object, params);
        change.commit(Event(Class::GENERIC, "fill"));
    }
    locked.iter().map(|shard| shard.used_bytes()).sum::<usize>() / KEYS
}

#[test]
fn a_hash_of_ten_small_fields() {
    let bytes = bytes_a_key(|hash: &mut Hash, params| {
        for number in 0..10 {
            let (field, value) = (format!("field:{number}"), format!("value:{}", number * 11));
            hash.set(field.as_bytes(), value.as_bytes(), Expiry::Clear, &params.hash);
        }
    });
    println!("{bytes} bytes");
    assert!(bytes <= 300, "{bytes} bytes");
}

#[test]
fn a_set_of_twenty_integers() {
    let bytes = bytes_a_key(|set: &mut Set, params| {
        for number in 0..20 {
            set.add((100_000 + number * 7).to_string().as_bytes(), &params.set);
        }
    });
    println!("{bytes} bytes");
    assert!(bytes <= 140, "{bytes} bytes");
}

/// Keys with an expiry that go again leave nothing behind, whichever way they go.
#[test]
fn a_string_that_expires() {
    let keyspace = Keyspace::new(4, 7, Arc::new(Params::new(7)));
    let mut locked = keyspace.lock_blocking(keyspace.all());
    let mut effects = Effects::default();
    let used = |locked: &Locked<'_>| locked.iter().map(|shard| shard.used_bytes()).sum::<usize>();
    let key = |number: usize| format!("key:{number:012}");
    let fill = |locked: &mut Locked<'_>, effects: &mut Effects| {
        for number in 0..KEYS {
            let key = key(number);
            let key = keyspace.key(key.as_bytes());
            let mut spot = locked.shard_mut(&key).spot(effects, Moment::at(1), 0, key);
            spot.set_text(&[b'v'; 32]);
            spot.set_expiry(Some(50_000_000 + number as i64 * 1_000));
            spot.commit(Event(Class::STRING, "set"));
        }
    };
    fill(&mut locked, &mut effects);
    let bytes = used(&locked) / KEYS;
    println!("{bytes} bytes");
    assert!((78..=88).contains(&bytes), "{bytes} bytes");

    for shard in locked.iter_mut() {
        shard.flush(&mut effects, 0);
        shard.check_invariants();
    }
    assert_eq!(used(&locked), 0, "flushed");

    fill(&mut locked, &mut effects);
    for number in 0..KEYS {
        let key = key(number);
        let key = keyspace.key(key.as_bytes());
        let mut spot = locked.shard_mut(&key).spot(&mut effects, Moment::at(1), 0, key);
        spot.delete(false);
        spot.commit(Event(Class::GENERIC, "del"));
    }
    assert_eq!(used(&locked), 0, "deleted");

    fill(&mut locked, &mut effects);
    for shard in locked.iter_mut() {
        while shard.expire_due(&mut effects, i64::MAX / 8, KEYS).is_some() {
            shard.check_invariants();
        }
    }
    assert_eq!(used(&locked), 0, "expired");
    assert_eq!(effects.bytes, 0);
}

#[test]
fn a_field_of_a_large_hash() {
    let limits = Params::new(7).hash;
    let mut hash = Hash::empty();
    for number in 0..FIELDS {
        let (field, value) = (format!("field:{number:010}"), format!("value:{number:06}"));
        hash.set(field.as_bytes(), value.as_bytes(), Expiry::Clear, &limits);
    }
    let bytes = hash.heap_bytes() / FIELDS;
    println!("{bytes} bytes");
    assert!(bytes <= 60, "{bytes} bytes");
}
