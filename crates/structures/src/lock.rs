//! A row of locks that are held briefly, and waited for without blocking a thread.
//!
//! Shards are held for microseconds, so a taker first spins; whoever still finds a lock held leaves its waker and
//! lets its thread do other work. Only the holder of a slow command makes others wait that long.
//!
//! Invariants: a value is reached only through the [`Held`] that has its lock, of which there is one at a time; several
//! locks are taken in ascending order; a waker that was left before an unlock is woken by that unlock.
//!
//! Not here: queues. Waiters are woken together and race, as threads on a futex do.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Waker;

#[cfg(debug_assertions)]
use crate::ranked::{Taken, rank};

/// Most locks of a row: a set of them is a word.
pub const MAX_LOCKS: usize = u64::BITS as usize;

const FREE: u8 = 0;
const HELD: u8 = 1;
/// Held, and there are wakers to wake.
const AWAITED: u8 = 2;

/// How often a taker looks again before it gives up: some tens of microseconds.
const SPINS: u32 = 1_000;

/// A lock and its value; what different threads hold does not share a cache line. The value follows the state, so that
/// what is changed most often comes with it from the cache of who had it last, if the value begins with that.
#[repr(C, align(128))]
struct Lock<T> {
    state: AtomicU8,
    value: UnsafeCell<T>,
    wakers: Mutex<Vec<Waker>>,
}

impl<T> Lock<T> {
    #[inline]
    fn try_take(&self) -> bool {
        self.state.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes the lock if it becomes free within some tens of microseconds.
    #[inline]
    fn take(&self) -> bool {
        self.try_take() || self.take_slowly()
    }

    #[cold]
    fn take_slowly(&self) -> bool {
        (0..SPINS).any(|_| {
            std::hint::spin_loop();
            self.state.load(Ordering::Relaxed) == FREE && self.try_take()
        })
    }

    #[inline]
    fn release(&self) {
        if self.state.swap(FREE, Ordering::Release) == AWAITED {
            self.wake();
        }
    }

    fn wakers(&self) -> std::sync::MutexGuard<'_, Vec<Waker>> {
        self.wakers.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    #[cold]
    fn wake(&self) {
        let wakers = std::mem::take(&mut *self.wakers());
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Values, each behind a lock of its own.
pub struct Locks<T>(Box<[Lock<T>]>);

// SAFETY: a value is only reached through the one `Held` that has its lock, from one thread at a time.
unsafe impl<T: Send> Sync for Locks<T> {}

impl<T> Locks<T> {
    /// Free locks with these values, at most [`MAX_LOCKS`].
    pub fn new(values: impl Iterator<Item = T>) -> Self {
        let lock = |value| Lock {
            state: AtomicU8::new(FREE),
            wakers: Mutex::new(Vec::new()),
            value: UnsafeCell::new(value),
        };
        let locks: Box<[_]> = values.map(lock).collect();
        assert!(locks.len() <= MAX_LOCKS, "{} locks", locks.len());
        Locks(locks)
    }

    /// The number of locks.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "a row without locks has no use")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Asks the processor to fetch a lock, and the beginning of its value, for a change of both: what another processor had
    /// last takes as long to come as an access to memory.
    #[inline]
    pub fn prefetch(&self, number: usize) {
        prefetch_for_change(std::ptr::from_ref(&self.0[number]).cast());
    }

    /// Holds nothing yet.
    #[inline]
    pub fn hold_none(&self) -> Held<'_, T> {
        Held {
            locks: &self.0,
            set: 0,
            #[cfg(debug_assertions)]
            taken: None,
        }
    }

    /// Takes the locks of a set, each a bit, waiting some tens of microseconds for each.
    ///
    /// # Errors
    /// The number of a lock that did not become free; none is held then.
    #[inline]
    pub fn hold(&self, set: u64) -> Result<Held<'_, T>, usize> {
        let mut held = self.hold_none();
        #[cfg(debug_assertions)]
        if set != 0 {
            held.taken = Some(Taken::beside());
        }
        for number in bits(set) {
            if !self.0[number].take() {
                return Err(number);
            }
            held.set |= 1 << number;
        }
        Ok(held)
    }

    /// Takes the locks of a set, blocking the thread meanwhile: for threads that serve no connections, and hold no locks of
    /// another row.
    pub fn hold_blocking(&self, set: u64) -> Held<'_, T> {
        #[cfg(debug_assertions)]
        drop(Taken::<{ rank::SHARDS }>::new());
        self.hold_beside(set)
    }

    /// As [`Locks::hold_blocking`], beside locks of another row, if nobody takes locks of these two rows the other way
    /// round.
    pub fn hold_beside(&self, set: u64) -> Held<'_, T> {
        let mut held = self.hold_none();
        #[cfg(debug_assertions)]
        if set != 0 {
            held.taken = Some(Taken::beside());
        }
        for number in bits(set) {
            while !self.0[number].take() {
                std::thread::yield_now();
            }
            held.set |= 1 << number;
        }
        held
    }

    /// Has `waker` woken when a lock is released; `false` if it is free already, and then it is not.
    pub fn wake_when_free(&self, number: usize, waker: &Waker) -> bool {
        let lock = &self.0[number];
        lock.wakers().push(waker.clone());
        // From here on the waker can be seen by an unlock. If none is to come, it is taken back, or woken for nothing.
        let awaited = lock
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |state| (state != FREE).then_some(AWAITED));
        if awaited.is_err() {
            lock.wakers().retain(|own| !own.will_wake(waker));
        }
        awaited.is_ok()
    }
}

