//! HyperLogLogs, as they stand in the bytes of strings.
//!
//! The bytes are those of Redis, which clients may read, keep and set again:
//!
//! ```text
//! "HYLL" | encoding: u8 | unused: 3 bytes | cardinality: u64, its top bit set when it is out of date | registers
//! dense  = 16,384 registers of six bits, the lowest bits of the first byte first
//! sparse = runs:  00nnnnnn          n+1 registers that are zero
//!                 01nnnnnn nnnnnnnn n+1 registers that are zero
//!                 1vvvvvnn          n+1 registers that are v+1
//! ```
//!
//! A new HyperLogLog is sparse. It becomes dense when a register does not fit into five bits, or when a run would have
//! to be split and the string would become too long for it. Which sequence of runs stands for the registers depends on
//! the order in which they were raised; that order is kept to the byte.
//!
//! Invariants: what [`encoding`] accepts has a header, and all registers if it is dense. The runs of a sparse one come
//! from a client, perhaps, and anything may be wrong with them: whoever walks them finds [`Corrupt`] ones.

use arrayvec::ArrayVec;
use std::ops::Range;

/// Registers of a HyperLogLog.
pub const REGISTERS: usize = 1 << INDEX_BITS;
/// Length of a dense one, in bytes.
pub const DENSE_BYTES: usize = HEADER_BYTES + REGISTERS * REGISTER_BITS / 8;

const INDEX_BITS: u32 = 14;
const REGISTER_BITS: usize = 6;
const REGISTER_MAX: u8 = (1 << REGISTER_BITS) - 1;
const HEADER_BYTES: usize = 16;
const MAGIC: &[u8] = b"HYLL";
const ENCODING_AT: usize = 4;
const CARDINALITY: Range<usize> = 8..16;
const OUT_OF_DATE: u8 = 0x80;
/// Bits of the hash that are left to find a rank in.
const RANK_BITS: u32 = 64 - INDEX_BITS;
const HASH_SEED: u64 = 0xADC8_3B19;

/// Longest run of zeros in one byte, and in two.
const ZEROS_MAX: usize = 64;
/// Longest run of a value, and the largest value of one.
const VALUES_MAX: usize = 4;
const VALUE_MAX: u8 = 32;
/// After a change so many runs are looked at for neighbours to be joined.
const JOINED: usize = 5;

/// How the registers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Six bits a register.
    Dense,
    /// Runs of equal registers.
    Sparse,
}

/// How the cardinality follows from the registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimator {
    /// The harmonic mean, with linear counting below and a correction of its bias (Redis 3).
    HarmonicMean,
    /// LogLog-Beta, arXiv:1612.02284 (Redis 4).
    LogLogBeta,
    /// The improved raw estimator of Ertl, arXiv:1702.01284 (from Redis 5 on).
    Improved,
}

/// The runs of a sparse HyperLogLog do not make up its registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// All registers, a byte each.
pub type Registers = [u8; REGISTERS];

/// How the registers are stored in these bytes; nothing if they are not a HyperLogLog.
pub fn encoding(bytes: &[u8]) -> Option<Encoding> {
    match bytes.get(ENCODING_AT) {
        _ if bytes.len() < HEADER_BYTES || !bytes.starts_with(MAGIC) => None,
        Some(0) => (bytes.len() == DENSE_BYTES).then_some(Encoding::Dense),
        Some(1) => Some(Encoding::Sparse),
        _ => None,
    }
}

/// The cardinality in the header, unless it is out of date.
pub fn cached(bytes: &[u8]) -> Option<u64> {
    let cardinality: [u8; 8] = bytes[CARDINALITY].try_into().ok()?;
    (cardinality[7] & OUT_OF_DATE == 0).then_some(u64::from_le_bytes(cardinality))
}

/// Writes the cardinality into the header.
pub fn cache(bytes: &mut [u8], cardinality: u64) {
    bytes[CARDINALITY].copy_from_slice(&cardinality.to_le_bytes());
}

