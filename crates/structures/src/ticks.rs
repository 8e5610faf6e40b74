//! The processor's own counter: a clock of unknown rate that costs next to nothing to read.
//!
//! On x86_64 it is the time-stamp counter, on aarch64 the virtual counter; both run at a constant rate on every machine
//! of the last decade. Whoever wants durations finds the rate by reading a real clock beside it now and then.

#![allow(unsafe_code)]

/// The counter's value. Later reads on the same core give no less; on another core it may be a little less.
#[inline]
pub fn now() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86_64 processor has the instruction, and no system on which this runs forbids it.
    unsafe {
        std::arch::x86_64::_rdtsc()
    }
    #[cfg(target_arch = "aarch64")]
    {
        let ticks: u64;
        // SAFETY: the register can be read in user mode and reading it changes nothing.
        unsafe {
            std::arch::asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack, preserves_flags));
        }
        ticks
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    compile_error!("a processor whose counter is not known");
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_goes_on() {
        let first = super::now();
        assert!((0..1_000_000).any(|_| super::now() > first));
    }
}
