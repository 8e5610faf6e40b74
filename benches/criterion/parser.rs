//! The request parser.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use resp::{Limits, Parsed, Parser};
use std::hint::black_box;

fn parse(criterion: &mut Criterion) {
    let request = b"*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000123\r\n$3\r\nxyz\r\n".repeat(64);
    let mut group = criterion.benchmark_group("parser");
    group.throughput(Throughput::Elements(64));
    group.bench_function("64 pipelined SETs", |bencher| {
        let (mut parser, mut parsed) = (Parser::new(), Parsed::default());
        bencher.iter(|| {
            parsed.clear();
            let mut start = 0;
            while let Ok(Some(request)) = parser.parse(&request[start..], &Limits::default(), &mut parsed) {
                start += request.len;
            }
            black_box(start)
        });
    });
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
