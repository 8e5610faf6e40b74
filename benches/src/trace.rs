//! Traces of requests.

use testkit::Rng;

/// Requests to keys below `keys`, with a Zipf distribution of exponent 0.99; which keys are wanted often is mixed up.
pub fn zipf(keys: usize, requests: usize, seed: u64) -> Vec<u32> {
    let mut sums = Vec::with_capacity(keys);
    let mut sum = 0.0;
    for rank in 1..=keys {
        sum += (rank as f64).powf(-0.99);
        sums.push(sum);
    }
    let mut rng = Rng::new(seed);
    (0..requests)
        .map(|_| {
            let drawn = rng.draw() as f64 / u64::MAX as f64 * sum;
            let rank = sums.partition_point(|&sum| sum < drawn).min(keys - 1);
            (rank.wrapping_mul(2_654_435_761) % keys) as u32
        })
        .collect()
}
