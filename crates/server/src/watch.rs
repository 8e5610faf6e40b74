//! Looking after a master: when it has failed, and that its standby takes its place then.
//!
//! A master is looked at when somebody suspects it, and never otherwise: one that nobody uses costs nothing. As long as its
//! standby cannot take its place it is looked at again before that is tried again, since it may have come to life meanwhile.
//!
//! Deliberately not here: how a standby takes its master's place.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::pair::FailoverError;

/// A master that a client waits for has so long to show that it is alive.
pub(crate) const LIFE_SIGN: Duration = Duration::from_millis(50);
/// After so long it is tried again to have the standby take a failed master's place.
const AGAIN: Duration = Duration::from_secs(1);

/// A master and its standby.
pub(crate) trait Watched: Send + Sync {
    /// What the master is.
    type Node: Send + Sync;

    /// Where clients come to it.
    fn address(&self) -> SocketAddr;

    /// Notified when the master has stopped or may hang.
    fn suspicion(&self) -> &Notify;

    /// The master, if it has stopped or shows no sign of life, and somebody is there to take its place.
    fn failed(&self) -> impl Future<Output = Option<Weak<Self::Node>>> + Send;

    /// Has the standby take its place, if it is still the master.
    ///
    /// # Errors
    /// [`FailoverError`]; then everything is as it was.
    fn replace(
        self: &Arc<Self>,
        failed: &Weak<Self::Node>,
    ) -> impl Future<Output = Result<(), FailoverError>> + Send;
}

/// Looks after a master for as long as there is one.
pub(crate) async fn watch<T: Watched>(watched: Arc<T>) {
    loop {
        watched.suspicion().notified().await;
        while let Some(failed) = watched.failed().await {
            let address = watched.address();
            tracing::warn!("the master at {address} has stopped or hangs: its standby takes its place");
            let Err(error) = watched.replace(&failed).await else { break };
            tracing::warn!("the standby of {address} cannot take its master's place: {error}");
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Whether what should end soon, as far as somebody lives, does not.
pub(crate) async fn is_lifeless(life: impl Future<Output = ()>) -> bool {
    tokio::time::timeout(LIFE_SIGN, life).await.is_err()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

    use super::*;

    /// A master that hangs until its standby has been asked once, which is not ready then.
    struct Fake {
        master: Arc<()>,
        hangs: AtomicBool,
        asked: AtomicU32,
        looked: Notify,
        suspicion: Notify,
    }

    impl Watched for Fake {
        type Node = ();

        fn address(&self) -> SocketAddr {
            ([127, 0, 0, 1], 1).into()
        }

        fn suspicion(&self) -> &Notify {
            &self.suspicion
        }

        async fn failed(&self) -> Option<Weak<()>> {
            let failed = self.hangs.load(SeqCst).then(|| Arc::downgrade(&self.master));
            if failed.is_none() {
                self.looked.notify_one();
            }
            failed
        }

        async fn replace(self: &Arc<Self>, _: &Weak<()>) -> Result<(), FailoverError> {
            self.asked.fetch_add(1, SeqCst);
            self.hangs.store(false, SeqCst);
            Err(FailoverError::NoStandby)
        }
    }

    #[tokio::test]
    async fn a_master_that_has_come_to_life_keeps_its_place() {
        let fake = Arc::new(Fake {
            master: Arc::new(()),
            hangs: true.into(),
            asked: 0.into(),
            looked: Notify::new(),
            suspicion: Notify::new(),
        });
        let watching = tokio::spawn(watch(Arc::clone(&fake)));
        fake.suspicion.notify_one();
        fake.looked.notified().await;
        assert_eq!(fake.asked.load(SeqCst), 1);
        watching.abort();
    }

    #[tokio::test]
    async fn whoever_waits_for_ever_is_lifeless() {
        assert!(is_lifeless(std::future::pending()).await);
        assert!(!is_lifeless(std::future::ready(())).await);
    }
}