/// Marks the cardinality in the header as out of date.
pub fn invalidate(bytes: &mut [u8]) {
    bytes[CARDINALITY.end - 1] |= OUT_OF_DATE;
}

/// The register that an element belongs to, and the rank that it raises it to.
pub fn observe(element: &[u8]) -> (usize, u8) {
    let hash = murmur64a(element, HASH_SEED);
    let index = hash as usize & (REGISTERS - 1);
    let rank = (hash >> INDEX_BITS | 1 << RANK_BITS).trailing_zeros() + 1;
    (index, rank as u8)
}

/// Whether a register is below a rank.
///
/// # Errors
/// [`Corrupt`] if there is no such register.
pub fn is_below(bytes: &[u8], register: usize, rank: u8) -> Result<bool, Corrupt> {
    if encoding(bytes) == Some(Encoding::Dense) {
        return Ok(dense_get(&bytes[HEADER_BYTES..], register) < rank);
    }
    let mut first = 0;
    for (_, run) in runs(bytes, HEADER_BYTES) {
        if register < first + run.len {
            return Ok(run.value < rank);
        }
        first += run.len;
    }
    Err(Corrupt)
}

/// Raises a register of a dense HyperLogLog to a rank; whether it was below it.
pub fn raise_dense(bytes: &mut [u8], register: usize, rank: u8) -> bool {
    let registers = &mut bytes[HEADER_BYTES..];
    let below = dense_get(registers, register) < rank;
    if below {
        dense_set(registers, register, rank);
    }
    below
}

/// The estimated cardinality.
///
/// # Errors
/// [`Corrupt`]
pub fn count(bytes: &[u8], estimator: Estimator) -> Result<u64, Corrupt> {
    let mut histogram = [0; 64];
    if encoding(bytes) == Some(Encoding::Dense) {
        // Four histograms: a register often equals its neighbour, whose counter would not be free yet.
        let mut parts = [[0u32; 64]; 4];
        for group in groups(bytes) {
            for (part, register) in parts.iter_mut().zip(unpack(group)) {
                part[usize::from(register)] += 1;
            }
        }
        for (value, sum) in histogram.iter_mut().enumerate() {
            *sum = parts.iter().map(|part| part[value]).sum();
        }
    } else {
        each_run(bytes, |_, run| histogram[usize::from(run.value)] += run.len as u32)?;
    }
    Ok(estimate(&histogram, estimator))
}

/// The estimated cardinality of registers that stand in no string.
pub fn count_registers(registers: &Registers, estimator: Estimator) -> u64 {
    let mut histogram = [0; 64];
    registers.iter().for_each(|register| histogram[usize::from(register & REGISTER_MAX)] += 1);
    estimate(&histogram, estimator)
}

/// Raises registers to those of a HyperLogLog.
///
/// # Errors
/// [`Corrupt`]
pub fn merge(into: &mut Registers, bytes: &[u8]) -> Result<(), Corrupt> {
    if encoding(bytes) == Some(Encoding::Dense) {
        for (into, group) in into.as_chunks_mut::<4>().0.iter_mut().zip(groups(bytes)) {
            for (into, register) in into.iter_mut().zip(unpack(group)) {
                *into = register.max(*into);
            }
        }
        return Ok(());
    }
    each_run(bytes, |first, run| {
        if run.value > 0 {
            into[first..first + run.len].iter_mut().for_each(|into| *into = run.value.max(*into));
        }
    })
}

/// A run of equal registers in a sparse HyperLogLog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// What the registers are.
    pub value: u8,
    /// How many they are.
    pub len: usize,
    /// In how many bytes the run is stored.
    pub bytes: usize,
}

impl Run {
    /// The run at a position before the end.
    #[inline]
    fn at(bytes: &[u8], position: usize) -> Run {
        let head = bytes[position];
        match head >> 6 {
            0b00 => Run { value: 0, len: usize::from(head) + 1, bytes: 1 },
            0b01 => {
                let low = bytes.get(position + 1).copied().unwrap_or(0);
                Run { value: 0, len: (usize::from(head & 0x3F) << 8 | usize::from(low)) + 1, bytes: 2 }
            }
            _ => Run { value: (head >> 2 & 0x1F) + 1, len: usize::from(head & 3) + 1, bytes: 1 },
        }
    }
}

