//! The hash table.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use structures::entry::Object;
use structures::member::Member;
use structures::set::{Limits, Set};
use structures::table::Table;

fn keys(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| format!("key:{number:012}").into_bytes()).collect()
}

fn filled(keys: &[Vec<u8>]) -> Table<Member> {
    let mut table = Table::new(1, 0);
    for key in keys {
        table.insert_new(table.hash(key), Member::new(key));
    }
    table
}

fn find(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("table");
    for count in [1_000, 1_000_000] {
        let keys = keys(count);
        let table = filled(&keys);
        let mut number = 0;
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("find one of {count}"), |bencher| {
            bencher.iter(|| {
                number = (number + 7919) % count;
                black_box(table.find(table.hash(&keys[number]), &keys[number]))
            });
        });
        group.bench_function(format!("miss one of {count}"), |bencher| {
            bencher.iter(|| {
                number += 1;
                let key = number.to_le_bytes();
                black_box(table.find(table.hash(&key), &key))
            });
        });
    }
    let keys = keys(100_000);
    group.throughput(Throughput::Elements(keys.len() as u64));
    group.sample_size(20);
    group.bench_function("fill with 100000", |bencher| {
        bencher.iter_batched(|| (), |()| black_box(filled(&keys)), BatchSize::PerIteration);
    });
    let limits = Limits { ints: 512, packed_entries: 128, packed_value: 64, seed: 1 };
    let set_of = |members: &[Vec<u8>]| {
        let mut set = Set::empty();
        for member in members {
            set.add(member, &limits);
        }
        set
    };
    let mut in_order_of_another = Vec::new();
    set_of(&keys).for_each(|member| in_order_of_another.push(member.to_bytes().into_owned()));
    group.bench_function("fill a set with 100000", |bencher| {
        bencher.iter_batched(|| (), |()| black_box(set_of(&keys)), BatchSize::PerIteration);
    });
    group.bench_function("fill a set with 100000 of another", |bencher| {
        bencher.iter_batched(|| (), |()| black_box(set_of(&in_order_of_another)), BatchSize::PerIteration);
    });
    let set = set_of(&keys);
    group.bench_function("copy a set of 100000", |bencher| {
        bencher.iter_batched(|| (), |()| black_box(set.clone()), BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, find);
criterion_main!(benches);
