//! Sorted sets.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use structures::entry::Object;
use structures::zset::{Limits, ZSet};

const LIMITS: Limits = Limits { packed_entries: 128, packed_value: 64, packed_minus_zero: false, seed: 1 };

fn zset(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("zset");
    for count in [100usize, 1_000_000] {
        let member = |number: usize| format!("member:{number:09}").into_bytes();
        let mut zset = ZSet::empty();
        for number in 0..count {
            zset.set(&member(number), (number * 7919 % 1_000_003) as f64, &LIMITS);
        }
        let mut number = 0;
        group.bench_function(format!("change a score among {count}"), |bencher| {
            bencher.iter(|| {
                number = (number + 7919) % count;
                black_box(zset.set(&member(number), (number % 1000) as f64, &LIMITS))
            });
        });
        group.bench_function(format!("rank among {count}"), |bencher| {
            bencher.iter(|| {
                number = (number + 7919) % count;
                black_box(zset.rank(&member(number)))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, zset);
criterion_main!(benches);
