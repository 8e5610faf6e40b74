//! Who calls: the one place that turns a request's signature into a caller.
//!
//! Invariant: a request is taken once. Its nonce and timestamp are remembered for as long as the timestamp is good.
//!
//! Deliberately not here: temporary keys. A `Token` is taken and not looked at.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use cloud::clock::Clock;
use cloud::identity::{Caller, Directory};
use operation::{Call, Failure};
use parking_lot::Mutex;

use crate::code;
use crate::parameters::Parameters;
use crate::signature;

/// How far the timestamp of a request may be from now, either way, in seconds.
const SKEW_S: u64 = 2 * 60 * 60;

/// Knows the account, and the requests that have been taken.
pub(crate) struct Authority {
    directory: Directory,
    clock: Arc<dyn Clock>,
    taken: Mutex<Taken>,
}

/// The keys and nonces of requests, by their timestamps in seconds.
#[derive(Default)]
struct Taken(BTreeMap<u64, HashSet<(String, u64)>>);

impl Authority {
    pub(crate) fn new(directory: Directory, clock: Arc<dyn Clock>) -> Self {
        Authority { directory, clock, taken: Mutex::default() }
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Who makes this call.
    pub(crate) fn prove(&self, call: &Call) -> Result<Caller, Failure> {
        if let Some(anyone) = self.directory.anyone(None) {
            return Ok(anyone);
        }
        let parameters = Parameters::of(call);
        let text = |name: &'static str| parameters.get(name).ok_or_else(|| code::PARAMETER.of(name));
        let number = |name: &'static str| {
            let number = text(name)?.parse::<u64>();
            number.map_err(|_| code::PARAMETER.of(name))
        };
        let (secret_id, timestamp_s, nonce) = (text("SecretId")?, number("Timestamp")?, number("Nonce")?);
        text("Signature")?;
        let (user, key) = self.directory.access_key(secret_id).ok_or(&code::UNKNOWN_ID)?;
        if !signature::is_signed(call, &parameters, key.secret.reveal()) {
            return Err((&code::UNPROVEN).into());
        }
        let now_s = self.clock.machine_ms() / 1000;
        if !self.taken.lock().take(secret_id, timestamp_s, nonce, now_s) {
            return Err((&code::REPLAY).into());
        }
        Ok(Caller { user: user.clone(), project: None })
    }
}

impl Taken {
    /// Takes a request, unless its time is over or it has been taken.
    fn take(&mut self, secret_id: &str, timestamp_s: u64, nonce: u64, now_s: u64) -> bool {
        if timestamp_s.abs_diff(now_s) > SKEW_S {
            return false;
        }
        self.0 = self.0.split_off(&now_s.saturating_sub(SKEW_S));
        self.0.entry(timestamp_s).or_default().insert((secret_id.to_owned(), nonce))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_once_while_its_time_is_good() {
        let mut taken = Taken::default();
        let now_s = 1_800_000_000;
        assert!(taken.take("a", now_s, 1, now_s));
        assert!(!taken.take("a", now_s, 1, now_s + 10), "it was taken");
        assert!(taken.take("a", now_s, 2, now_s));
        assert!(taken.take("b", now_s, 1, now_s));
        assert!(taken.take("a", now_s + 1, 1, now_s), "some clients have few nonces");
        assert!(taken.take("a", now_s - SKEW_S, 3, now_s) && taken.take("a", now_s + SKEW_S, 3, now_s));
        assert!(
            !taken.take("a", now_s - SKEW_S - 1, 4, now_s) && !taken.take("a", now_s + SKEW_S + 1, 4, now_s)
        );
        assert!(!taken.take("a", now_s, 1, now_s + SKEW_S), "it is remembered as long as it would be good");
        taken.take("a", now_s + SKEW_S + 1, 5, now_s + SKEW_S + 1);
        assert!(taken.0.keys().all(|timestamp_s| *timestamp_s > now_s), "and no longer");
    }
}
