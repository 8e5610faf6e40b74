use super::*;
use crate::packed::Packed;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const LIMITS: NodeLimits = NodeLimits { bytes: 4096, entries: 100 };
const ALL: (StreamId, StreamId) = (StreamId::MIN, StreamId::MAX);

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn id(ms: u64, seq: u64) -> StreamId {
    StreamId::new(ms, seq)
}

fn append(stream: &mut Stream, id: StreamId, pairs: &Pairs, limits: NodeLimits) {
    let fields = pairs.iter().flat_map(|(name, value)| [&name[..], &value[..]]);
    stream.entries_mut().append(id, fields, limits).unwrap();
}

fn pairs(words: &str) -> Pairs {
    let words: Vec<Vec<u8>> = words.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    words.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

fn read(entry: Entry<'_>) -> (StreamId, Pairs) {
    let own = |(name, value): (crate::packed::Item<'_>, crate::packed::Item<'_>)| {
        (name.to_bytes().into_owned(), value.to_bytes().into_owned())
    };
    (entry.id, entry.fields.map(own).collect())
}

fn all(stream: &Stream) -> Vec<(StreamId, Pairs)> {
    stream.entries().range(ALL.0, ALL.1).map(read).collect()
}

#[test]
fn a_node_is_the_list_that_real_servers_save() {
    let mut stream = Stream::empty();
    append(&mut stream, id(1000, 7), &pairs("a 1 b xy"), LIMITS);
    append(&mut stream, id(1001, 0), &pairs("a 2 b z"), LIMITS);
    append(&mut stream, id(1001, 1), &pairs("c 3"), LIMITS);
    assert!(stream.entries_mut().delete(id(1001, 0)));
    let nodes: Vec<_> = stream.entries().nodes().collect();
    assert_eq!(nodes.len(), 1);
    assert_eq!(nodes[0].0, id(1000, 7));
    let items: Vec<String> =
        nodes[0].1.iter().map(|item| String::from_utf8(item.to_bytes().into_owned()).unwrap()).collect();
    assert_eq!(items.join(" "), "2 1 2 a b 0 2 0 0 1 xy 5 3 1 -7 2 z 5 0 1 -6 1 c 3 6");
    stream.check_invariants();
}

#[test]
fn a_million_entries_of_two_small_fields_take_fourteen_bytes_each() {
    let mut stream = Stream::empty();
    let count = if cfg!(miri) { 1_000 } else { 1_000_000u64 };
    for number in 0..count {
        let fields = [&b"temperature"[..], b"21", b"humidity", b"55"];
        stream.entries_mut().append(id(1_700_000_000_000 + number, 0), fields.into_iter(), LIMITS).unwrap();
    }
    let each = stream.heap_bytes() as f64 / count as f64;
    assert!(each < 14.0, "{each} bytes an entry");
}

#[test]
fn entries_longer_than_a_node_are_refused() {
    let mut stream = Stream::empty();
    let long = vec![b'x'; 1 << 20];
    let fields = std::iter::repeat_n(&long[..], 1024);
    assert_eq!(stream.entries_mut().append(id(1, 1), fields, LIMITS), Err(TooLarge));
    assert_eq!(stream.heap_bytes(), Stream::empty().heap_bytes());
}

#[test]
fn approximate_trimming_takes_whole_nodes_only() {
    let full = |count: u64| {
        let mut stream = Stream::empty();
        (1..=count).for_each(|ms| append(&mut stream, id(ms, 0), &pairs("a 1"), LIMITS));
        stream
    };
    let trims = |bound, limit| {
        let mut stream = full(250);
        let gone = stream.entries_mut().trim(&Trim { bound, approximate: true, limit });
        stream.check_invariants();
        assert_eq!(stream.entries().len(), 250 - gone);
        gone
    };
    assert_eq!(trims(Bound::Len(151), 0), 0);
    assert_eq!(trims(Bound::Len(150), 0), 100);
    assert_eq!(trims(Bound::Len(0), 0), 250);
    assert_eq!(trims(Bound::Len(0), 199), 100);
    assert_eq!(trims(Bound::Len(0), 99), 0);
    assert_eq!(trims(Bound::Id(id(100, 0)), 0), 0);
    assert_eq!(trims(Bound::Id(id(101, 0)), 0), 100);
}

#[test]
fn ids_can_be_given_again() {
    let mut stream = Stream::empty();
    [1, 12].into_iter().for_each(|ms| append(&mut stream, id(ms, 0), &pairs("a 1"), LIMITS));
    assert!(stream.entries_mut().delete(id(12, 0)));
    stream.entries_mut().set_last_id(id(9, 0));
    append(&mut stream, id(10, 0), &pairs("a 2"), LIMITS);
    stream.check_invariants();
    assert!(stream.entries().get(id(10, 0)).is_some(), "it lies behind a deleted entry with a later id");
    assert!(stream.entries_mut().delete(id(10, 0)));

    // A first node without entries is left when all of them were deleted one by one in different ways.
    append(&mut stream, id(11, 0), &pairs("a 1"), LIMITS);
    assert!(stream.entries_mut().delete(id(11, 0)));
    let trim = Trim { bound: Bound::Id(id(5, 0)), approximate: false, limit: 0 };
    assert_eq!(stream.entries_mut().trim(&trim), 1);
    assert_eq!((stream.entries().len(), stream.entries().nodes().len()), (0, 1));
    stream.entries_mut().set_last_id(StreamId::MIN);
    append(&mut stream, id(1, 0), &pairs("a 1"), LIMITS);
    append(&mut stream, id(2, 0), &pairs("a 1"), LIMITS);
    stream.check_invariants();
    assert_eq!((stream.entries().len(), stream.entries().nodes().len()), (2, 1));
}

#[test]
fn work_is_estimated_by_nodes() {
    let mut stream = Stream::empty();
    assert_eq!((stream.entries().about(ALL.0, ALL.1), stream.entries().nodes_to_trim(Bound::Len(0))), (0, 0));
    (1..=1_000).for_each(|ms| append(&mut stream, id(ms, 0), &pairs("a 1"), LIMITS));
    let entries = stream.entries();
    assert_eq!(entries.about(ALL.0, ALL.1), 1_000);
    assert_eq!(entries.about(id(1_000, 0), ALL.1), 100);
    assert_eq!(entries.about(id(150, 0), id(250, 0)), 200);
    assert_eq!(entries.about(id(250, 0), id(150, 0)), 0);
    assert_eq!(entries.nodes_to_trim(Bound::Len(400)), 6);
    assert_eq!(entries.nodes_to_trim(Bound::Len(2_000)), 0);
    assert_eq!(entries.nodes_to_trim(Bound::Id(id(150, 0))), 2);
}

#[test]
fn the_radix_tree_of_a_real_server_is_counted() {
    let count = |ids: &[StreamId]| {
        let mut stream = Stream::empty();
        let one = NodeLimits { bytes: 0, entries: 1 };
        ids.iter().for_each(|&id| append(&mut stream, id, &pairs("a 1"), one));
        stream.entries().radix_nodes()
    };
    // As observed on redis 7.0 with `stream-node-max-entries 1`.
    assert_eq!(count(&[]), 1);
    assert_eq!(count(&[id(1, 1)]), 2);
    assert_eq!(count(&[id(1, 1), id(1, 2)]), 4);
    assert_eq!(count(&[id(1, 1), id(2, 0)]), 6);
    assert_eq!(count(&[id(1, 1), id(1, 2), id(2, 0)]), 8);
}

/// The nodes of a radix tree of these keys below `depth`: one where keys part or end, and one before it for what it
/// takes to get there.
fn radix_nodes(keys: &[[u8; 16]], depth: usize) -> usize {
    let shared = (depth..16).take_while(|&at| keys.iter().all(|key| key[at] == keys[0][at])).count();
    let at = depth + shared;
    let before = usize::from(shared > 0);
    if at == 16 {
        return before + 1;
    }
    let parts: BTreeSet<u8> = keys.iter().map(|key| key[at]).collect();
    let below = parts.iter().map(|&part| {
        let own: Vec<[u8; 16]> = keys.iter().filter(|key| key[at] == part).copied().collect();
        radix_nodes(&own, at + 1)
    });
    before + 1 + below.sum::<usize>()
}

#[test]
fn saved_nodes_are_taken_back_and_broken_ones_refused() {
    let mut stream = Stream::empty();
    for ms in 1..=250 {
        let names = if ms % 3 == 0 { "a 1 b 2" } else { "a 1" };
        append(&mut stream, id(ms, ms * 7 % 5), &pairs(names), LIMITS);
    }
    (100..200).for_each(|ms| assert!(stream.entries_mut().delete(id(ms, ms * 7 % 5))));
    let mut copy = Stream::empty();
    for (id, list) in stream.entries().nodes() {
        copy.entries_mut().push_node(id, list.clone()).unwrap();
    }
    copy.check_invariants();
    assert_eq!(all(&copy), all(&stream));
    let (first, list) = stream.entries().nodes().next().unwrap();
    assert!(
        copy.entries_mut().push_node(first, list.clone()).is_err(),
        "its entries are not after the others"
    );

    let mut small = Stream::empty();
    append(&mut small, id(1, 1), &pairs("a 1"), LIMITS);
    append(&mut small, id(1, 2), &pairs("b 1 c 2"), LIMITS);
    let (first, list) = small.entries().nodes().next().unwrap();
    let good = list.bytes().to_vec();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            if crate::packed::validate(&bad).is_ok() {
                let mut stream = Stream::empty();
                if stream.entries_mut().push_node(first, Packed::from_valid(&bad)).is_ok() {
                    // Another value, or another id: reading it is safe.
                    assert!(all(&stream).len() <= 2);
                    stream.entries_mut().trim(&Trim { bound: Bound::Len(1), approximate: false, limit: 0 });
                }
            }
        }
    }
    assert!(Stream::empty().entries_mut().push_node(first, Packed::new()).is_err());
}