/// The runs of a sparse HyperLogLog, whatever they are.
pub fn all_runs(bytes: &[u8]) -> impl Iterator<Item = Run> {
    runs(bytes, HEADER_BYTES).map(|(_, run)| run)
}

/// The runs from a position on, with their positions.
#[inline]
fn runs(bytes: &[u8], from: usize) -> impl Iterator<Item = (usize, Run)> {
    let mut position = from;
    std::iter::from_fn(move || {
        (position < bytes.len()).then(|| {
            let run = Run::at(bytes, position);
            let at = position;
            position += run.bytes;
            (at, run)
        })
    })
}

/// Visits all runs with the numbers of their first registers.
fn each_run(bytes: &[u8], mut visit: impl FnMut(usize, Run)) -> Result<(), Corrupt> {
    let mut first = 0;
    for run in all_runs(bytes) {
        if first + run.len > REGISTERS {
            return Err(Corrupt);
        }
        visit(first, run);
        first += run.len;
    }
    if first == REGISTERS { Ok(()) } else { Err(Corrupt) }
}

/// Where a run stands, and the number of its first register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Start {
    at: usize,
    first: usize,
}

impl Start {
    /// The first run.
    const BEGINNING: Start = Start { at: HEADER_BYTES, first: 0 };
}

/// A HyperLogLog being changed.
#[derive(Clone, Debug)]
pub struct Sketch {
    bytes: Vec<u8>,
    /// Where the search for a higher register may begin.
    hint: Start,
}

impl Default for Sketch {
    fn default() -> Self {
        Sketch::new()
    }
}

