//! The hash table.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use structures::member::Member;
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
    group.finish();
}

criterion_group!(benches, find);
criterion_main!(benches);