#[derive(Clone, Debug)]
enum Step {
    Append(u64, u64, Pairs),
    Delete(usize),
    Trim(Trim),
    SetLastId(u64),
}

fn field() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let name = "[a-c]|[0-9]{1,2}";
    let value = prop_oneof![8 => "[0-9]{1,12}|[a-z]{0,8}", 1 => "[x]{60,90}|[y]{4090,4100}"];
    (name, value).prop_map(|(name, value)| (name.into_bytes(), value.into_bytes()))
}

fn fields() -> impl Strategy<Value = Pairs> {
    prop_oneof![
        Just(pairs("a 1 b 2")),
        "[0-9]{1,3}".prop_map(|value| pairs(&format!("a {value} b xyz"))),
        prop::collection::vec(field(), 1..4)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let bound = prop_oneof![(0u64..40).prop_map(Bound::Len), (0u64..200).prop_map(|ms| Bound::Id(id(ms, 1)))];
    let trim =
        (bound, any::<bool>(), prop_oneof![Just(0u64), 1u64..20]).prop_map(|(bound, approximate, limit)| {
            Trim { bound, approximate, limit: limit * u64::from(approximate) }
        });
    prop_oneof![
        10 => (0u64..3, 0u64..3, fields()).prop_map(|(ms, seq, fields)| Step::Append(ms, seq, fields)),
        4 => any::<usize>().prop_map(Step::Delete),
        1 => trim.prop_map(Step::Trim),
        1 => (0u64..200).prop_map(Step::SetLastId),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 5 } else { 256 }))]
    #[test]
    fn entries_behave_as_a_sorted_map(
        steps in prop::collection::vec(step(), 1..150),
        entries in prop_oneof![Just(0usize), 1usize..10, Just(100)],
        bytes in prop_oneof![Just(0usize), Just(60), Just(4096)],
        probes: [u8; 4],
    ) {
        let limits = NodeLimits { bytes, entries };
        let mut stream = Stream::empty();
        let mut model: BTreeMap<StreamId, Pairs> = BTreeMap::new();
        let mut added = 0;
        let mut deleted = StreamId::MIN;
        let mut gives_again = false;
        for step in steps {
            match step {
                Step::Append(ms, seq, fields) => {
                    let last = stream.entries().last_id();
                    let new = if ms == 0 { id(last.ms, last.seq + 1 + seq) } else { id(last.ms + ms, seq) };
                    append(&mut stream, new, &fields, limits);
                    model.insert(new, fields);
                    added += 1;
                }
                Step::Delete(number) => {
                    let known = model.keys().nth(number % (model.len() + 1)).copied();
                    let wanted = known.unwrap_or(id(number as u64 % 50, 1));
                    let was_there = model.remove(&wanted).is_some();
                    prop_assert_eq!(stream.entries_mut().delete(wanted), was_there);
                    if was_there {
                        deleted = deleted.max(wanted);
                    }
                }
                Step::SetLastId(ms) => {
                    let last = model.keys().next_back().copied().unwrap_or_default();
                    let wanted = last.max(id(ms, 0));
                    gives_again |= wanted < stream.entries().last_id();
                    stream.entries_mut().set_last_id(wanted);
                }
                Step::Trim(trim) => {
                    let before = all(&stream);
                    let gone = stream.entries_mut().trim(&trim);
                    prop_assert_eq!(&all(&stream), &before[gone..]);
                    let exact = match trim.bound {
                        Bound::Len(len) => before.len().saturating_sub(len as usize),
                        Bound::Id(first) => before.iter().filter(|(own, _)| *own < first).count(),
                    };
                    // A deleted entry with a later id than those after it ends the trimming (observed on redis 7.0).
                    let is_less = trim.approximate || gives_again && matches!(trim.bound, Bound::Id(_));
                    let fits = if is_less { gone <= exact } else { gone == exact };
                    prop_assert!(fits);
                    prop_assert!(trim.limit == 0 || gone as u64 <= trim.limit);
                    before[..gone].iter().for_each(|(own, _)| drop(model.remove(own)));
                }
            }
            stream.check_invariants();
            let entries = stream.entries();
            prop_assert_eq!(entries.len(), model.len());
            prop_assert_eq!((entries.added(), entries.max_deleted_id()), (added, deleted));
            prop_assert_eq!(entries.last().map(|last| last.id), model.keys().next_back().copied());
        }
        let wanted: Vec<(StreamId, Pairs)> = model.iter().map(|(id, fields)| (*id, fields.clone())).collect();
        prop_assert_eq!(&all(&stream), &wanted);
        let [a, b, c, d] = probes.map(u64::from);
        let (from, to) = (id(a, b % 4), id(c, d % 4));
        let within: Vec<_> = wanted.iter().filter(|(own, _)| (from..=to).contains(own)).cloned().collect();
        let entries = stream.entries();
        prop_assert_eq!(&entries.range(from, to).map(read).collect::<Vec<_>>(), &within);
        let back: Vec<_> = entries.range_back(from, to).map(read).collect();
        prop_assert!(back.iter().eq(within.iter().rev()));
        prop_assert_eq!(entries.get(from).map(|entry| entry.id), model.get(&from).map(|_| from));
        prop_assert_eq!(entries.has_after(from), model.keys().any(|own| *own > from));
        let keys: Vec<[u8; 16]> = entries
            .nodes()
            .map(|(id, _)| (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes())
            .collect();
        prop_assert_eq!(entries.radix_nodes(), if keys.is_empty() { 1 } else { radix_nodes(&keys, 0) });
        let copy = stream.clone();
        copy.check_invariants();
        prop_assert_eq!(&all(&copy), &wanted);
    }
}