impl Sketch {
    /// One that has seen nothing.
    pub fn new() -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.push(1);
        bytes.resize(HEADER_BYTES, 0);
        push_zeros(&mut bytes, REGISTERS);
        Sketch { bytes, hint: Start::BEGINNING }
    }

    /// A copy of bytes that [`encoding`] accepts.
    pub fn of(bytes: &[u8]) -> Self {
        debug_assert!(encoding(bytes).is_some());
        Sketch { bytes: bytes.to_vec(), hint: Start::BEGINNING }
    }

    /// The bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn is_dense(&self) -> bool {
        encoding(&self.bytes) == Some(Encoding::Dense)
    }

    /// Raises a register to a rank; whether it was below it. It becomes dense rather than grow beyond `most` bytes.
    ///
    /// # Errors
    /// [`Corrupt`]
    pub fn raise(&mut self, register: usize, rank: u8, most: usize) -> Result<bool, Corrupt> {
        if self.is_dense() {
            return Ok(raise_dense(&mut self.bytes, register, rank));
        }
        if rank > VALUE_MAX {
            return self.raise_densely(register, rank);
        }
        let (previous, Start { at, first }, run) = self.search(register)?;
        if run.value >= rank {
            return Ok(false);
        }
        // The run with its register changed: what is before it, itself, and what is after it.
        let mut parts = ArrayVec::<u8, 5>::new();
        push_run(&mut parts, run.value, register - first);
        push_run(&mut parts, rank, 1);
        push_run(&mut parts, run.value, first + run.len - 1 - register);
        if parts.len() > run.bytes && self.bytes.len() + parts.len() - run.bytes > most {
            return self.raise_densely(register, rank);
        }
        self.bytes.splice(at..(at + run.bytes).min(self.bytes.len()), parts);
        self.hint = previous.unwrap_or(Start::BEGINNING);
        self.join_neighbours(self.hint.at);
        Ok(true)
    }

    fn raise_densely(&mut self, register: usize, rank: u8) -> Result<bool, Corrupt> {
        self.densify()?;
        Ok(raise_dense(&mut self.bytes, register, rank))
    }

    /// The run of a register and where it starts, and where the run before it does.
    fn search(&self, register: usize) -> Result<(Option<Start>, Start, Run), Corrupt> {
        for from in [self.hint, Start::BEGINNING] {
            if from.first > register {
                continue;
            }
            let (mut previous, mut first) = (None, from.first);
            for (at, run) in runs(&self.bytes, from.at) {
                let start = Start { at, first };
                if register < first + run.len {
                    if previous.is_none() && from != Start::BEGINNING {
                        // What is before the hint is not known: once more from the beginning.
                        break;
                    }
                    return Ok((previous, start, run));
                }
                previous = Some(start);
                first += run.len;
            }
        }
        Err(Corrupt)
    }

    /// Joins runs of the same value, from a run on, as far as a change may have made neighbours of them.
    fn join_neighbours(&mut self, from: usize) {
        let mut position = from;
        for _ in 0..JOINED {
            if position >= self.bytes.len() {
                break;
            }
            let run = Run::at(&self.bytes, position);
            if run.value > 0 && position + 1 < self.bytes.len() {
                let next = Run::at(&self.bytes, position + 1);
                if next.value == run.value && run.len + next.len <= VALUES_MAX {
                    self.bytes[position] = value_run(run.value, run.len + next.len);
                    self.bytes.remove(position + 1);
                    continue;
                }
            }
            position += run.bytes;
        }
    }

    /// Makes it dense; whether it was sparse.
    ///
    /// # Errors
    /// [`Corrupt`]
    pub fn densify(&mut self) -> Result<bool, Corrupt> {
        if self.is_dense() {
            return Ok(false);
        }
        let mut dense = vec![0; DENSE_BYTES];
        let registers = &mut dense[HEADER_BYTES..];
        each_run(&self.bytes, |first, run| {
            if run.value > 0 {
                (first..first + run.len).for_each(|register| dense_set(registers, register, run.value));
            }
        })?;
        dense[..HEADER_BYTES].copy_from_slice(&self.bytes[..HEADER_BYTES]);
        dense[ENCODING_AT] = 0;
        self.bytes = dense;
        Ok(true)
    }

    /// Raises all registers to at least these. It becomes dense rather than grow beyond `most` bytes.
    ///
    /// # Errors
    /// [`Corrupt`]
    pub fn raise_all(&mut self, registers: &Registers, most: usize) -> Result<(), Corrupt> {
        for (register, &rank) in registers.iter().enumerate().filter(|(_, rank)| **rank > 0) {
            self.raise(register, rank, most)?;
        }
        Ok(())
    }

    /// Marks the cardinality in the header as out of date.
    pub fn invalidate(&mut self) {
        invalidate(&mut self.bytes);
    }
}

/// Appends a run of a value; of a value other than zero it has at most four registers.
fn push_run(bytes: &mut impl Extend<u8>, value: u8, len: usize) {
    match (value, len) {
        (_, 0) => {}
        (0, _) => push_zeros(bytes, len),
        _ => bytes.extend([value_run(value, len)]),
    }
}

fn push_zeros(bytes: &mut impl Extend<u8>, len: usize) {
    let stored = len - 1;
    if len > ZEROS_MAX {
        bytes.extend([0x40 | (stored >> 8) as u8]);
    }
    bytes.extend([stored as u8]);
}

fn value_run(value: u8, len: usize) -> u8 {
    debug_assert!((1..=VALUE_MAX).contains(&value) && (1..=VALUES_MAX).contains(&len));
    0x80 | (value - 1) << 2 | (len - 1) as u8
}

/// The registers of a dense HyperLogLog, in groups of four.
fn groups(bytes: &[u8]) -> &[[u8; 3]] {
    bytes[HEADER_BYTES..DENSE_BYTES].as_chunks::<3>().0
}

/// A group of four registers.
#[inline]
fn unpack([a, b, c]: &[u8; 3]) -> [u8; 4] {
    [a & REGISTER_MAX, (a >> 6 | b << 2) & REGISTER_MAX, (b >> 4 | c << 4) & REGISTER_MAX, c >> 2]
}

