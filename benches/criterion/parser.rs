//! The request parser.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use resp::{Limits, Parsed, Parser};
use std::hint::black_box;

fn parse(criterion: &mut Criterion) {
    let small = b"*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000123\r\n$3\r\nxyz\r\n".repeat(64);
    let value = "x".repeat(1000);
    let large = format!("*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000123\r\n$1000\r\n{value}\r\n").repeat(64);
    let mut group = criterion.benchmark_group("parser");
    group.throughput(Throughput::Elements(64));
    for (name, requests) in
        [("64 pipelined SETs", &small[..]), ("64 pipelined SETs of 1000 bytes", large.as_bytes())]
    {
        group.bench_function(name, |bencher| {
            let (mut parser, mut parsed) = (Parser::new(), Parsed::default());
            bencher.iter(|| {
                parsed.clear();
                let mut start = 0;
                while let Ok(Some(request)) =
                    parser.parse(&requests[start..], &Limits::default(), &mut parsed)
                {
                    start += request.len;
                }
                black_box(start)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