#[derive(Clone, Debug)]
enum GroupStep {
    Assign(u64, u8, i64, u64),
    Acknowledge(u64),
    RemoveConsumer(u8),
}

fn group_step() -> impl Strategy<Value = GroupStep> {
    prop_oneof![
        20 => (0u64..300, 0u8..5, 0i64..10, 0u64..10)
            .prop_map(|(id, consumer, ms, count)| GroupStep::Assign(id, consumer, ms, count)),
        15 => (0u64..300).prop_map(GroupStep::Acknowledge),
        1 => (0u8..5).prop_map(GroupStep::RemoveConsumer),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 128 }))]
    #[test]
    fn pending_entries_behave_as_a_map(steps in prop::collection::vec(group_step(), 1..600), probe in 0u64..300) {
        let mut stream = Stream::empty();
        prop_assert!(stream.create_group(b"other", StreamId::MIN, None));
        prop_assert!(stream.create_group(b"group", StreamId::MIN, Some(0)));
        prop_assert!(!stream.create_group(b"group", StreamId::MAX, None));
        let mut model: BTreeMap<u64, (u8, i64, u64)> = BTreeMap::new();
        let mut consumers = BTreeSet::new();
        for (number, step) in steps.into_iter().enumerate() {
            let (_, mut group) = stream.open(b"group").unwrap();
            match step {
                GroupStep::Assign(own, name, delivered_ms, deliveries) => {
                    let consumer = match group.consumer(&[name]) {
                        Some(consumer) => consumer,
                        None => group.create_consumer(&[name], number as i64),
                    };
                    consumers.insert(name);
                    group.assign(Pending { id: id(own, 0), delivered_ms, deliveries, consumer });
                    model.insert(own, (name, delivered_ms, deliveries));
                }
                GroupStep::Acknowledge(own) => {
                    prop_assert_eq!(group.acknowledge(id(own, 0)), model.remove(&own).is_some());
                }
                GroupStep::RemoveConsumer(name) => {
                    let pending = model.values().filter(|pending| pending.0 == name).count();
                    let wanted = consumers.remove(&name).then_some(pending);
                    prop_assert_eq!(group.remove_consumer(&[name]), wanted);
                    model.retain(|_, pending| pending.0 != name);
                }
            }
            drop(group);
            if number % 16 == 0 {
                stream.check_invariants();
            }
        }
        for stream in [&stream, &stream.clone()] {
            stream.check_invariants();
            let group = stream.group(b"group").unwrap();
            let own: Vec<_> = group
                .pending_from(id(probe, 0))
                .map(|own| (own.id.ms, (group.consumer_at(own.consumer).name()[0], own.delivered_ms, own.deliveries)))
                .collect();
            prop_assert_eq!(own, model.range(probe..).map(|(id, own)| (*id, *own)).collect::<Vec<_>>());
            let names: Vec<u8> = group.consumers().map(|consumer| consumer.name()[0]).collect();
            prop_assert!(names.iter().eq(&consumers));
            for consumer in group.consumers() {
                let own = model.range(probe..).filter(|(_, pending)| pending.0 == consumer.name()[0]);
                prop_assert!(consumer.pending_from(id(probe, 0)).map(|id| id.ms).eq(own.map(|(id, _)| *id)));
            }
            let ends = model.keys().next().zip(model.keys().next_back());
            prop_assert_eq!(group.pending_ends(), ends.map(|(a, b)| (id(*a, 0), id(*b, 0))));
        }
        let bytes = stream.heap_bytes();
        prop_assert!(stream.create_group(b"third", StreamId::MIN, None) && stream.heap_bytes() > bytes);
        prop_assert!(stream.remove_group(b"group") && !stream.remove_group(b"group"));
        stream.check_invariants();
        let names: Vec<&[u8]> = stream.groups().map(Group::name).collect();
        prop_assert_eq!(names, [&b"other"[..], b"third"]);
    }
}