/// Where the two bytes are that a register may touch, and by how many bits it is shifted in them. The last register
/// touches only one, which is the second of these two.
#[inline]
fn place(register: usize) -> (usize, usize) {
    let bit = register * REGISTER_BITS;
    let byte = (bit / 8).min(REGISTERS * REGISTER_BITS / 8 - 2);
    (byte, bit - 8 * byte)
}

#[inline]
fn dense_get(registers: &[u8], register: usize) -> u8 {
    let (byte, shift) = place(register);
    (u16::from_le_bytes([registers[byte], registers[byte + 1]]) >> shift) as u8 & REGISTER_MAX
}

#[inline]
fn dense_set(registers: &mut [u8], register: usize, value: u8) {
    let (byte, shift) = place(register);
    let old = u16::from_le_bytes([registers[byte], registers[byte + 1]]);
    let new = old & !(u16::from(REGISTER_MAX) << shift) | u16::from(value) << shift;
    registers[byte..byte + 2].copy_from_slice(&new.to_le_bytes());
}

/// The estimated cardinality, from how many registers have each value.
fn estimate(histogram: &[u32; 64], estimator: Estimator) -> u64 {
    let m = REGISTERS as f64;
    let alpha = 0.7213 / (1.0 + 1.079 / m);
    let zeros = f64::from(histogram[0]);
    let sum = || -> f64 {
        let terms = histogram.iter().enumerate().rev();
        terms.map(|(value, count)| f64::from(*count) * (-(value as f64)).exp2()).sum()
    };
    match estimator {
        Estimator::HarmonicMean => {
            let raw = alpha * m * m / sum();
            if raw < m * 2.5 && zeros != 0.0 {
                return (m * (m / zeros).ln()) as u64;
            }
            if raw >= 72_000.0 {
                return raw as u64;
            }
            let powers = [83.3216, -5.2921e-3, 1.2940e-7, -1.4253e-12, 5.9119e-18];
            (raw - raw * (polynomial(&powers, raw) / 100.0)) as u64
        }
        Estimator::LogLogBeta => {
            let powers =
                [0.0, 0.070471823, 0.17393686, 0.16339839, -0.09237745, 0.03738027, -0.005384159, 0.00042419];
            let beta = -0.370393911 * zeros + polynomial(&powers, (zeros + 1.0).ln());
            (alpha * m * (m - zeros) / (sum() + beta)).round() as u64
        }
        Estimator::Improved => {
            let full = f64::from(histogram[RANK_BITS as usize + 1]);
            let mut z = m * tau((m - full) / m);
            for value in (1..=RANK_BITS as usize).rev() {
                z = 0.5 * (z + f64::from(histogram[value]));
            }
            z += m * sigma(zeros / m);
            // Half of the reciprocal of the natural logarithm of two.
            let alpha = 0.5 / std::f64::consts::LN_2;
            (alpha * m * m / z).round() as u64
        }
    }
}

/// The sum of the powers of a number, the constant first.
fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

