//! A lock that is held briefly, and waited for without blocking a thread.
//!
//! Shards are held for microseconds, so a taker first spins; whoever still finds the lock held leaves its waker and
//! lets its thread do other work. Only the holder of a slow command makes others wait that long.
//!
//! Invariants: the value is reached only through a [`Guard`], of which there is one at a time; a waker that was left
//! before an unlock is woken by that unlock.
//!
//! Not here: queues. Waiters are woken together and race, as threads on a futex do.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Waker;

const FREE: u8 = 0;
const HELD: u8 = 1;
/// Held, and there are wakers to wake.
const AWAITED: u8 = 2;

/// How often a taker looks again before it gives up: some tens of microseconds.
const SPINS: u32 = 1_000;

/// A value behind the lock.
pub struct Lock<T> {
    state: AtomicU8,
    wakers: Mutex<Vec<Waker>>,
    value: UnsafeCell<T>,
}

// SAFETY: the value is only reached through the one guard, from one thread at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    /// A free lock.
    pub const fn new(value: T) -> Self {
        Lock { state: AtomicU8::new(FREE), wakers: Mutex::new(Vec::new()), value: UnsafeCell::new(value) }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub fn try_lock(&self) -> Option<Guard<'_, T>> {
        self.state
            .compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
            .then(|| Guard { lock: self })
    }

    /// Takes the lock if it becomes free within some tens of microseconds.
    #[inline]
    pub fn spin(&self) -> Option<Guard<'_, T>> {
        self.try_lock().or_else(|| self.spin_slowly())
    }

    #[cold]
    fn spin_slowly(&self) -> Option<Guard<'_, T>> {
        for _ in 0..SPINS {
            std::hint::spin_loop();
            if self.state.load(Ordering::Relaxed) == FREE
                && let Some(guard) = self.try_lock()
            {
                return Some(guard);
            }
        }
        None
    }

    /// Takes the lock, blocking the thread meanwhile: for threads that serve no connections.
    pub fn block(&self) -> Guard<'_, T> {
        loop {
            if let Some(guard) = self.spin() {
                return guard;
            }
            std::thread::yield_now();
        }
    }

    /// Has `waker` woken when the lock is released; `false` if it is free already, and then it is not.
    pub fn wake_when_free(&self, waker: &Waker) -> bool {
        self.wakers().push(waker.clone());
        // From here on the waker can be seen by an unlock. If none is to come, it is taken back, or woken for nothing.
        let awaited = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |state| (state != FREE).then_some(AWAITED));
        if awaited.is_err() {
            self.wakers().retain(|own| !own.will_wake(waker));
        }
        awaited.is_ok()
    }

    /// The value, when the lock itself is owned.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
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

/// The lock, held.
pub struct Guard<'a, T> {
    lock: &'a Lock<T>,
}

// SAFETY: a shared guard gives shared access to the value and nothing else.
unsafe impl<T: Sync> Sync for Guard<'_, T> {}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: there is one guard at a time, and this is it.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: there is one guard at a time, and this is it, borrowed mutably.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.lock.state.swap(FREE, Ordering::Release) == AWAITED {
            self.lock.wake();
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

    #[test]
    fn a_release_wakes_those_who_waited_and_no_one_twice() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let lock = Lock::new(1);
        assert!(!lock.wake_when_free(&waker), "a free lock is not waited for");
        let guard = lock.try_lock().unwrap();
        assert!(lock.spin().is_none());
        assert!(lock.wake_when_free(&waker));
        drop(guard);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        drop(lock.try_lock().unwrap());
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn threads_take_turns() {
        let lock = Lock::new(0u64);
        let rounds = if cfg!(miri) { 50 } else { 20_000 };
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..rounds {
                        *lock.block() += 1;
                    }
                });
            }
        });
        assert_eq!(*lock.block(), 3 * rounds);
    }

    #[test]
    fn no_wake_is_lost() {
        // One thread holds and releases; the other waits by waker only, and would hang if a wake were lost.
        let lock = Arc::new(Lock::new(0u64));
        let rounds = if cfg!(miri) { 20 } else { 2_000 };
        struct Unpark(std::thread::Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waiter = |lock: Arc<Lock<u64>>| {
            let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
            for _ in 0..rounds {
                let mut guard = loop {
                    if let Some(guard) = lock.try_lock() {
                        break guard;
                    }
                    if lock.wake_when_free(&waker) {
                        std::thread::park();
                    }
                };
                *guard += 1;
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let lock = Arc::clone(&lock);
                scope.spawn(move || waiter(lock));
            }
        });
        assert_eq!(*lock.block(), 2 * rounds);
    }
}