#[test]
fn a_groups_counter_follows_what_it_reads() {
    let mut stream = Stream::empty();
    (1..=5).for_each(|ms| append(&mut stream, id(ms, 0), &pairs("a 1"), LIMITS));
    stream.create_group(b"g", StreamId::MIN, None);
    let lag = |stream: &Stream| {
        let group = stream.group(b"g").unwrap();
        (group.entries_read(), group.lag(stream.entries()))
    };
    assert_eq!(lag(&stream), (None, Some(5)));
    let read = |stream: &mut Stream, ms| {
        let (entries, mut group) = stream.open(b"g").unwrap();
        group.advance(entries, id(ms, 0));
    };
    read(&mut stream, 1);
    assert_eq!(lag(&stream), (Some(1), Some(4)));
    read(&mut stream, 2);
    assert_eq!(lag(&stream), (Some(2), Some(3)));
    assert!(stream.entries_mut().delete(id(4, 0)));
    assert_eq!(lag(&stream), (Some(2), None), "nobody knows how many of those ahead were deleted");
    read(&mut stream, 3);
    assert_eq!(lag(&stream), (None, None));
    read(&mut stream, 5);
    assert_eq!(lag(&stream), (Some(5), Some(0)));
    read(&mut stream, 1);
    assert_eq!(stream.group(b"g").unwrap().last_id(), id(5, 0), "it does not go back");
}
