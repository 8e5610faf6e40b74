//! Packed lists.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use structures::entry::Object;
use structures::list::{List, Side};
use structures::packed::Packed;

fn packed(criterion: &mut Criterion) {
    let mut list = Packed::new();
    for number in 0..128 {
        list.push(format!("field:{number}").as_bytes());
    }
    let mut group = criterion.benchmark_group("packed");
    group.bench_function("find the last of 128", |bencher| {
        bencher.iter(|| black_box(list.find(b"field:127", list.start(), 1)));
    });
    group.bench_function("walk over 128", |bencher| bencher.iter(|| black_box(list.iter().count())));
    group.bench_function("push and pop at the front of a long list", |bencher| {
        let mut list = List::empty();
        (0..100_000).for_each(|_| list.push(Side::Right, b"an element"));
        bencher.iter(|| {
            list.push(Side::Left, b"an element");
            black_box(list.pop(Side::Left, |_| ()))
        });
    });
    group.finish();
}

criterion_group!(benches, packed);
criterion_main!(benches);