/// What registers at their maximum contribute, in the terms of the improved estimator.
fn tau(x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut x, mut y, mut z) = (x, 1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        y *= 0.5;
        let before = z;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

/// What registers that are zero contribute, in the terms of the improved estimator.
fn sigma(x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut y, mut z) = (x, 1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// MurmurHash64A, by Austin Appleby, who placed it in the public domain.
fn murmur64a(bytes: &[u8], seed: u64) -> u64 {
    const M: u64 = 0xC6A4_A793_5BD1_E995;
    const R: u32 = 47;
    let mix = |word: u64| {
        let word = word.wrapping_mul(M);
        (word ^ word >> R).wrapping_mul(M)
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = seed ^ (bytes.len() as u64).wrapping_mul(M);
    for word in words {
        hash = (hash ^ mix(u64::from_le_bytes(*word))).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(M);
    }
    hash = (hash ^ hash >> R).wrapping_mul(M);
    hash ^ hash >> R
}

/// Checks that registers are packed without loss, and that sparse and dense HyperLogLogs agree and estimate well.
pub fn self_test() -> bool {
    const ELEMENTS: u64 = 100_000;
    const MOST: usize = 3000;
    let mut packed = [0; REGISTERS * REGISTER_BITS / 8];
    for round in 0..64u64 {
        let value =
            |register: usize| observe(&(round << 32 | register as u64).to_le_bytes()).0 as u8 & REGISTER_MAX;
        (0..REGISTERS).for_each(|register| dense_set(&mut packed, register, value(register)));
        if (0..REGISTERS).any(|register| dense_get(&packed, register) != value(register)) {
            return false;
        }
    }
    let (mut sketch, mut dense) = (Sketch::new(), Sketch::new());
    if dense.densify().is_err() {
        return false;
    }
    (1..=ELEMENTS).all(|number| {
        let (register, rank) = observe(&number.to_le_bytes());
        if sketch.raise(register, rank, MOST) != dense.raise(register, rank, MOST) {
            return false;
        }
        if !number.is_power_of_two() && number != ELEMENTS {
            return true;
        }
        let counts = [&sketch, &dense].map(|sketch| count(&sketch.bytes, Estimator::Improved));
        // Four times the standard error.
        let margin = (0.0325 * number as f64).ceil() as u64;
        counts[0] == counts[1] && counts[0].is_ok_and(|count| count.abs_diff(number) <= margin)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOST: usize = 3000;

    fn sketch_of(elements: impl Iterator<Item = String>) -> Sketch {
        let mut sketch = Sketch::new();
        for element in elements {
            let (register, rank) = observe(element.as_bytes());
            sketch.raise(register, rank, MOST).unwrap();
        }
        sketch
    }

    fn registers_of(bytes: &[u8]) -> Box<Registers> {
        let mut registers = Box::new([0; REGISTERS]);
        merge(&mut registers, bytes).unwrap();
        registers
    }

    #[test]
    fn bytes_are_those_of_a_real_server() {
        let sketch = sketch_of(["a", "b"].map(str::to_owned).into_iter());
        assert_eq!(&sketch.bytes[HEADER_BYTES..], b"\x71\xa6\x84\x4b\xfb\x80\x42\x5a");
        assert_eq!(Sketch::new().into_bytes(), b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff");
    }

    #[test]
    fn what_is_no_hyperloglog_is_not_taken_for_one() {
        let new = Sketch::new().into_bytes();
        assert_eq!(encoding(&new), Some(Encoding::Sparse));
        assert_eq!(encoding(&new[..16]), Some(Encoding::Sparse));
        for bytes in [&b""[..], &new[..15], b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\0\x7f\xff", &[b'x'; 16], b"HYLL\0"]
        {
            assert_eq!(encoding(bytes), None);
        }
        let mut dense = vec![0; DENSE_BYTES];
        dense[..4].copy_from_slice(MAGIC);
        assert_eq!(encoding(&dense), Some(Encoding::Dense));
        assert_eq!(encoding(&dense[1..]), None);
    }

    #[test]
    fn a_cardinality_is_kept_until_it_is_out_of_date() {
        let mut bytes = Sketch::new().into_bytes();
        assert_eq!(cached(&bytes), Some(0));
        cache(&mut bytes, 1 << 40);
        assert_eq!(cached(&bytes), Some(1 << 40));
        invalidate(&mut bytes);
        assert_eq!(cached(&bytes), None);
    }

    #[test]
    fn estimates_are_close() {
        for elements in [0u64, 1, 10, 1000, 30_000, 60_000, 200_000] {
            let mut registers = Box::new([0; REGISTERS]);
            for number in 0..elements {
                let (register, rank) = observe(&number.to_le_bytes());
                registers[register] = rank.max(registers[register]);
            }
            for estimator in [Estimator::HarmonicMean, Estimator::LogLogBeta, Estimator::Improved] {
                let count = count_registers(&registers, estimator);
                let margin = 1 + elements * 3 / 100;
                assert!(count.abs_diff(elements) <= margin, "{elements} are {count} by {estimator:?}");
            }
        }
    }

    #[test]
    fn it_becomes_dense_at_a_high_rank_and_at_its_length() {
        let mut sketch = Sketch::new();
        assert_eq!(sketch.raise(7, 32, MOST), Ok(true));
        assert!(!sketch.is_dense());
        assert_eq!(sketch.raise(7, 33, MOST), Ok(true));
        assert!(sketch.is_dense());
        assert_eq!(sketch.raise(7, 33, MOST), Ok(false));
        let mut sketch = Sketch::new();
        assert_eq!(sketch.raise(7, 1, HEADER_BYTES + 4), Ok(true));
        assert!(!sketch.is_dense(), "two runs of zeros and one register take four bytes");
        assert_eq!(sketch.raise(9, 1, HEADER_BYTES + 4), Ok(true));
        assert!(sketch.is_dense());
    }

    #[test]
    fn runs_that_do_not_make_up_the_registers_are_found() {
        let whole = sketch_of((0..50).map(|number| number.to_string())).into_bytes();
        let mut longer = whole.clone();
        longer.push(0);
        for bytes in [&whole[..whole.len() - 1], &whole[..20], &whole[..HEADER_BYTES], &longer] {
            assert_eq!(count(bytes, Estimator::Improved), Err(Corrupt));
            assert_eq!(merge(&mut [0; REGISTERS], bytes), Err(Corrupt));
            assert_eq!(Sketch::of(bytes).densify(), Err(Corrupt));
            assert_eq!(Sketch::of(bytes).raise(1, 40, MOST), Err(Corrupt));
        }
        assert_eq!(is_below(&whole[..HEADER_BYTES], 0, 1), Err(Corrupt));
    }

    #[test]
    fn it_tests_itself() {
        assert!(self_test());
    }

    proptest! {
        #[test]
        fn registers_are_what_they_were_raised_to(
            steps in prop::collection::vec((prop_oneof![0usize..40, 0..REGISTERS, Just(REGISTERS - 1)], 1u8..36), 0..300),
            most in prop_oneof![Just(HEADER_BYTES), Just(100), Just(MOST)],
        ) {
            let mut want = Box::new([0u8; REGISTERS]);
            let (mut sketch, mut dense) = (Sketch::new(), Sketch::new());
            dense.densify().unwrap();
            for (register, rank) in steps {
                let below = want[register] < rank;
                want[register] = rank.max(want[register]);
                prop_assert_eq!(is_below(&sketch.bytes, register, rank), Ok(below));
                prop_assert_eq!(sketch.raise(register, rank, most), Ok(below));
                prop_assert_eq!(dense.raise(register, rank, most), Ok(below));
                prop_assert!(sketch.is_dense() || sketch.bytes.len() <= most.max(HEADER_BYTES + 2));
            }
            prop_assert_eq!(&registers_of(&sketch.bytes), &want);
            prop_assert_eq!(&registers_of(&dense.bytes), &want);
            for estimator in [Estimator::HarmonicMean, Estimator::LogLogBeta, Estimator::Improved] {
                let own = count_registers(&want, estimator);
                prop_assert_eq!(count(&sketch.bytes, estimator), Ok(own));
                prop_assert_eq!(count(&dense.bytes, estimator), Ok(own));
            }
            // Raised in ascending order, with hints, and one by one, without.
            let (mut all, mut each) = (Sketch::new(), Sketch::new());
            all.raise_all(&want, MOST).unwrap();
            for (register, &rank) in want.iter().enumerate().filter(|(_, rank)| **rank > 0) {
                each.hint = Start::BEGINNING;
                each.raise(register, rank, MOST).unwrap();
            }
            prop_assert_eq!(&all.bytes, &each.bytes);
            prop_assert_eq!(&registers_of(&all.bytes), &want);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), register in 0..REGISTERS, rank in 1u8..40) {
            let mut string = Sketch::new().into_bytes();
            string.truncate(HEADER_BYTES);
            string.extend(bytes);
            let _ = count(&string, Estimator::Improved);
            let _ = is_below(&string, register, rank);
            let _ = all_runs(&string).count();
            let mut sketch = Sketch::of(&string);
            let _ = sketch.raise(register, rank, MOST);
            let _ = sketch.raise_all(&[2; REGISTERS], MOST);
        }
    }
}