/// Asks the processor to fetch what is about to be changed, so that no other has it then.
#[inline]
pub(crate) fn prefetch_for_change(place: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: prefetching changes nothing, whatever the address; processors that do not know it pass over it.
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) place, options(readonly, nostack, preserves_flags));
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: prefetching changes nothing, whatever the address.
    unsafe {
        std::arch::asm!("prfm pstl1keep, [{}]", in(reg) place, options(readonly, nostack, preserves_flags));
    }
    #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    let _ = place;
}

/// The bits of a set, in ascending order.
#[inline]
pub fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (set != 0).then(|| {
            let number = set.trailing_zeros() as usize;
            set &= set - 1;
            number
        })
    })
}

/// Locks of a row that are held; they are released when it is dropped.
pub struct Held<'a, T> {
    locks: &'a [Lock<T>],
    /// Which are held. All bits are below the number of locks.
    set: u64,
    /// Their place in the order of locks, as soon as there are some.
    #[cfg(debug_assertions)]
    taken: Option<Taken<{ rank::SHARDS }>>,
}

// SAFETY: it is the right to reach values that may be sent.
unsafe impl<T: Send> Send for Held<'_, T> {}
// SAFETY: shared, it gives shared access to the values and nothing else.
unsafe impl<T: Sync> Sync for Held<'_, T> {}

impl<T> Held<'_, T> {
    /// Which locks are held, each a bit.
    #[inline]
    pub fn set(&self) -> u64 {
        self.set
    }

    /// Takes one more lock if it is free. Whether it is held now. What is taken so may be out of order, since nobody
    /// waits for it.
    #[inline]
    pub fn try_add(&mut self, number: usize) -> bool {
        if self.set & (1 << number) == 0 && self.locks[number].try_take() {
            self.set |= 1 << number;
            #[cfg(debug_assertions)]
            self.taken.get_or_insert_with(Taken::by_chance);
        }
        self.set & (1 << number) != 0
    }

    /// A value whose lock is held.
    #[inline]
    pub fn get(&self, number: usize) -> &T {
        assert!(number < MAX_LOCKS && self.set & (1 << number) != 0, "lock {number} is not held");
        // SAFETY: the lock is held, hence exists, and nobody else reaches the value.
        unsafe { &*self.locks.get_unchecked(number).value.get() }
    }

    /// A value whose lock is held.
    #[inline]
    pub fn get_mut(&mut self, number: usize) -> &mut T {
        assert!(number < MAX_LOCKS && self.set & (1 << number) != 0, "lock {number} is not held");
        // SAFETY: the lock is held, hence exists, and this is the one way to the value, borrowed mutably.
        unsafe { &mut *self.locks.get_unchecked(number).value.get() }
    }

    /// The values whose locks are held, in ascending order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        // SAFETY: as in `get`.
        bits(self.set).map(|number| unsafe { &*self.locks.get_unchecked(number).value.get() })
    }

    /// The values whose locks are held, in ascending order.
    #[inline]
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        // SAFETY: as in `get_mut`; each bit comes once, so that no value is given twice.
        bits(self.set).map(|number| unsafe { &mut *self.locks.get_unchecked(number).value.get() })
    }
}

impl<T> Drop for Held<'_, T> {
    #[inline]
    fn drop(&mut self) {
        for number in bits(self.set) {
            // SAFETY: what is held exists.
            unsafe { self.locks.get_unchecked(number) }.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn row(len: usize) -> Locks<u64> {
        Locks::new((0..len).map(|_| 0))
    }

    #[test]
    fn a_release_wakes_those_who_waited_and_no_one_twice() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let locks = row(1);
        assert!(!locks.wake_when_free(0, &waker), "a free lock is not waited for");
        let held = locks.hold(1).ok().unwrap();
        assert_eq!(locks.hold(1).err(), Some(0));
        assert!(locks.wake_when_free(0, &waker));
        drop(held);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        drop(locks.hold(1).ok().unwrap());
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_set_is_held_whole_or_not_at_all() {
        let locks = row(MAX_LOCKS);
        let mut one = locks.hold(1 << 40).ok().unwrap();
        *one.get_mut(40) = 7;
        assert_eq!(locks.hold(u64::MAX).err(), Some(40));
        let mut others = locks.hold(!(1 << 40)).ok().unwrap();
        assert!(others.iter_mut().all(|value| *value == 0));
        assert!(!others.try_add(40));
        drop(one);
        assert!(others.try_add(40) && others.try_add(40));
        assert_eq!(others.iter().sum::<u64>(), 7);
        drop(others);
        assert_eq!(locks.hold_blocking(u64::MAX).set(), u64::MAX);
    }

    #[test]
    #[should_panic(expected = "lock 1 is not held")]
    fn what_is_not_held_is_not_reached() {
        row(2).hold(1).ok().unwrap().get(1);
    }

    #[test]
    fn threads_take_turns() {
        let locks = row(1);
        let rounds = if cfg!(miri) { 50 } else { 20_000 };
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..rounds {
                        *locks.hold_blocking(1).get_mut(0) += 1;
                    }
                });
            }
        });
        assert_eq!(*locks.hold_blocking(1).get(0), 3 * rounds);
    }

    #[test]
    fn no_wake_is_lost() {
        // One thread holds and releases; the other waits by waker only, and would hang if a wake were lost.
        let locks = row(1);
        let rounds = if cfg!(miri) { 20 } else { 2_000 };
        struct Unpark(std::thread::Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waiter = || {
            let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
            for _ in 0..rounds {
                let mut held = locks.hold_none();
                while !held.try_add(0) {
                    if locks.wake_when_free(0, &waker) {
                        std::thread::park();
                    }
                }
                *held.get_mut(0) += 1;
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(waiter);
            scope.spawn(waiter);
        });
        assert_eq!(*locks.hold_blocking(1).get(0), 2 * rounds);
    }
}
